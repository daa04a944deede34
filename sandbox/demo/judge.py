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
        wanted = f"ended {scenario.ends}" if scenario.ends else "stayed where it was"
        yield f"the Canary should have {wanted}, and is {act.phase or 'where it was'}"
    if missing := _untold(scenario.told, act.events):
        yield f'no event says "{missing}" (in its place among the others)'
    if wrong := _weights(scenario, pace, act.weights):
        yield wrong
    if users.failed:
        yield f"{users.failed} of {users.total} requests of users failed"
    if users.early:
        yield f"{users.early} requests of users were answered by a revision before its turn"
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
    """What is wrong with the weights: in each climb they rise by the steps, and fall to 0 after it. The last
    climb of a promotion takes all steps.
    """
    weights = tuple(each.weight for each in seen)
    if not scenario.turns:
        return f"no weight should have changed, and they were {_listed(weights)}" if weights else ""
    climbs = _climbs(weights)
    whole = scenario.ends is Phase.SUCCEEDED
    if (
        len(climbs) == len(scenario.turns)
        and all(climb and climb == pace.steps[: len(climb)] for climb in climbs)
        and weights[-1] == 0
        and (not whole or climbs[-1] == pace.steps)
    ):
        return ""
    wanted = [f"steps of {pace.step} and then 0"] * len(scenario.turns)
    if whole:
        wanted[-1] = f"{_listed(pace.steps)} and then 0"
    return f"the canary's weights should have been {', '.join(wanted)}, and were {_listed(weights)}"


def _climbs(weights: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The weights between zeros."""
    climbs: list[tuple[int, ...]] = [()]
    for weight in weights:
        climbs[-1:] = [climbs[-1], ()] if weight == 0 else [(*climbs[-1], weight)]
    return climbs[:-1] if climbs[-1] == () else climbs


def _listed(weights: tuple[int, ...]) -> str:
    return ", ".join(map(str, weights)) or "none"
