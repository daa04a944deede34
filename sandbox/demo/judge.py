"""Did a scenario end as it should? Pure: an act and a pace in, sentences about what is wrong out."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from sandbox.demo.pace import Pace
from sandbox.demo.scenarios import Scenario
from sandbox.demo.show import RECENT, Act, EventSeen, WeightSeen
from shared.types.status import Phase


def judge(act: Act, pace: Pace) -> tuple[str, ...]:
    """Everything that is not as it should be; nothing if all is well."""
    return tuple(_problems(act, pace))


def _problems(act: Act, pace: Pace) -> Iterator[str]:
    scenario, users = act.scenario, act.users
    if act.phase is not scenario.ends:
        yield f"the Canary should have ended {scenario.ends}, and is {act.phase or 'where it was'}"
    if missing := _untold(scenario.told, act.events):
        yield f'no event says "{missing}" (in its place among the others)'
    if wrong := _weights(scenario, pace, act.weights):
        yield wrong
    if users.failed:
        yield f"{users.failed} of {users.total} requests of users failed"
    if scenario.serves and set(users.recent) != {scenario.serves}:
        seen = " and ".join(sorted(set(users.recent))) or "none"
        yield f"users should be on version {scenario.serves}, and the last {RECENT} answers came from {seen}"


def _untold(told: tuple[str, ...], events: list[EventSeen]) -> str:
    """The first of the expected texts that does not follow the one before it; empty if all do."""
    messages = iter(events)
    for text in told:
        if not any(fnmatchcase(event.message, text) for event in messages):
            return text
    return ""


def _weights(scenario: Scenario, pace: Pace, seen: list[WeightSeen]) -> str:
    """What is wrong with the weights: they rise by the steps, all of them for a promotion, then fall to 0."""
    weights = tuple(each.weight for each in seen)
    if not scenario.climbs:
        return f"no weight should have changed, and they were {_listed(weights)}" if weights else ""
    *climb, last = weights or (0,)
    whole = scenario.ends is Phase.SUCCEEDED
    steps = pace.steps if whole else pace.steps[: len(climb)]
    if tuple(climb) == steps and climb and last == 0:
        return ""
    wanted = f"{_listed(steps)} and then 0" if whole else f"steps of {pace.step} and then 0"
    return f"the canary's weights should have been {wanted}, and were {_listed(weights)}"


def _listed(weights: tuple[int, ...]) -> str:
    return ", ".join(map(str, weights)) or "none"
