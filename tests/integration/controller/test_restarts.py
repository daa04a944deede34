"""Controllers that come and go: restarts, outages of the API server, two at once; and how much they ask it.

Simulated, but for the last.
"""

import asyncio
from itertools import pairwise

from shared.resources import CANARIES
from tests.integration.controller.conftest import Stage
from tests.integration.controller.objects import APP, METRICS, ROUTES, SECOND, image
from tests.integration.controller.simulated import Plan, Simulation, run
from tests.integration.controller.tap import Fault, every

ANALYSIS = {"interval": "10s", "stepWeight": 20, "maxWeight": 40, "metrics": METRICS[:1]}
TEN_MINUTES = 600.0


async def at_rest(sim: Simulation) -> None:
    """Initialized, and nothing left to do."""
    await sim.world.start()
    await sim.world.bootstrap(analysis=ANALYSIS)
    await sim.world.rest(60)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_restart_at_rest_writes_nothing() -> None:
    async def story(sim: Simulation) -> None:
        await at_rest(sim)
        written = sim.world.record.tried
        await sim.world.stop()
        await sim.world.start()
        await sim.world.rest(TEN_MINUTES)
        assert sim.world.record.tried == written, sim.world.record.writes[written:]

    run(story)


def test_resting_asks_the_api_server_nothing() -> None:
    async def story(sim: Simulation) -> None:
        await at_rest(sim)
        asked = sim.world.record.total
        await sim.world.rest(6 * TEN_MINUTES)
        assert sim.world.record.total == asked, sim.world.record.requests

    run(story)


def test_a_rollout_of_five_steps_takes_25_requests_with_the_intervals_that_people_use() -> None:
    async def story(sim: Simulation) -> None:
        await sim.world.start()
        await sim.world.bootstrap(analysis=ANALYSIS | {"stepWeight": 10, "maxWeight": 50, "metrics": METRICS})
        await sim.world.rest(60)
        asked = sim.world.record.requests.copy()
        await sim.world.set_image(SECOND)
        await sim.world.reached("Succeeded")
        await sim.world.rest(60)
        assert sim.world.record.requests - asked == {
            "PATCH canaries/status": 9,  # Progressing, five steps, Promoting, Finalising, Succeeded
            "PATCH traefikservices": 6,  # five steps and back
            "PATCH deployments": 3,  # the target up, the primary's template, the target down
            "POST events": 7,  # new revision, five steps, promotion
        }

    run(story)


def test_an_api_server_that_is_down_at_the_start_is_waited_for() -> None:
    async def story(sim: Simulation) -> None:
        sim.api.go_down()
        starting = asyncio.create_task(sim.world.start())
        await asyncio.sleep(TEN_MINUTES)
        assert not starting.done()
        sim.api.down = False
        await starting
        await sim.world.bootstrap(analysis=ANALYSIS)

    run(story)


def test_an_api_server_that_goes_down_in_an_analysis_costs_time_and_nothing_else() -> None:
    async def story(sim: Simulation) -> None:
        await at_rest(sim)
        await sim.world.set_image(SECOND)
        await sim.world.weighs(20)
        sim.api.go_down()
        await sim.world.rest(TEN_MINUTES)
        sim.api.down = False
        assert sim.world.view().weight == 20
        back = now()
        await sim.world.reached("Succeeded")
        assert now() - back < 90
        assert sim.world.weights() == [0, 20, 40, 0]

    run(story)


async def two_at_once(sim: Simulation) -> list[int]:
    """A rollout by two controllers; the weights that Traefik was given."""
    await at_rest(sim)
    async with sim.world.another_controller():
        await sim.world.set_image(SECOND)
        await sim.world.reached("Succeeded")
        await sim.world.rest(60)
    assert sim.world.images("podinfo-primary") == [image(SECOND)]
    assert sim.world.phases()[-4:] == ["Progressing", "Promoting", "Finalising", "Succeeded"]
    return sim.world.weights()


def test_a_leader_that_does_not_know_that_it_was_replaced_does_no_harm() -> None:
    assert run(two_at_once) == [0, 20, 40, 0]


def test_two_leaders_that_see_each_others_writes_late_still_keep_to_the_plan() -> None:
    # One sees the other's weight before its status and takes it back for a moment, which is safe.
    assert {0, 20, 40} == set(run(two_at_once, Plan(lag={ROUTES.plural: 0.25, CANARIES.plural: 0.5})))


def test_a_suspended_canary_keeps_its_route() -> None:
    async def story(sim: Simulation) -> None:
        await at_rest(sim)
        await sim.world.set_image(SECOND)
        await sim.world.weighs(20)
        await sim.world.patch(CANARIES, APP, {"spec": {"suspend": True}})
        await sim.world.delete(ROUTES, APP)
        await sim.world.weighs(20)
        await sim.world.rest(TEN_MINUTES)
        assert sim.world.view().weight == 20
        await sim.world.patch(CANARIES, APP, {"spec": {"suspend": False}})
        await sim.world.reached("Succeeded")

    run(story)


def test_a_promotion_by_steps_gives_each_of_them_an_interval() -> None:
    async def story(sim: Simulation) -> list[tuple[int, float]]:
        await sim.world.start()
        plan = {"stepWeight": 50, "maxWeight": 50, "stepWeightPromotion": 20}
        await sim.world.bootstrap(analysis=ANALYSIS | plan)
        await sim.world.set_image(SECOND)
        lasted = []
        for weight in (50, 30, 10, 0):
            await sim.world.weighs(weight)
            lasted.append((weight, now()))
        await sim.world.reached("Succeeded")
        return lasted

    times = run(story)
    assert [weight for weight, _ in times] == [50, 30, 10, 0]
    assert all(later - earlier >= 10 for (_, earlier), (_, later) in pairwise(times[1:]))


async def test_a_controller_that_is_killed_again_and_again_promotes_all_the_same(stage: Stage) -> None:
    stage.world.faults = every(4, Fault.CRASH)
    await stage.world.start()
    await stage.world.bootstrap()
    await stage.world.set_image(SECOND)
    await stage.world.reached("Succeeded")
    await stage.world.feed.until(lambda: stage.world.replicas() == 0)
    assert stage.world.lives > 4
    assert stage.world.images("podinfo-primary") == [image(SECOND)]
    # A step that was routed and not yet known is taken back, and taken again after a round of its own.
    weights = stage.world.weights()
    assert set(weights) == {0, 10, 20} and weights[-2:] == [20, 0]
