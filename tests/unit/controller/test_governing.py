"""What the controller makes of the marks on a target."""

from datetime import timedelta
from typing import Any

import pytest

from controller.decide import decide
from controller.decision import Decision, Patch, Scale
from controller.governing import free
from controller.observation import Elapsed, Endpoints, Observation, Serving
from controller.phases.initialization import unsettled
from controller.projections import serving, workload
from shared.hold import Hold, Rollout, render
from shared.names import (
    ASKED_REPLICAS_ANNOTATION,
    CANARY_LABEL,
    GIVEN_REPLICAS_ANNOTATION,
    HOLD_ANNOTATION,
    ROLLOUT_ANNOTATION,
)
from shared.revision import template_hash
from shared.types.canary import Phase
from tests.builders import NEW, NEWER, NOW, OLD, canary, deployment, observation, primary, route, target

BOTH = Endpoints(primary=2, canary=2)
HELD = Hold(revision=NEWER, runs=NEW, since=NOW)
DRAINED = Elapsed(route=10.0)


def progressing(weight: int, analysed: str = NEW, **changes: Any) -> Observation:
    of = canary(Phase.PROGRESSING, status={"canaryWeight": weight, "lastAppliedSpec": analysed})
    return observation(of, **({"endpoints": BOTH} | changes))


def patches(decision: Decision, name: str) -> list[Any]:
    """The bodies of the patches of a Deployment."""
    return [
        action.body
        for action in decision.actions
        if isinstance(action, Patch) and (action.resource.plural, action.name) == ("deployments", name)
    ]


def lifts(decision: Decision) -> bool:
    return any(
        HOLD_ANNOTATION in body.get("metadata", {}).get("annotations", {})
        for body in patches(decision, "podinfo")
    )


class TestHolds:
    def test_users_leave_the_old_pods_before_the_new_template_rolls_out(self) -> None:
        lands = decide(progressing(30, target=target(NEWER, replicas=2, hold=HELD)))
        assert (lands.status.canary_weight, lands.status.last_applied_spec) == (0, NEWER)
        assert not lifts(lands)
        waits = decide(
            progressing(0, NEWER, target=target(NEWER, replicas=2, hold=HELD), elapsed=Elapsed(route=1))
        )
        assert not lifts(waits) and waits.requeue_after == 2.0
        done = decide(progressing(0, NEWER, target=target(NEWER, replicas=2, hold=HELD), elapsed=DRAINED))
        assert patches(done, "podinfo") == [
            {
                "metadata": {"resourceVersion": "5", "annotations": {HOLD_ANNOTATION: None}},
                "spec": {"paused": None},
            }
        ]

    def test_a_pause_of_somebody_else_stays(self) -> None:
        held = Hold(NEWER, NEW, NOW, paused=True)
        done = decide(progressing(0, NEWER, target=target(NEWER, replicas=2, hold=held), elapsed=DRAINED))
        assert patches(done, "podinfo")[0]["spec"] == {"paused": True}

    def test_the_canary_serves_through_its_promotion_while_a_newer_template_waits(self) -> None:
        of = canary(Phase.PROMOTING, status={"canaryWeight": 50, "lastAppliedSpec": NEW})
        seen = observation(
            of,
            target=target(NEWER, replicas=2, hold=HELD),
            primary=primary(NEW, ready=False),
            endpoints=BOTH,
            route=route(50, of),
        )
        waits = decide(seen)
        assert waits.status.canary_weight == 50 and not lifts(waits)
        without = decide(
            observation(of, target=target(NEWER, replicas=2), primary=primary(NEW), endpoints=BOTH)
        )
        assert without.status.canary_weight == 0

    def test_users_are_not_sent_to_a_dead_primary_for_it(self) -> None:
        dead = Endpoints(primary=0, canary=2)
        stuck = decide(progressing(30, target=target(NEWER, replicas=2, hold=HELD), endpoints=dead))
        assert stuck.status.canary_weight == 30 and stuck.status.last_applied_spec == NEW
        assert not lifts(stuck)

    @pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED, Phase.WAITING])
    def test_at_rest_without_pods_it_goes_at_once(self, phase: Phase) -> None:
        held = Hold(OLD, NEW, NOW)
        seen = observation(canary(phase), target=target(NEWER, hold=held))
        assert lifts(decide(seen)) or phase is Phase.WAITING

    def test_an_annotation_alone_holds_nothing(self) -> None:
        """A target that runs on with a hold on it gets its pods from the newest template."""
        of = canary(Phase.PROMOTING, status={"canaryWeight": 50, "lastAppliedSpec": NEW})
        runs_on = target(NEWER, replicas=2, hold=HELD, paused=False)
        seen = observation(
            of, target=runs_on, primary=primary(NEW, ready=False), endpoints=BOTH, route=route(50, of)
        )
        assert runs_on.runs == NEWER
        assert decide(seen).status.canary_weight == 0

    def test_a_canary_that_cannot_be_run_keeps_nothing_from_rolling_out(self) -> None:
        held = target(NEWER, replicas=2, hold=HELD)
        other = canary(Phase.NONE, provider="istio")
        assert lifts(decide(observation(other, target=held, primary=None, route=None)))
        begun = canary(
            Phase.PROGRESSING, status={"canaryWeight": 10, "lastAppliedSpec": NEW}, provider="istio"
        )
        assert not lifts(decide(observation(begun, target=held, endpoints=BOTH)))

    def test_one_that_does_not_end_is_said(self) -> None:
        old = Hold(NEWER, NEW, NOW - timedelta(hours=1))
        seen = progressing(0, NEWER, target=target(NEWER, replicas=2, hold=old), elapsed=Elapsed(route=1))
        (ready,) = [each for each in decide(seen).status.conditions if each.type == "Ready"]
        assert (ready.status, ready.reason) == ("False", "Held")
        assert ready.message == (
            "the new template of podinfo.test is held since 2026-11-22T19:00:00Z: Draining"
        )


class TestSizes:
    @pytest.mark.parametrize("marks", [{"asked": 5, "given": 0}, {"given": 0, "replicas": 5}])
    def test_the_size_asked_for_goes_to_the_primary(self, marks: dict[str, Any]) -> None:
        decision = decide(observation(target=target(**marks), endpoints=Endpoints(2, 0)))
        assert patches(decision, "podinfo-primary") == [{"spec": {"replicas": 5}}]
        assert "Scaling podinfo-primary.test to 5 replicas as asked of podinfo" in [
            event.message for event in decision.events
        ]

    def test_pods_at_rest_that_nobody_asked_the_controller_for_go(self) -> None:
        seen = observation(target=target(replicas=5, given=0), endpoints=Endpoints(2, 0), elapsed=DRAINED)
        assert Scale("podinfo", 0) in decide(seen).actions

    def test_a_canary_keeps_the_size_that_its_rollout_gave_it(self) -> None:
        seen = progressing(10, target=target(NEW, replicas=5, given=2))
        decision = decide(seen)
        assert Scale("podinfo", 2) in decision.actions
        assert patches(decision, "podinfo-primary") == [{"spec": {"replicas": 5}}]

    def test_one_that_was_scaled_up_at_rest_is_analysed_at_the_primarys_size(self) -> None:
        seen = progressing(0, target=target(NEW, replicas=7, given=0), primary=primary(OLD, replicas=4))
        assert Scale("podinfo", 4) in decide(seen).actions

    def test_a_size_asked_for_since_is_not_lost(self) -> None:
        decision = decide(observation(target=target(asked=5, given=0), endpoints=Endpoints(2, 0)))
        (body,) = patches(decision, "podinfo")
        assert body["metadata"] == {"resourceVersion": "5", "annotations": {ASKED_REPLICAS_ANNOTATION: None}}

    def test_zero_does_not_take_the_application_down(self) -> None:
        decision = decide(progressing(10, target=target(NEW, replicas=0, given=2)))
        assert patches(decision, "podinfo-primary") == []
        assert Scale("podinfo", 2) in decision.actions

    def test_with_an_autoscaler_sizes_are_its_business(self) -> None:
        ref = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
        of = canary(Phase.PROGRESSING, status={"lastAppliedSpec": NEW}, autoscalerRef=ref)
        decision = decide(observation(of, target=target(NEW, replicas=5, given=2), endpoints=BOTH))
        assert patches(decision, "podinfo-primary") == [] and Scale("podinfo", 2) not in decision.actions


class TestLabels:
    def test_a_target_is_labelled_before_anything_else(self) -> None:
        first = decide(observation(canary(Phase.NONE), target=target(canary=""), primary=None, route=None))
        assert first.actions == (
            Patch(first.actions[0].resource, "podinfo", {"metadata": {"labels": {CANARY_LABEL: "podinfo"}}}),  # type: ignore[union-attr] # a Patch
        )

    def test_the_target_of_a_canary_that_is_gone_is_nobodys_again(self) -> None:
        freed = free(target(NEW, hold=HELD, given=0)).body
        assert freed["metadata"]["labels"] == {CANARY_LABEL: None}
        marks = (HOLD_ANNOTATION, ROLLOUT_ANNOTATION, GIVEN_REPLICAS_ANNOTATION, ASKED_REPLICAS_ANNOTATION)
        assert freed["metadata"]["annotations"] == dict.fromkeys(marks)
        assert freed["spec"] == {"paused": None}
        assert "spec" not in free(target(NEW)).body

    def test_the_younger_of_two_canaries_does_nothing_and_says_why(self) -> None:
        decision = decide(observation(claimed_by="older"))
        (ready,) = [each for each in decision.status.conditions if each.type == "Ready"]
        assert ready.reason == "TargetClaimed"
        assert ready.message == "Canary older is older and has the same target or apex; delete one of the two"

    def test_nor_does_it_say_that_the_others_route_is_in_the_way(self) -> None:
        older = canary().model_copy(
            update={"metadata": canary().metadata.model_copy(update={"uid": "u0", "name": "older"})}
        )
        decision = decide(observation(claimed_by="older", route=route(30, older)))
        (ready,) = [each for each in decision.status.conditions if each.type == "Ready"]
        assert (ready.reason, decision.actions) == ("TargetClaimed", ())


SERVES = {
    "metadata": {"labels": {"app": "podinfo"}},
    "spec": {"containers": [{"name": "podinfod", "image": "a:1"}]},
}


class TestBirthOfThePrimary:
    def initializing(self, **changes: Any) -> Observation:
        held = target(NEWER, replicas=2, hold=HELD)
        return observation(
            canary(Phase.INITIALIZING), **({"target": held, "primary": None, "route": None} | changes)
        )

    def test_it_runs_what_serves_and_not_what_was_just_applied(self) -> None:
        assert unsettled(self.initializing())
        decision = decide(self.initializing(serving=Serving(SERVES, ready=2)))
        (made,) = [action.manifest for action in decision.actions if not isinstance(action, Patch)][-1:]  # type: ignore[union-attr] # a Create
        assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "a:1"
        assert made["metadata"]["annotations"]["pinfeather.dev/revision"] == template_hash(SERVES)

    def test_where_nothing_serves_what_may_mend_it_is_let_go(self) -> None:
        assert lifts(decide(self.initializing(serving=Serving(SERVES, ready=0))))

    def test_what_serves_is_the_replicaset_with_most_ready_pods(self) -> None:
        def replicaset(image: str, ready: int, uid: str = "uid-podinfo") -> dict[str, Any]:
            labels = {"app": "podinfo", "pod-template-hash": image}
            template = {"metadata": {"labels": labels}, "spec": {"containers": [{"image": image}]}}
            owner = {"uid": uid, "controller": True}
            return {
                "metadata": {"name": image, "ownerReferences": [owner]},
                "spec": {"template": template},
                "status": {"readyReplicas": ready},
            }

        sets = [replicaset("a", 1), replicaset("b", 2), replicaset("c", 9, uid="other")]
        found = serving(target(), sets)
        assert found is not None and found.ready == 2
        assert found.template == {
            "metadata": {"labels": {"app": "podinfo"}},
            "spec": {"containers": [{"image": "b"}]},
        }
        assert serving(target(), []) is None


def test_who_started_a_rollout_is_told_with_it() -> None:
    who = Rollout(NEW, "alice", NOW, {"podinfod": ("podinfo:1", "podinfo:2"), "log": ("", "log:1")})
    told = [event.message for event in decide(observation(target=target(NEW, rollout=who))).events]
    assert told == [
        "Rollout started by alice: log (none) -> log:1, podinfod podinfo:1 -> podinfo:2",
        "New revision detected! Scaling up podinfo.test",
    ]
    stale = decide(observation(target=target(NEWER, rollout=who))).events
    assert [event.message for event in stale] == ["New revision detected! Scaling up podinfo.test"]


def test_marks_are_read_off_the_deployment() -> None:
    obj = deployment(replicas=2)
    obj["spec"]["paused"] = True
    obj["metadata"]["annotations"] = {
        HOLD_ANNOTATION: render(HELD),
        GIVEN_REPLICAS_ANNOTATION: "2",
        "pinfeather.dev/asked-replicas": "five",
    }
    seen = workload(obj)
    assert (seen.canary, seen.hold, seen.runs, seen.given, seen.asked) == ("podinfo", HELD, NEW, 2, None)
    obj["metadata"]["annotations"] = {HOLD_ANNOTATION: "?"}
    assert workload(obj).runs == ""
