"""The next status: Flagger's conditions to the letter, and times that mean something."""

from datetime import timedelta

import pytest

from controller import status as statuses
from shared.types.canary import CanaryStatus, Condition, Phase
from tests.builders import NOW, canary

LATER = NOW + timedelta(minutes=5)


def promoted(status: CanaryStatus) -> Condition:
    """The condition Promoted."""
    found = statuses.condition(status, "Promoted")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("phase", "value", "message"),
    [
        ("Initializing", "Unknown", "New Deployment detected, starting initialization."),
        ("Initialized", "True", "Deployment initialization completed."),
        ("Waiting", "Unknown", "Waiting for approval."),
        ("WaitingPromotion", "Unknown", "Waiting for approval."),
        ("Progressing", "Unknown", "New revision detected, progressing canary analysis."),
        ("Promoting", "Unknown", "Canary analysis completed, starting primary rolling update."),
        ("Finalising", "Unknown", "Canary analysis completed, routing all traffic to primary."),
        ("Succeeded", "True", "Canary analysis completed successfully, promotion finished."),
        ("Failed", "False", "Canary analysis failed, Deployment scaled to zero."),
        ("Terminating", "Unknown", "New Deployment detected, starting initialization."),
    ],
)
def test_each_phase_has_flaggers_condition(phase: str, value: str, message: str) -> None:
    status = statuses.enter(canary(Phase.NONE), Phase(phase), NOW)
    assert status.phase == phase
    assert status.conditions == (
        Condition(
            type="Promoted",
            status=value,
            reason=phase,
            message=message,
            last_update_time=NOW,
            last_transition_time=NOW,
        ),
    )


@pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.FINALISING, Phase.SUCCEEDED, Phase.FAILED])
def test_phases_without_canary_traffic_have_weight_zero(phase: Phase) -> None:
    running = canary(Phase.PROGRESSING, status={"canaryWeight": 30, "iterations": 2})
    status = statuses.enter(running, phase, NOW)
    assert (status.canary_weight, status.iterations) == (0, 0)


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.WAITING_PROMOTION, Phase.PROMOTING])
def test_phases_with_canary_traffic_keep_the_weight(phase: Phase) -> None:
    running = canary(Phase.PROGRESSING, status={"canaryWeight": 30, "iterations": 2})
    status = statuses.enter(running, phase, NOW)
    assert (status.canary_weight, status.iterations) == (30, 2)


def test_what_the_phase_says_wins() -> None:
    status = statuses.enter(canary(), Phase.FAILED, NOW, canary_weight=100, last_applied_spec="x")
    assert (status.canary_weight, status.last_applied_spec) == (100, "x")


def test_a_condition_changes_its_transition_time_only_with_its_status() -> None:
    first = statuses.enter(canary(), Phase.PROGRESSING, NOW)
    of = canary().model_copy(update={"status": first})
    second = promoted(statuses.enter(of, Phase.PROMOTING, LATER))
    assert (second.last_transition_time, second.last_update_time) == (NOW, LATER)
    third = promoted(statuses.enter(of, Phase.SUCCEEDED, LATER))
    assert (third.last_transition_time, third.last_update_time) == (LATER, LATER)


def test_entering_the_same_phase_again_changes_nothing() -> None:
    first = statuses.enter(canary(), Phase.SUCCEEDED, NOW)
    again = statuses.enter(canary().model_copy(update={"status": first}), Phase.SUCCEEDED, LATER)
    assert again == first


def test_the_transition_time_moves_with_weight_and_failed_checks_but_not_with_the_rest() -> None:
    of = canary(Phase.PROGRESSING, status={"lastTransitionTime": "2026-11-22T20:00:00Z"})
    assert statuses.update(of, LATER, canary_weight=10).last_transition_time == LATER
    assert statuses.update(of, LATER, failed_checks=1).last_transition_time == LATER
    assert statuses.update(of, LATER, last_applied_spec="x").last_transition_time == NOW
    assert statuses.update(of, LATER, canary_weight=0).last_transition_time == NOW


def test_a_status_says_which_generation_it_is_about() -> None:
    of = canary(status={"observedGeneration": 0})
    assert statuses.update(of, NOW).observed_generation == 1
    assert statuses.observed(of.status, of).observed_generation == 1
    seen = statuses.observed(of.status, of)
    assert statuses.observed(seen, of) is seen


def test_times_are_whole_seconds_in_utc() -> None:
    status = statuses.enter(canary(), Phase.PROGRESSING, NOW + timedelta(microseconds=999_999))
    dumped = status.dump()
    assert dumped["lastTransitionTime"] == "2026-11-22T20:00:00Z"
    assert dumped["conditions"][0]["lastUpdateTime"] == "2026-11-22T20:00:00Z"
    assert CanaryStatus.model_validate(dumped) == status


def test_a_problem_shows_in_the_condition_ready() -> None:
    status = statuses.blocked(canary().status, "NotOwned", "podinfo-primary is not ours", NOW)
    ready = statuses.condition(status, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("False", "NotOwned", "podinfo-primary is not ours")
    assert status.last_transition_time == canary().status.last_transition_time


def test_the_same_problem_said_again_is_the_same_status() -> None:
    status = statuses.blocked(canary().status, "NotOwned", "text", NOW)
    assert statuses.blocked(status, "NotOwned", "text", LATER) is status


def test_another_problem_keeps_the_time_since_which_there_is_one() -> None:
    status = statuses.blocked(canary().status, "NotOwned", "text", NOW)
    ready = statuses.condition(statuses.blocked(status, "InvalidSpec", "other", LATER), "Ready")
    assert ready is not None
    assert (ready.last_transition_time, ready.last_update_time) == (NOW, LATER)


def test_a_canary_that_never_had_a_problem_has_no_ready_condition() -> None:
    status = canary().status
    assert statuses.unblocked(status, NOW) is status


def test_a_solved_problem_turns_ready_true_once() -> None:
    solved = statuses.unblocked(statuses.blocked(canary().status, "NotOwned", "text", NOW), LATER)
    ready = statuses.condition(solved, "Ready")
    assert ready is not None and (ready.status, ready.last_transition_time) == ("True", LATER)
    assert statuses.unblocked(solved, LATER + timedelta(1)) is solved


def test_promoted_comes_first_whatever_else_is_said() -> None:
    blocked = canary().model_copy(update={"status": statuses.blocked(canary().status, "X", "y", NOW)})
    status = statuses.enter(blocked, Phase.SUCCEEDED, NOW)
    assert [each.type for each in status.conditions] == ["Promoted", "Ready"]
