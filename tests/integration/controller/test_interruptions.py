"""Killed after any write, refused or cut off at any write: the end is the same, and nothing wrong
happens on the way.

Simulated, one run for each write of a promotion and of a rollback, from the birth of the Canary on.
"""

from collections.abc import Callable
from typing import Any

import pytest

from shared.types.meta import Json
from tests.integration.controller.objects import FIRST, METRICS, SECOND, image
from tests.integration.controller.simulated import Plan, Simulation, run
from tests.integration.controller.tap import Fault, Faults, every, only

ANALYSIS: Json = {
    "interval": "10s",
    "threshold": 2,
    "stepWeight": 20,
    "maxWeight": 40,
    "metrics": METRICS[:1],
}
LONG_AFTER = 120.0
"""Seconds after which nothing happens any more."""

Outcome = tuple[dict[tuple[str, str], Any], int]
"""What is there in the end, and how many writes led there."""


async def rollout(sim: Simulation, *, good: bool) -> Outcome:
    """From nothing to the end of the first rollout, and well beyond it."""
    world = sim.world
    await world.start()
    await world.bootstrap(analysis=ANALYSIS)
    sim.metrics.value = 100.0 if good else 0.0
    await world.set_image(SECOND)
    await world.reached("Succeeded" if good else "Failed")
    await world.rest(LONG_AFTER)
    return end_of(sim), world.record.tried


async def promotion(sim: Simulation) -> Outcome:
    return await rollout(sim, good=True)


async def rollback(sim: Simulation) -> Outcome:
    return await rollout(sim, good=False)


def end_of(sim: Simulation) -> dict[tuple[str, str], Any]:
    """Everything that is there in the end, without what differs from run to run."""
    found: dict[tuple[str, str], Any] = {}
    for (plural, name), obj in sim.world.feed.state.items():
        match plural:
            case "events":
                continue
            case "canaries":
                status = {key: value for key, value in obj["status"].items() if key != "lastTransitionTime"}
                status["conditions"] = [
                    (each["type"], each["status"], each["reason"])
                    for each in status["conditions"]
                    if each["type"] == "Promoted"
                ]
                found[plural, name] = status
            case "endpointslices":
                found[plural, name] = len(obj["endpoints"])
            case _:
                metadata = {
                    key: obj["metadata"].get(key) for key in ("labels", "annotations", "ownerReferences")
                }
                found[plural, name] = [metadata, obj["spec"]]
    return found


STORIES = [promotion, rollback]


@pytest.fixture(params=STORIES, ids=[story.__name__ for story in STORIES])
def story(request: pytest.FixtureRequest) -> Callable[[Simulation], Any]:
    """Each of the stories."""
    chosen: Callable[[Simulation], Any] = request.param
    return chosen


def undisturbed(story: Callable[[Simulation], Any]) -> Outcome:
    """How it ends when nothing goes wrong."""
    outcome: Outcome = run(story)
    return outcome


def ends_like_the_undisturbed_one(story: Callable[[Simulation], Any], faults: list[Faults]) -> None:
    expected, _ = undisturbed(story)
    for number, plan in enumerate(faults, 1):
        found, _ = run(story, Plan(faults=plan))
        assert found == expected, f"fault {number} of {len(faults)}"


def test_the_stories_end_as_they_should() -> None:
    promoted, _ = undisturbed(promotion)
    assert promoted["canaries", "podinfo"]["phase"] == "Succeeded"
    assert promoted["deployments", "podinfo-primary"][1]["template"]["spec"]["containers"][0][
        "image"
    ] == image(SECOND)
    rolled_back, _ = undisturbed(rollback)
    assert rolled_back["canaries", "podinfo"]["phase"] == "Failed"
    assert rolled_back["deployments", "podinfo-primary"][1]["template"]["spec"]["containers"][0][
        "image"
    ] == image(FIRST)


@pytest.mark.parametrize("fault", list(Fault))
def test_one_interruption_at_any_write_changes_nothing_in_the_end(
    story: Callable[[Simulation], Any], fault: Fault
) -> None:
    _, writes = undisturbed(story)
    ends_like_the_undisturbed_one(story, [only(number, fault) for number in range(1, writes + 1)])


@pytest.mark.parametrize("fault", list(Fault))
def test_interruptions_at_every_kth_write_change_nothing_in_the_end(
    story: Callable[[Simulation], Any], fault: Fault
) -> None:
    ends_like_the_undisturbed_one(story, [every(number, fault) for number in range(2, 12)])
