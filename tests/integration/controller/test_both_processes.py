"""Controller and admission together: what people do to an application with kubectl is a safe rollout."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from admission.__main__ import Admission
from admission.settings import Settings
from shared.cluster import Cluster
from shared.errors import NotFound
from shared.hold import hold_of
from shared.names import CANARY_LABEL, HOLD_ANNOTATION, WEBHOOKS
from shared.resources import CANARIES, DEPLOYMENTS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from shared.types.meta import Json
from tests.integration.controller import objects
from tests.integration.controller.conftest import Stage
from tests.integration.controller.gate import registered
from tests.integration.controller.objects import APP, FIRST, SECOND, THIRD, image
from tests.integration.controller.world import World
from tests.integration.kubectl.command import BINARY, Kubectl
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="kubectl is not installed beside this Python")

PRIMARY = f"{APP}-primary"
WAITS_AT_TEN: Json = {"stepWeights": [10, 50], "interval": "60s"}
_numbers = itertools.count(1)


@dataclass
class Town:
    """A World whose people use kubectl, with admission at the door."""

    world: World
    stage: Stage
    told: Settings
    folder: Path
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _running: "asyncio.Task[None] | None" = None

    async def open(self) -> None:
        """Start admission; return once the API server asks it."""
        self._stop = asyncio.Event()
        ready = asyncio.Event()
        self._running = asyncio.create_task(self._run(ready))
        await ready.wait()

    async def close(self) -> None:
        """End it. The webhooks stay registered."""
        self._stop.set()
        if self._running is not None:
            await self._running

    async def _run(self, ready: asyncio.Event) -> None:
        async with await Cluster.connect(self.stage.kubeconfig) as cluster:
            admission = Admission(self.told, cluster, CollectorRegistry())
            running = asyncio.ensure_future(admission.run(self._stop))
            await eventually(lambda: admission.problem() is None or running.done())
            ready.set()
            await running

    async def kubectl(self, *arguments: str, stdin: Json | None = None, code: int = 0) -> str:
        """What it prints, warnings included."""
        kubectl = Kubectl(self.stage.kubeconfig, self.world.namespace, self.folder)
        ran = await kubectl.run(*arguments, stdin=json.dumps(stdin) if stdin is not None else "")
        assert ran.code == code, ran
        return ran.out + ran.err

    def deployment(self, name: str = APP) -> Json:
        return self.world.feed.state[DEPLOYMENTS.plural, name]

    async def held(self) -> None:
        """Return when the target was seen held."""
        await self.world.feed.until(
            lambda: any(
                change.ref == (DEPLOYMENTS.plural, APP)
                and change.obj is not None
                and hold_of(change.obj["metadata"]) is not None
                for change in self.world.feed.changes
            )
        )


@pytest.fixture
async def town(stage: Stage, tmp_path: Path) -> AsyncIterator[Town]:
    """A Canary at rest at version 1.0, and admission that is asked about all that people do."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    world = stage.world
    told = Settings(
        host="127.0.0.1",
        port=port,
        probe_port=0,
        drain=timedelta(0),
        namespace=f"door-{next(_numbers)}",
        webhook_url=f"https://127.0.0.1:{port}",
        controller_username=f"system:serviceaccount:{world.namespace}:pinfeather-controller",
    )
    made = Town(world, stage, told, tmp_path)
    async with await Cluster.connect(stage.kubeconfig) as admin:
        await made.open()
        await registered(admin)
        await world.start()
        yield made
        for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
            await admin.delete(resource, WEBHOOKS)
        await registered(admin, wanted=False)
        await made.close()


async def at_ten(town: Town) -> None:
    """Version 2.0 is analysed, and has ten percent of the users for a while."""
    await town.world.bootstrap(analysis=WAITS_AT_TEN)
    await town.kubectl("set", "image", f"deployment/{APP}", f"podinfod={image(SECOND)}")
    await town.world.weighs(10)


async def test_an_image_in_the_middle_of_an_analysis_waits_for_its_turn(town: Town) -> None:
    world = town.world
    await at_ten(town)
    printed = await town.kubectl("set", "image", f"deployment/{APP}", f"podinfod={image(THIRD)}")
    assert f"Warning: Canary {world.namespace}/{APP} holds the new template of {APP}" in printed
    await town.held()
    await world.feed.until(lambda: HOLD_ANNOTATION not in world.annotations(DEPLOYMENTS, APP))
    await world.feed.until(lambda: world.pods.live[APP].template == town.deployment()["spec"]["template"])
    assert not town.deployment()["spec"].get("paused")
    await world.said("Rollout started by ")
    # Pods were replaced once users had left: 10, 0, and only later again.
    rolled = [roll for roll in world.pods.rolls if roll.deployment == APP]
    left = [
        change.at
        for change in world.feed.changes
        if change.ref == ("traefikservices", APP)
        and change.obj is not None
        and len(change.obj["spec"]["weighted"]["services"]) == 1
    ]
    assert rolled and rolled[-1].at >= left[-1] + world.answers.drain


async def test_what_gitops_applies_again_and_again_sizes_the_primary_alone(town: Town) -> None:
    world = town.world
    await world.bootstrap()
    manifest = objects.deployment(world.namespace, FIRST, replicas=3)
    for arguments in (["apply", "-f", "-"], ["apply", "--server-side", "--force-conflicts", "-f", "-"]):
        printed = await town.kubectl(*arguments, stdin=manifest)
        assert f"replicas 3 goes to {PRIMARY}" in printed
    await world.feed.until(lambda: world.replicas(PRIMARY) == 3)
    assert world.replicas() == 0
    assert "Progressing" not in world.phases()
    printed = await town.kubectl("replace", "-f", "-", stdin=objects.deployment(world.namespace, replicas=4))
    await world.feed.until(lambda: world.replicas(PRIMARY) == 4)
    labels = town.deployment()["metadata"]["labels"]
    assert labels[CANARY_LABEL] == APP and world.replicas() == 0


async def test_scale_sizes_the_primary(town: Town) -> None:
    world = town.world
    await world.bootstrap()
    printed = await town.kubectl("scale", f"deployment/{APP}", "--replicas=4")
    assert f"Warning: Canary {world.namespace}/{APP}: replicas 4 goes to {PRIMARY}" in printed
    await world.feed.until(lambda: world.replicas(PRIMARY) == 4 and world.replicas() == 0)


async def test_restart_and_undo_are_rollouts(town: Town) -> None:
    world = town.world
    await world.bootstrap()
    await town.kubectl("rollout", "restart", f"deployment/{APP}")
    await world.reached("Succeeded")
    await world.feed.until(lambda: world.replicas() == 0)
    await town.kubectl("set", "image", f"deployment/{APP}", f"podinfod={image(SECOND)}")
    await world.said("Rollout started by ")
    await world.feed.until(lambda: world.images(PRIMARY) == [image(SECOND)])


async def test_what_the_canary_made_is_changed_by_nobody_else(town: Town) -> None:
    world = town.world
    await world.bootstrap()
    refused = await town.kubectl("set", "image", f"deployment/{PRIMARY}", f"podinfod={image(THIRD)}", code=1)
    assert f"{PRIMARY} is written by Canary {world.namespace}/{APP} alone; change Deployment {APP}" in refused
    patch = '{"spec":{"selector":{"app":"evil"}}}'
    refused = await town.kubectl("patch", "service", f"{APP}-canary", "--type=merge", "-p", patch, code=1)
    assert "spec.selector: Forbidden" in refused
    patch = '{"spec":{"weighted":{"services":[{"name":"evil","port":80}]}}}'
    refused = await town.kubectl("patch", "traefikservice", APP, "--type=merge", "-p", patch, code=1)
    assert "spec.weighted.services: Forbidden" in refused
    refused = await town.kubectl("delete", "deployment", PRIMARY, code=1)
    assert "delete the Canary" in refused
    await town.kubectl("rollout", "restart", f"deployment/{PRIMARY}")
    await town.kubectl("scale", f"deployment/{PRIMARY}", "--replicas=3")
    await town.kubectl("label", "service", f"{APP}-canary", "team=a")
    await town.kubectl("annotate", "deployment", PRIMARY, "pinfeather.dev/break-glass=incident")
    printed = await town.kubectl("set", "image", f"deployment/{PRIMARY}", f"podinfod={image(THIRD)}")
    assert "takes all protection off" in printed


async def test_without_admission_governed_objects_stay_and_all_others_go_on(town: Town) -> None:
    world = town.world
    await at_ten(town)
    await town.close()
    refused = await town.kubectl("set", "image", f"deployment/{APP}", f"podinfod={image(THIRD)}", code=1)
    assert 'failed calling webhook "target.pinfeather.dev"' in refused
    refused = await town.kubectl("delete", "canary", APP, code=1)
    assert 'failed calling webhook "canaries.pinfeather.dev"' in refused
    await town.kubectl("create", "deployment", "other", "--image=other:1")
    await town.kubectl("set", "image", "deployment/other", "other=other:2")
    await town.kubectl("scale", "deployment/other", "--replicas=2")
    # The controller goes on: a canary that breaks loses its users.
    world.pods.hold(APP, SECOND)
    await world.feed.until(lambda: world.view().on_canary == 0)
    world.pods.release(APP, SECOND)
    await town.open()
    await town.kubectl("set", "image", f"deployment/{APP}", f"podinfod={image(THIRD)}")
    await world.feed.until(
        lambda: (
            world.pods.live[APP].template == town.deployment()["spec"]["template"]
            and world.images(APP) == [image(THIRD)]
        )
    )


async def test_the_primary_is_born_from_what_serves(town: Town) -> None:
    world = town.world
    world.pods.startup = 0.3
    await world.apply(objects.deployment(world.namespace))
    await world.feed.until(lambda: world.pods.live.get(APP) and world.pods.live[APP].count)
    await world.apply(objects.canary(world.namespace, analysis=WAITS_AT_TEN))
    await world.feed.until(lambda: CANARY_LABEL in (town.deployment()["metadata"].get("labels") or {}))
    await town.kubectl("set", "image", f"deployment/{APP}", f"podinfod={image(SECOND)}")
    await world.reached("Initialized")
    assert world.images(PRIMARY) == [image(FIRST)]
    await world.weighs(10)


async def test_a_target_is_free_once_its_canary_is_gone(town: Town) -> None:
    world = town.world
    await world.bootstrap()
    refused = await town.kubectl("delete", "canary", APP, code=1)
    assert f"Deployment {APP} has no pods of its own" in refused
    await town.kubectl("annotate", "canary", APP, "pinfeather.dev/break-glass=moving on")
    await town.kubectl("delete", "canary", APP)
    await world.feed.until(lambda: CANARY_LABEL not in town.deployment()["metadata"].get("labels", {}))
    assert not any(key.startswith("pinfeather.dev/") for key in world.annotations(DEPLOYMENTS, APP))
    with pytest.raises(NotFound):
        await world.cluster.get(CANARIES, APP, world.namespace)
    printed = await town.kubectl("scale", f"deployment/{APP}", "--replicas=2")
    assert "Warning" not in printed
