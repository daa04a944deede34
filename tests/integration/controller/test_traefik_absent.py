"""Clusters whose Traefik comes late, goes away, or is an old one: Canaries wait, say why, and go on by
themselves.
"""

from collections.abc import AsyncIterator

import pytest

from shared.cluster import Cluster
from shared.names import TRAEFIK_GROUPS
from shared.resources import CRDS, traefik_services
from tests.integration.controller import objects
from tests.integration.controller.conftest import Stage, install, uninstall
from tests.integration.controller.objects import ROUTES, SECOND, image

OLD_GROUP = TRAEFIK_GROUPS[1]


@pytest.fixture
async def without_traefik(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A World whose cluster serves no TraefikService yet."""
    monkeypatch.setattr("controller.caches.DISCOVERY_INTERVAL", 0.1)
    await stage.world.feed.unfollow(ROUTES)
    await uninstall(stage.world.cluster, objects.traefik_crd())
    yield stage
    await stage.world.stop()
    await remove_old_group(stage.world.cluster)


async def remove_old_group(cluster: Cluster) -> None:
    crds, _ = await cluster.list(CRDS)
    old = objects.traefik_crd(OLD_GROUP)
    if any(crd["metadata"]["name"] == old["metadata"]["name"] for crd in crds):
        await uninstall(cluster, old)


async def test_canaries_wait_for_traefiks_resources_and_go_on_once_they_are_there(
    without_traefik: Stage,
) -> None:
    world = without_traefik.world
    await world.start()
    await world.apply(objects.deployment(world.namespace))
    await world.apply(objects.canary(world.namespace))
    await world.feed.until(lambda: "Ready" in world.conditions())
    assert world.conditions()["Ready"]["reason"] == "TraefikNotInstalled"
    assert world.replicas() == 2, "the users are still on the target"
    await install(world.cluster, objects.traefik_crd())
    await world.feed.follow(ROUTES)
    await world.reached("Initialized")
    assert world.conditions()["Ready"]["status"] == "True"


async def test_a_cluster_that_serves_only_the_old_group_is_served_in_it(without_traefik: Stage) -> None:
    world = without_traefik.world
    await install(world.cluster, objects.traefik_crd(OLD_GROUP))
    await world.feed.follow(traefik_services(OLD_GROUP))
    await world.start()
    await world.bootstrap()
    await world.set_image(SECOND)
    await world.reached("Succeeded")
    assert world.weights() == [0, 10, 20, 0]
    assert world.feed.state[ROUTES.plural, objects.APP]["apiVersion"].startswith(OLD_GROUP)
    await world.check()
    await world.feed.unfollow(traefik_services(OLD_GROUP))


async def test_resources_that_go_away_and_come_back_need_no_restart(stage: Stage) -> None:
    world = stage.world
    await world.start()
    await world.bootstrap()
    world.oracle.grace = 30.0  # nobody can write what is not served
    await world.feed.unfollow(ROUTES)
    await uninstall(world.cluster, objects.traefik_crd())
    await install(world.cluster, objects.traefik_crd())
    await world.feed.follow(ROUTES)
    await world.feed.until(lambda: world.feed.get(ROUTES, objects.APP))
    await world.set_image(SECOND)
    await world.reached("Succeeded")
    assert world.images("podinfo-primary") == [image(SECOND)]
