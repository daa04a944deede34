"""The stories of a Canary, from birth to promotion or rollback, over an API server."""

import asyncio
from typing import Any

import pytest

from tests.integration.controller.conftest import Stage
from tests.integration.controller.objects import ROUTES, SECOND, THIRD, canary, deployment, image
from tests.integration.controller.world import World


async def test_the_primary_takes_the_users_and_only_then_the_target_gives_up_its_pods(stage: Stage) -> None:
    world = stage.world
    await world.start()
    await world.bootstrap()
    assert world.phases()[-2:] == ["Initializing", "Initialized"]
    assert world.images("podinfo-primary") == [image("1.0")]
    assert world.replicas("podinfo-primary") == 2
    assert world.weights() == [0]
    await world.said(f"Initialization done! podinfo.{world.namespace}")


async def test_a_good_revision_is_promoted_step_by_step(stage: Stage) -> None:
    world = stage.world
    await world.start()
    await world.bootstrap()
    await world.set_image(SECOND)
    await world.reached("Succeeded")
    await world.feed.until(lambda: world.replicas() == 0)
    assert world.weights() == [0, 10, 20, 0]
    assert world.images("podinfo-primary") == [image("2.0")]
    assert world.phases()[-5:] == ["Initialized", "Progressing", "Promoting", "Finalising", "Succeeded"]


async def bootstrapped(stage: Stage, **canary: Any) -> World:
    """A World whose Canary is Initialized."""
    await stage.world.start()
    await stage.world.bootstrap(**canary)
    return stage.world


async def test_a_rollout_of_five_steps_takes_25_requests_and_resting_takes_none(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"stepWeight": 10, "maxWeight": 50})
    await world.said(f"Initialization done! podinfo.{world.namespace}")
    before = world.record.total
    await world.set_image(SECOND)
    await world.reached("Succeeded")
    await world.said(f"Promotion completed! Scaling down podinfo.{world.namespace}")
    await world.feed.until(lambda: world.replicas() == 0)
    used = world.record.total
    assert used - before <= 25, dict(world.record.requests)
    await world.rest(1.0)
    assert world.record.total == used


async def test_failing_checks_give_users_back_to_the_primary(stage: Stage) -> None:
    world = await bootstrapped(stage)
    stage.metrics.success_rate = 53.42
    await world.set_image(SECOND)
    await world.reached("Failed")
    await world.feed.until(lambda: world.replicas() == 0)
    assert world.weights() == [0, 10, 0]
    assert world.images("podinfo-primary") == [image("1.0")]
    await world.said(f"Halt podinfo.{world.namespace} advancement success rate 53.42% < 99%")
    await world.said(f"Rolling back podinfo.{world.namespace} failed checks threshold reached 2")
    await world.said(f"Canary failed! Scaling down podinfo.{world.namespace}")


@pytest.mark.parametrize("value", ["NaN", [], [99.9, 99.9]], ids=["nan", "nothing", "many"])
async def test_a_measurement_that_is_none_never_passes(stage: Stage, value: Any) -> None:
    world = await bootstrapped(stage)
    stage.metrics.success_rate = value
    await world.set_image(SECOND)
    await world.reached("Failed")
    assert max(world.weights()) == 10


async def test_a_prometheus_that_is_down_halts_and_is_named(stage: Stage) -> None:
    world = await bootstrapped(stage)
    stage.metrics.down = True
    await world.set_image(SECOND)
    await world.reached("Failed")
    assert any("Prometheus query failed" in text and "503" in text for text in world.events()), world.events()


async def test_a_revision_that_lands_mid_analysis_is_analysed_alone(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"interval": "1s"})
    await world.set_image(SECOND)
    await world.weighs(10)
    await world.set_image(THIRD)
    await world.reached("Succeeded")
    assert world.images("podinfo-primary") == [image("3.0")]
    assert world.weights() == [0, 10, 0, 10, 20, 0]
    await world.said(f"New revision detected! Restarting analysis for podinfo.{world.namespace}")


async def test_a_canary_that_loses_its_pods_is_out_of_the_route_long_before_the_interval(
    stage: Stage,
) -> None:
    world = await bootstrapped(stage, analysis={"interval": "30s"})
    await world.set_image(SECOND)
    await world.weighs(10)
    world.pods.hold("podinfo", SECOND)
    async with asyncio.timeout(5):
        await world.weighs(0)
    assert world.view().phase == "Progressing"


async def test_weights_and_objects_that_others_change_are_put_back(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"interval": "30s"})
    await world.set_image(SECOND)
    await world.weighs(10)
    sticky = {"cookie": {"name": "lb"}}
    services = [{"name": "podinfo-primary", "kind": "Service", "port": 80, "weight": 50}]
    mine = {
        "metadata": {"labels": {"team": "a"}},
        "spec": {"weighted": {"services": services, "sticky": sticky}},
    }
    await world.patch(ROUTES, "podinfo", mine)
    await world.weighs(10)
    kept = world.feed.state["traefikservices", "podinfo"]
    assert kept["spec"]["weighted"]["sticky"] == sticky
    assert kept["metadata"]["labels"]["team"] == "a"
    await world.cluster.delete(ROUTES, "podinfo", world.namespace)
    await world.feed.until(lambda: world.feed.get(ROUTES, "podinfo") not in (None, kept))
    await world.weighs(10)


async def test_replicas_that_gitops_gives_back_are_taken_away(stage: Stage) -> None:
    world = await bootstrapped(stage)
    await world.patch_deployment("podinfo", {"replicas": 2})
    await world.feed.until(lambda: world.replicas() == 0)
    assert world.weights() == [0]


async def test_a_primary_of_somebody_else_is_left_alone_and_the_canary_says_so(stage: Stage) -> None:
    world = stage.world
    await world.start()
    await world.apply(deployment(world.namespace, name="podinfo-primary"))
    await world.apply(deployment(world.namespace))
    await world.apply(canary(world.namespace))
    await world.feed.until(lambda: "Ready" in world.conditions())
    assert world.conditions()["Ready"]["reason"] == "NotOwned"
    assert world.replicas() == 2


async def test_a_missing_target_is_said_and_mended_by_creating_it(stage: Stage) -> None:
    world = stage.world
    await world.start()
    await world.apply(canary(world.namespace))
    await world.feed.until(lambda: "Ready" in world.conditions())
    assert world.conditions()["Ready"]["reason"] == "TargetNotFound"
    await world.apply(deployment(world.namespace))
    await world.reached("Initialized")
    await world.feed.until(lambda: world.conditions()["Ready"]["status"] == "True")
