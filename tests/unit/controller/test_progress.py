"""A revision from its detection to Succeeded or Failed, one decision at a time."""

from dataclasses import replace
from typing import Any

import pytest

from controller.decide import decide
from controller.decision import Create, Decision, EventType, Patch, RunChecks, Scale
from controller.observation import (
    Check,
    CheckKind,
    Elapsed,
    Endpoints,
    Failure,
    Observation,
    Result,
    Round,
)
from controller.projections import manifest
from controller.rounds_plan import round_id
from shared.types.canary import Canary, Phase
from tests.builders import NEW, NEWER, OLD, canary, observation, primary, route, target

BOTH = Endpoints(primary=2, canary=2)
LATER = Elapsed(analysis=10.0, fresh=False, route=10.0)
SUCCESS_RATE = {
    "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}]
}
PRE_ROLLOUT = {"webhooks": [{"name": "smoke", "type": "pre-rollout", "url": "http://tester.test/"}]}


def analysing(weight: int = 0, *, of: Canary | None = None, **changes: Any) -> Observation:
    """NEW under analysis at that weight, canary and primary ready, the interval over."""
    running = of or canary(Phase.PROGRESSING, status={"lastAppliedSpec": NEW, "canaryWeight": weight})
    seen = observation(running, target=target(NEW, replicas=2), endpoints=BOTH, elapsed=LATER)
    return replace(with_services(seen), **changes)


def with_services(seen: Observation) -> Observation:
    """With the generated Services as our own writes leave them."""
    built = {}
    for action in decide(replace(seen, services={})).actions:
        if isinstance(action, Create) and action.resource.plural == "services":
            body = {
                **action.manifest,
                "metadata": {**action.manifest["metadata"], "uid": "s", "resourceVersion": "1"},
            }
            built[body["metadata"]["name"]] = manifest(body)
    return replace(seen, services=built)


def measured(seen: Observation, *values: float | Failure) -> Observation:
    """With a finished round: one value or failure for each metric, in order."""
    results = []
    for index, value in enumerate(values):
        check = Check(CheckKind.METRIC, index, seen.canary.spec.analysis.metrics[index].name)
        if isinstance(value, Failure):
            results.append(Result(check, failure=value, message="for a reason"))
        else:
            results.append(Result(check, value=value))
    return replace(seen, round=Round(round_id(seen), done=True, results=tuple(results)))


def routed(decision: Decision) -> int | None:
    """The canary weight that the decision writes to the route; None when it leaves the route alone."""
    for action in decision.actions:
        if isinstance(action, Patch) and action.resource.plural == "traefikservices":
            services = action.body["spec"]["weighted"]["services"]
            return sum(int(s["weight"]) for s in services if s["name"].endswith("-canary"))
    return None


def texts(decision: Decision) -> list[str]:
    return [event.message for event in decision.events]


def scaled(decision: Decision) -> list[Scale]:
    return [action for action in decision.actions if isinstance(action, Scale)]


def test_a_new_revision_is_scaled_up_at_weight_zero() -> None:
    decision = decide(with_services(observation(target=target(NEW))))
    assert decision.status.phase is Phase.PROGRESSING
    assert decision.status.last_applied_spec == NEW
    assert scaled(decision) == [Scale("podinfo", 2)]
    assert texts(decision) == ["New revision detected! Scaling up podinfo.test"]
    assert routed(decision) is None


def test_the_canary_gets_nothing_before_its_pods_are_ready() -> None:
    decision = decide(analysing(target=target(NEW, replicas=2, ready=False), endpoints=Endpoints(2, 0)))
    assert decision.status.canary_weight == 0
    assert routed(decision) is None


def test_pre_rollout_hooks_are_asked_before_the_first_traffic() -> None:
    of = canary(Phase.PROGRESSING, analysis=PRE_ROLLOUT, status={"lastAppliedSpec": NEW})
    seen = analysing(of=of)
    [ask] = [a for a in decide(seen).actions if isinstance(a, RunChecks)]
    assert [check.kind for check in ask.checks] == [CheckKind.PRE_ROLLOUT]
    passed = replace(seen, round=Round(ask.id, done=True, results=(Result(ask.checks[0]),)))
    decision = decide(passed)
    assert routed(decision) == decision.status.canary_weight == 10
    assert texts(decision) == [
        "Starting canary analysis for podinfo.test",
        "Pre-rollout check smoke passed",
        "Advance podinfo.test canary weight 10",
    ]


def test_a_healthy_canary_advances_by_one_step() -> None:
    of = canary(Phase.PROGRESSING, analysis=SUCCESS_RATE, status={"lastAppliedSpec": NEW, "canaryWeight": 20})
    decision = decide(measured(analysing(of=of), 99.5))
    assert routed(decision) == decision.status.canary_weight == 30
    assert decision.judged


def test_a_round_asked_at_another_weight_counts_for_nothing() -> None:
    of = canary(Phase.PROGRESSING, analysis=SUCCESS_RATE, status={"lastAppliedSpec": NEW, "canaryWeight": 20})
    stale = measured(analysing(of=of), 99.5)
    assert stale.round is not None
    stale = replace(stale, round=replace(stale.round, id=replace(stale.round.id, weight=10)))
    decision = decide(stale)
    assert decision.status.canary_weight == 20
    assert [a for a in decision.actions if isinstance(a, RunChecks)]


def test_nothing_is_asked_before_the_interval_is_over() -> None:
    decision = decide(analysing(10, elapsed=Elapsed(analysis=4.0, fresh=False, route=4.0)))
    assert decision.actions == ()
    assert decision.requeue_after == pytest.approx(6.0)


@pytest.mark.parametrize("bad", [98.9, Failure.NO_DATA, Failure.UNAVAILABLE, Failure.MANY_SERIES])
def test_a_bad_or_missing_measurement_halts_and_is_counted(bad: float | Failure) -> None:
    of = canary(Phase.PROGRESSING, analysis=SUCCESS_RATE, status={"lastAppliedSpec": NEW, "canaryWeight": 20})
    decision = decide(measured(analysing(of=of), bad))
    assert (decision.status.canary_weight, decision.status.failed_checks) == (20, 1)
    assert routed(decision) is None
    assert decision.events[0].type is EventType.WARNING


def test_the_check_that_reaches_the_threshold_rolls_back_in_the_same_pass() -> None:
    of = canary(
        Phase.PROGRESSING,
        analysis=SUCCESS_RATE,
        status={"lastAppliedSpec": NEW, "canaryWeight": 20, "failedChecks": 2},
    )
    decision = decide(measured(analysing(of=of), 53.42))
    assert decision.status.phase is Phase.FAILED
    assert routed(decision) == decision.status.canary_weight == 0
    assert texts(decision) == [
        "Halt podinfo.test advancement success rate 53.42% < 99%",
        "Rolling back podinfo.test failed checks threshold reached 3",
    ]
    assert scaled(decision) == []


def test_after_a_rollback_the_pods_stay_until_traefik_let_go_of_them() -> None:
    of = canary(Phase.FAILED, status={"lastAppliedSpec": NEW})
    seen = analysing(of=of, elapsed=Elapsed(route=1.0))
    assert scaled(decide(seen)) == []
    down = decide(replace(seen, elapsed=Elapsed(route=3.0)))
    assert scaled(down) == [Scale("podinfo", 0)]
    assert texts(down) == ["Canary failed! Scaling down podinfo.test"]


def test_a_canary_that_loses_its_last_endpoint_leaves_the_route_at_once() -> None:
    decision = decide(analysing(30, endpoints=Endpoints(2, 0), elapsed=Elapsed(analysis=1.0, fresh=False)))
    assert routed(decision) == decision.status.canary_weight == 0
    assert decision.status.failed_checks == 1


def test_a_revision_that_lands_mid_analysis_takes_the_canary_out_of_the_route() -> None:
    decision = decide(analysing(30, target=target(NEWER, replicas=2)))
    assert routed(decision) == decision.status.canary_weight == 0
    assert decision.status.last_applied_spec == NEWER
    assert texts(decision) == ["New revision detected! Restarting analysis for podinfo.test"]


def test_going_back_to_the_promoted_revision_ends_the_analysis() -> None:
    decision = decide(analysing(30, target=target(OLD, replicas=2)))
    assert routed(decision) == 0
    assert decision.status.phase is Phase.SUCCEEDED
    assert decision.status.last_applied_spec == decision.status.last_promoted_spec == OLD


def test_a_canary_that_never_gets_ready_is_rolled_back_at_the_deadline() -> None:
    unready = analysing(target=target(NEW, replicas=2, ready=False), endpoints=Endpoints(2, 0))
    waiting = decide(replace(unready, elapsed=Elapsed(canary_unready=59.0)))
    assert waiting.status.phase is Phase.PROGRESSING
    assert waiting.requeue_after is not None and waiting.requeue_after <= 1.0
    assert decide(replace(unready, elapsed=Elapsed(canary_unready=60.0))).status.phase is Phase.FAILED


def test_the_last_step_leads_to_promotion_with_the_canary_still_serving() -> None:
    decision = decide(analysing(50))
    assert decision.status.phase is Phase.PROMOTING
    assert decision.status.canary_weight == 50
    assert not [a for a in decision.actions if isinstance(a, Patch)]


def promoting(**changes: Any) -> Observation:
    of = canary(Phase.PROMOTING, status={"lastAppliedSpec": NEW, "canaryWeight": 50})
    return analysing(of=of, **changes)


def test_promotion_copies_the_analysed_template() -> None:
    decision = decide(promoting())
    [patch] = [a for a in decision.actions if isinstance(a, Patch)]
    assert patch.name == "podinfo-primary"
    assert texts(decision) == ["Copying podinfo.test template spec to podinfo-primary.test"]
    assert decision.status.phase is Phase.PROMOTING


def test_a_template_that_is_not_the_analysed_one_is_never_promoted() -> None:
    decision = decide(promoting(target=target(NEWER, replicas=2)))
    assert not [a for a in decision.actions if isinstance(a, Patch) and a.name == "podinfo-primary"]
    assert decision.status.phase is Phase.PROGRESSING
    assert decision.status.last_applied_spec == NEWER
    assert routed(decision) == 0


def test_a_template_that_lands_after_the_copy_is_cut_off_and_waits_its_turn() -> None:
    decision = decide(promoting(primary=primary(NEW, ready=False), target=target(NEWER, replicas=2)))
    assert routed(decision) == decision.status.canary_weight == 0
    assert decision.status.phase is Phase.PROMOTING
    assert decision.status.last_applied_spec == NEW


def test_traffic_returns_to_the_primary_once_it_runs_the_new_revision() -> None:
    decision = decide(promoting(primary=primary(NEW)))
    assert decision.status.phase is Phase.FINALISING
    assert routed(decision) == 0
    assert scaled(decision) == []


def test_finalising_scales_down_after_the_drain_and_succeeds() -> None:
    of = canary(Phase.FINALISING, status={"lastAppliedSpec": NEW})
    seen = analysing(of=of, primary=primary(NEW), elapsed=Elapsed(route=1.0))
    assert decide(seen).status.phase is Phase.FINALISING
    done = decide(replace(seen, elapsed=Elapsed(route=3.0)))
    assert done.status.phase is Phase.SUCCEEDED
    assert done.status.last_promoted_spec == NEW
    assert scaled(done) == [Scale("podinfo", 0)]
    assert texts(done) == ["Promotion completed! Scaling down podinfo.test"]


def test_a_primary_that_never_gets_ready_leaves_the_canary_serving() -> None:
    stuck = promoting(primary=primary(NEW, ready=False), elapsed=Elapsed(primary_unready=61.0, route=61.0))
    decision = decide(stuck)
    assert decision.status.phase is Phase.PROMOTING
    assert decision.status.canary_weight == 50
    [ready] = [c for c in decision.status.conditions if c.type == "Ready"]
    assert ready.reason == "PrimaryNotReady"


def test_a_newer_revision_is_analysed_although_the_primary_is_stuck() -> None:
    stuck = replace(
        analysing(of=canary(Phase.PROMOTING, status={"lastAppliedSpec": NEW})),
        primary=primary(NEW, ready=False),
        target=target(NEWER, replicas=2),
        elapsed=Elapsed(primary_unready=61.0, route=61.0),
    )
    assert decide(stuck).status.last_applied_spec == NEWER


def test_a_dead_primary_hands_everything_to_a_canary_that_serves() -> None:
    decision = decide(analysing(30, endpoints=Endpoints(0, 2), elapsed=Elapsed(analysis=1.0, fresh=False)))
    assert routed(decision) == 100


def test_a_failed_analysis_does_not_hand_users_to_a_dead_primary() -> None:
    of = canary(
        Phase.PROGRESSING,
        analysis=SUCCESS_RATE,
        status={"lastAppliedSpec": NEW, "canaryWeight": 20, "failedChecks": 2},
    )
    decision = decide(measured(replace(analysing(of=of), endpoints=Endpoints(0, 2)), 50.0))
    assert decision.status.phase is Phase.PROGRESSING
    assert routed(decision) == 100


def test_a_drifted_route_is_put_back_to_the_weight_of_the_status() -> None:
    decision = decide(analysing(20, route=route(50), elapsed=Elapsed(analysis=1.0, fresh=False)))
    assert routed(decision) == 20
    assert decision.status.canary_weight == 20


def test_skip_analysis_promotes_as_soon_as_the_canary_is_ready() -> None:
    of = canary(Phase.PROGRESSING, status={"lastAppliedSpec": NEW}, skipAnalysis=True)
    assert decide(analysing(of=of)).status.phase is Phase.PROMOTING


def test_a_suspended_canary_starts_nothing() -> None:
    decision = decide(with_services(observation(canary(suspend=True), target=target(NEW))))
    assert decision.actions == ()
    assert decision.status.phase is Phase.SUCCEEDED
    assert texts(decision) == ["skipping canary run as object is suspended"]


def test_replicas_that_somebody_gives_the_resting_target_are_taken_back() -> None:
    idle = with_services(observation(target=target(OLD, replicas=2), elapsed=Elapsed(route=60.0)))
    assert scaled(decide(idle)) == [Scale("podinfo", 0)]


def test_the_target_keeps_its_pods_while_the_primary_has_none() -> None:
    idle = with_services(observation(target=target(OLD, replicas=2), elapsed=Elapsed(route=60.0)))
    assert scaled(decide(replace(idle, endpoints=Endpoints(0, 2)))) == []


def test_a_gate_before_promotion_keeps_weight_and_analysis() -> None:
    gate = {"webhooks": [{"name": "yes", "type": "confirm-promotion", "url": "http://tester.test/"}]}
    of = canary(Phase.PROGRESSING, analysis=gate, status={"lastAppliedSpec": NEW, "canaryWeight": 50})
    seen = analysing(of=of)
    closed = Result(
        Check(CheckKind.CONFIRM_PROMOTION, 0, "yes"), failure=Failure.REFUSED, message="status 403"
    )
    decision = decide(replace(seen, round=Round(round_id(seen), done=True, results=(closed,))))
    assert decision.status.phase is Phase.WAITING_PROMOTION
    assert decision.status.canary_weight == 50
    assert routed(decision) is None


def test_strategies_that_are_not_supported_are_refused_by_name() -> None:
    of = canary(Phase.SUCCEEDED, analysis={"stepWeight": None, "iterations": 5})
    decision = decide(with_services(observation(of, target=target(NEW))))
    assert decision.status.phase is Phase.SUCCEEDED
    assert scaled(decision) == []
    [ready] = [c for c in decision.status.conditions if c.type == "Ready"]
    assert ready.reason == "InvalidSpec"


def test_a_quiet_canary_asks_for_nothing() -> None:
    decision = decide(with_services(observation()))
    assert decision.actions == ()
    assert decision.events == ()
    assert decision.requeue_after is None
