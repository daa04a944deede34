"""Worlds to put the controller in: on the sandbox's API server, and on a real one where there is one."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from controller.hooks import Hooks
from controller.settings import Settings
from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster, PatchType
from shared.errors import NotFound
from shared.exchange import Exchange
from shared.kubeconfig import Connection
from shared.resources import CRDS, NAMESPACES, Resource
from shared.types.meta import Json
from tests.integration.controller import objects
from tests.integration.controller.account import controllers_kubeconfig
from tests.integration.controller.world import Answers, World, world
from tests.integration.real_api_server import RealApiServer
from tests.integration.scripted import Server, reply

_numbers = itertools.count(1)


@dataclass
class Metrics:
    """A Prometheus whose answers are values by kind of query: lists are the values of that many series."""

    success_rate: float | str | list[float] = 100.0
    duration: float | str | list[float] = 20.0
    custom: float | str | list[float] = 0.0
    down: bool = False
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = request.query["query"]
        self.asked.append(query)
        if self.down:
            return web.Response(status=503, text="not now")
        value = self.custom
        if "requests_total" in query and "code!~" in query:
            value = self.success_rate
        elif "duration_seconds_bucket" in query:
            value = self.duration
        values = value if isinstance(value, list) else [value]
        result = [{"metric": {"n": str(n)}, "value": [time.time(), str(v)]} for n, v in enumerate(values)]
        body = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return await reply(body)(request)


@dataclass
class Stage:
    """A World with what is around its cluster."""

    world: World
    kubeconfig: Path
    metrics: Metrics
    server: Server
    """Answers hooks, POSTs to any path that a test tells it about."""


@pytest.fixture
async def scripted_outside() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(params=["sandbox", "real"])
async def kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """An API server with our CRDs and Traefik's."""
    if request.param == "real":
        real: RealApiServer = request.getfixturevalue("real_api_server")
        await installed(real.kubeconfig)
        yield real.kubeconfig
        return
    server = ApiServer(Config(state=tmp_path / "apiserver"))
    await server.start()
    await installed(tmp_path / "apiserver/kubeconfig")
    yield tmp_path / "apiserver/kubeconfig"
    await server.stop()


@pytest.fixture
async def stage(kubeconfig: Path, scripted_outside: Server, tmp_path: Path) -> AsyncIterator[Stage]:
    """A World in a namespace of its own; the controller is not started yet. It will have its own rights."""
    metrics, namespace = Metrics(), f"world-{next(_numbers)}"
    scripted_outside.on("GET", "/api/v1/query", metrics.answer)
    told = Settings(namespace=namespace, metrics_server=scripted_outside.url, host="127.0.0.1", port=0)
    async with await Cluster.connect(kubeconfig) as cluster, Hooks() as hooks:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await cluster.create(NAMESPACES, body)
        controllers = await controllers_kubeconfig(cluster, kubeconfig, namespace, tmp_path)

        async def wire() -> Exchange:
            return Exchange(await Connection.open(controllers), controllers)

        async with world(cluster, wire, namespace, Answers(hooks, told)) as made:
            await made.feed.follow(objects.ROUTES)
            yield Stage(made, kubeconfig, metrics, scripted_outside)


async def installed(kubeconfig: Path) -> None:
    """Have our CRDs and Traefik's there."""
    async with await Cluster.connect(kubeconfig) as cluster:
        for crd in (*objects.our_crds(), objects.traefik_crd()):
            await install(cluster, crd)


async def install(cluster: Cluster, crd: Json) -> None:
    """Apply a CRD and return when its objects can be listed."""
    await cluster.patch(CRDS, crd["metadata"]["name"], None, crd, patch=PatchType.APPLY, force=True)
    spec = crd["spec"]
    resource = Resource(
        spec["group"], spec["versions"][0]["name"], spec["names"]["plural"], spec["names"]["kind"]
    )
    while True:
        try:
            await cluster.list(resource)
        except NotFound:
            await asyncio.sleep(0.02)
        else:
            return


async def uninstall(cluster: Cluster, crd: Json) -> None:
    """Delete a CRD and return when its objects are served no more."""
    spec = crd["spec"]
    await cluster.delete(CRDS, crd["metadata"]["name"])
    while spec["names"]["plural"] in (await cluster.served(spec["group"]) or {}):  # noqa: ASYNC110 - a server that is asked, and tells nobody
        await asyncio.sleep(0.02)
