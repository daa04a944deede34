"""Initializing: users are on the primary before the target gives up its pods."""

from dataclasses import replace

from controller.decide import decide
from controller.decision import Create, Patch, Scale
from controller.observation import Elapsed, Endpoints, Observation
from controller.projections import manifest
from shared.types.canary import Phase
from tests.builders import NEW, OLD, canary, observation, primary, route, target


def starting(**changes: object) -> Observation:
    """A Canary in Initializing whose target serves with two pods and nothing is generated yet."""
    fresh = canary(Phase.INITIALIZING, status={"lastAppliedSpec": "", "lastPromotedSpec": ""})
    seen = observation(
        fresh, target=target(replicas=2), primary=None, route=None, endpoints=Endpoints(), services={}
    )
    return replace(seen, **changes)  # type: ignore[arg-type]  # the fields of an Observation


def test_a_new_canary_is_marked_initializing_and_nothing_is_routed() -> None:
    decision = decide(observation(canary(Phase.NONE), route=None, primary=None))
    assert decision.status.phase is Phase.INITIALIZING
    assert decision.actions == ()


def test_the_primary_is_created_from_the_target_and_the_target_keeps_its_pods() -> None:
    decision = decide(starting())
    created = {a.manifest["metadata"]["name"] for a in decision.actions if isinstance(a, Create)}
    assert created == {"podinfo-primary", "podinfo-canary"}
    assert {a.manifest["kind"] for a in decision.actions if isinstance(a, Create)} == {
        "Deployment",
        "Service",
    }
    assert not [a for a in decision.actions if isinstance(a, Scale)]


def test_the_primary_is_not_born_from_a_template_that_does_not_serve_yet() -> None:
    rolling = target(replicas=2, ready=False, first_template=False)
    decision = decide(starting(target=rolling))
    assert decision.actions == ()
    assert decision.reason == "TargetNotReady"


def test_the_apex_and_the_route_wait_for_a_ready_primary() -> None:
    unready = starting(primary=primary(ready=False))
    names = {a.manifest["metadata"]["name"] for a in decide(unready).actions if isinstance(a, Create)}
    assert "podinfo" not in names


def initialized_but_for_the_target(**changes: object) -> Observation:
    seen = starting(primary=primary(), endpoints=Endpoints(primary=2), target=target(replicas=2))
    built: dict[str, object] = {}
    for _ in range(2):  # the Services as our own writes leave them: -primary and -canary first, then the apex
        for action in decide(replace(seen, services=built)).actions:  # type: ignore[arg-type]
            if isinstance(action, Create) and action.resource.plural == "services":
                body = {
                    **action.manifest,
                    "metadata": {**action.manifest["metadata"], "uid": "s", "resourceVersion": "1"},
                }
                built[body["metadata"]["name"]] = manifest(body)
    return replace(seen, services=built, **changes)  # type: ignore[arg-type]


def test_users_are_routed_to_the_ready_primary_while_the_target_still_runs() -> None:
    decision = decide(initialized_but_for_the_target())
    [create] = [a for a in decision.actions if isinstance(a, Create)]
    assert create.manifest["kind"] == "TraefikService"
    assert [s["name"] for s in create.manifest["spec"]["weighted"]["services"]] == ["podinfo-primary"]
    assert not [a for a in decision.actions if isinstance(a, Scale)]


def test_the_target_is_scaled_down_only_after_traefik_had_time_to_follow() -> None:
    seen = initialized_but_for_the_target(route=route(0))
    soon = decide(replace(seen, elapsed=Elapsed(route=1.0)))
    assert soon.actions == ()
    assert soon.requeue_after is not None and 0 < soon.requeue_after <= 2.0
    done = decide(replace(seen, elapsed=Elapsed(route=3.0)))
    assert done.status.phase is Phase.INITIALIZED
    assert done.actions == (Scale("podinfo", 0),)
    assert done.status.last_promoted_spec == done.status.last_applied_spec == OLD
    assert done.events[0].message == "Initialization done! podinfo.test"


def test_a_template_that_lands_while_initializing_is_analysed_afterwards() -> None:
    changed = initialized_but_for_the_target(
        route=route(0), elapsed=Elapsed(route=3.0), target=target(NEW, replicas=2)
    )
    done = decide(changed)
    assert done.status.phase is Phase.INITIALIZED
    assert done.status.last_promoted_spec == OLD
    assert not [a for a in done.actions if isinstance(a, Scale)]
    started = decide(replace(changed, canary=changed.canary.model_copy(update={"status": done.status})))
    assert started.status.phase is Phase.PROGRESSING
    assert started.status.last_applied_spec == NEW


def test_who_scales_the_application_up_before_users_are_on_the_primary_means_both() -> None:
    seen = initialized_but_for_the_target(route=route(0), elapsed=Elapsed(route=3.0))
    grown = decide(replace(seen, target=target(replicas=10)))
    assert grown.status.phase is Phase.INITIALIZING
    (patch,) = grown.actions
    assert isinstance(patch, Patch) and patch.name == "podinfo-primary"
    assert patch.body == {"metadata": {"resourceVersion": "5"}, "spec": {"replicas": 10}}
    ref = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    scaled = canary(Phase.INITIALIZING, status={"lastAppliedSpec": ""}, autoscalerRef=ref)
    metadata = {"name": "podinfo", "namespace": "test", "uid": "h", "resourceVersion": "1"}
    body = {"metadata": metadata, "spec": {"scaleTargetRef": {"name": "podinfo"}}}
    decision = decide(replace(seen, canary=scaled, autoscaler=manifest(body), target=target(replicas=10)))
    assert not [a for a in decision.actions if isinstance(a, Patch) and a.name == "podinfo-primary"]


def test_a_missing_target_is_said_in_a_condition_and_once_in_an_event() -> None:
    seen = starting(target=None)
    first = decide(seen)
    [ready] = [c for c in first.status.conditions if c.type == "Ready"]
    assert (ready.status, ready.reason) == ("False", "TargetNotFound")
    assert len(first.events) == 1
    again = decide(replace(seen, canary=seen.canary.model_copy(update={"status": first.status})))
    assert again.events == ()
    assert again.status == first.status


def test_without_traefiks_crds_the_canary_says_what_to_install() -> None:
    seen = initialized_but_for_the_target()
    decision = decide(replace(seen, options=replace(seen.options, traefik_services=None)))
    [ready] = [c for c in decision.status.conditions if c.type == "Ready"]
    assert ready.reason == "TraefikNotInstalled"
    assert "install Traefik's CRDs" in ready.message


def test_patches_of_existing_objects_name_the_version_they_were_made_for() -> None:
    seen = initialized_but_for_the_target(route=route(10))
    patches = [a for a in decide(seen).actions if isinstance(a, Patch)]
    assert patches
    assert all(patch.body["metadata"]["resourceVersion"] for patch in patches)
