"""Builders for the demo's tests: a clock that ticks, and acts that went well."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sandbox.demo.scenarios import Scenario
from sandbox.demo.show import RECENT, Act, Show
from shared.types.status import Phase

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ticking() -> Callable[[], datetime]:
    """A clock that is a second later whenever it is read."""
    now = NOON

    def clock() -> datetime:
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return clock


def show_of(*story: Scenario) -> Show:
    return Show(story, clock=ticking())


def played(scenario: Scenario, weights: tuple[int, ...]) -> Act:
    """The scenario as it should go, with these weights."""
    show = show_of(scenario)
    act = show.begin(scenario)
    for text in scenario.told:
        show.see_event("Normal", text.replace("*", "7"))
    for weight in weights:
        show.see_route(weight)
        show.see_canary(Phase.PROGRESSING, weight)
    if scenario.ends is not None:
        show.see_canary(scenario.ends, 0)
    for _ in range(RECENT):
        show.user_answered(200, scenario.serves)
    return act
