"""A scenario is judged by its end, its events, its weights and its users."""

import pytest

from sandbox.demo.judge import judge
from sandbox.demo.pace import FAST
from sandbox.demo.scenarios import (
    BOOTSTRAP,
    CUSTOM_METRIC,
    HAND_EDITS,
    HOLD,
    PROMOTION,
    REFUSAL,
    ROLLBACK,
    STORY,
    Scenario,
)
from sandbox.demo.show import PhaseSeen
from shared.types.status import Phase
from tests.unit.sandbox.demo.acts import played, show_of

WEIGHTS = {
    REFUSAL: (),
    BOOTSTRAP: (),
    PROMOTION: FAST.steps,
    HOLD: (10, 20, 0, *FAST.steps),
    HAND_EDITS: (),
    ROLLBACK: (10, 20),
    CUSTOM_METRIC: (10, 20, 30),
}


@pytest.mark.parametrize("scenario", STORY, ids=lambda scenario: scenario.name)
def test_a_scenario_that_goes_as_told_is_well(scenario: Scenario) -> None:
    assert judge(played(scenario, WEIGHTS[scenario]), FAST) == ()


def test_a_scenario_that_never_began_names_what_is_missing() -> None:
    act = show_of(PROMOTION).begin(PROMOTION)
    ended, told, weights, users = judge(act, FAST)
    assert ended == "the Canary should have ended Succeeded, and is where it was"
    assert "New revision detected!" in told
    assert weights == "the canary's weights should have been 10, 20, 30, 40, 50 and then 0, and were none"
    assert users == "users should be on version 4.0.6, and the last 10 answers came from none"


def test_another_end_is_a_problem() -> None:
    act = played(PROMOTION, FAST.steps)
    act.phases[-1] = PhaseSeen(act.phases[-1].at, Phase.FAILED)
    assert judge(act, FAST) == ("the Canary should have ended Succeeded, and is Failed",)


def test_events_in_another_order_are_a_problem() -> None:
    act = played(ROLLBACK, (10, 20))
    act.events.reverse()
    (problem,) = judge(act, FAST)
    assert problem.startswith('no event says "Starting canary analysis for podinfo.test"')


@pytest.mark.parametrize("weights", [(), (20, 30), (10, 30), (10, 20, 10)])
def test_weights_that_do_not_rise_by_the_steps_are_a_problem(weights: tuple[int, ...]) -> None:
    (problem,) = judge(played(ROLLBACK, weights), FAST)
    assert problem.startswith("the canary's weights should have been steps of 10 and then 0")


def test_a_promotion_has_to_take_every_step() -> None:
    (problem,) = judge(played(PROMOTION, FAST.steps[:-1]), FAST)
    assert problem.endswith("10, 20, 30, 40, 50 and then 0, and were 10, 20, 30, 40, 0")


@pytest.mark.parametrize("weights", [FAST.steps, (10, 20, 0, 10), (0, *FAST.steps), (10, 20, *FAST.steps)])
def test_a_release_that_was_held_climbs_again_from_nothing(weights: tuple[int, ...]) -> None:
    problem, *_ = judge(played(HOLD, weights), FAST)
    assert problem.startswith(
        "the canary's weights should have been steps of 10 and then 0, 10, 20, 30, 40, 50 and then 0"
    )


def test_an_answer_of_a_revision_before_its_turn_is_a_problem() -> None:
    show = show_of(HOLD)
    act = show.begin(HOLD)
    for share in (0, 10, 20, 0):
        show.see_route(share)
        show.user_answered(200, "4.0.7")
    assert act.users.early == 1, "the one before the first climb"
    show.user_answered(200, "4.0.8")
    show.user_answered(200, "4.0.6")
    assert act.users.early == 2
    show.see_route(10)
    show.user_answered(200, "4.0.8")
    assert act.users.early == 2
    assert "2 requests of users were answered by a revision before its turn" in judge(act, FAST)


def test_a_canary_that_should_have_stayed_where_it_was_is_a_problem() -> None:
    act = played(HAND_EDITS, ())
    act.phases.append(PhaseSeen(act.started, Phase.PROGRESSING))
    assert judge(act, FAST) == ("the Canary should have stayed where it was, and is Progressing",)


def test_weights_before_there_is_a_canary_are_a_problem() -> None:
    (problem,) = judge(played(BOOTSTRAP, (10,)), FAST)
    assert problem == "no weight should have changed, and they were 10, 0"


def test_each_failed_request_of_a_user_is_a_problem() -> None:
    act = played(PROMOTION, FAST.steps)
    act.users.answered(503, "")
    act.users.unanswered()
    assert judge(act, FAST) == ("2 of 12 requests of users failed",)


def test_users_on_another_version_are_a_problem() -> None:
    act = played(ROLLBACK, (10, 20))
    act.users.answered(200, "4.0.9")
    assert judge(act, FAST) == (
        "users should be on version 4.0.8, and the last 10 answers came from 4.0.8 and 4.0.9",
    )
