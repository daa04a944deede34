"""`python -m admission` as a process: registered by URL, asked by an API server, ended while it is busy."""

import asyncio
import contextlib
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
import pytest

from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster, PatchType
from shared.errors import Invalid, NotFound
from shared.hold import hold_of
from shared.names import CANARY_LABEL, WEBHOOKS
from shared.resources import CANARIES, DEPLOYMENTS, MUTATING_WEBHOOKS, NAMESPACES, VALIDATING_WEBHOOKS
from tests.builders import Json, deployment
from tests.integration.controller import objects
from tests.integration.controller.conftest import install
from tests.integration.real_api_server import RealApiServer
from tests.waiting import POLL, eventually
from tests.wire_reviews import review

PROJECT = Path(__file__).parents[3]
SYSTEM = "pinfeather-system"


@dataclass
class Site:
    """A cluster, and how to run admission beside it."""

    cluster: Cluster
    kubeconfig: Path
    folder: Path
    open: AsyncExitStack
    started: int = 0
    processes: list["Process"] = field(default_factory=list)

    async def start(self, *flags: str) -> "Process":
        """A process that is ready."""
        self.started += 1
        ports = [free_port(), free_port()]
        log = self.folder / f"admission-{self.started}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "admission", f"--kubeconfig={self.kubeconfig}", "--host=127.0.0.1"),
                *(f"--port={ports[0]}", f"--probe-port={ports[1]}", f"--namespace={SYSTEM}", *flags),
                f"--webhook-url=https://127.0.0.1:{ports[0]}",
                cwd=PROJECT,
                stdout=output,
                stderr=output,
            )
        started = Process(process, f"https://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", log)
        self.open.push_async_callback(started.end)
        async with aiohttp.ClientSession() as session:
            while not await started.ready(session):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(POLL)
        return started


@dataclass
class Process:
    process: asyncio.subprocess.Process
    url: str
    probes: str
    log: Path

    async def ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.probes}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def end(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(params=["sandbox", "real"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """An API server with our CRDs and our namespace."""
    async with AsyncExitStack() as stack:
        if request.param == "real":
            real: RealApiServer = request.getfixturevalue("real_api_server")
            kubeconfig = real.kubeconfig
        else:
            server = ApiServer(Config(state=tmp_path / "apiserver"))
            await server.start()
            stack.push_async_callback(server.stop)
            kubeconfig = tmp_path / "apiserver/kubeconfig"
        cluster = await stack.enter_async_context(await Cluster.connect(kubeconfig))
        for crd in objects.our_crds():
            await install(cluster, crd)
        for name in (SYSTEM, "test"):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await cluster.patch(NAMESPACES, name, None, body, patch=PatchType.APPLY, force=True)
        stack.push_async_callback(_unregister, cluster)
        yield Site(cluster, kubeconfig, tmp_path, stack)


async def _unregister(cluster: Cluster) -> None:
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        with contextlib.suppress(NotFound):
            await cluster.delete(resource, WEBHOOKS)
    for resource in (DEPLOYMENTS, CANARIES):
        with contextlib.suppress(NotFound):
            await cluster.delete(resource, "podinfo", "test")


async def refusal(cluster: Cluster, wrong: Json) -> str:
    """Why the object is refused, once the API server has noticed that there are webhooks."""
    while True:
        try:
            await cluster.create(CANARIES, wrong)
        except Invalid as refused:
            return str(refused)
        await cluster.delete(CANARIES, "podinfo", "test")
        await asyncio.sleep(POLL)


def canary(step: int, **service: str) -> Json:
    analysis = {"interval": "1m", "threshold": 3, "maxWeight": 50, "stepWeight": step}
    spec = {
        "provider": "traefik",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80, "targetPort": 9898} | service,
        "analysis": analysis,
    }
    metadata = {"name": "podinfo", "namespace": "test"}
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": spec}


async def test_the_api_server_asks_it_about_canaries_and_targets(site: Site) -> None:
    process = await site.start("--drain=0s")
    target = deployment(replicas=2)
    for server_side in ("uid", "resourceVersion", "generation"):
        del target["metadata"][server_side]
    target["metadata"]["labels"] = {CANARY_LABEL: "podinfo"}
    stored = await site.cluster.create(DEPLOYMENTS, target)
    assert hold_of(stored["metadata"]) is None

    refused = await refusal(site.cluster, canary(step=10, name="podinfo-primary"))
    assert "canaries.pinfeather.dev" in refused
    assert 'Canary.flagger.app "podinfo" is invalid: ' in refused
    await site.cluster.create(CANARIES, canary(step=10))

    image = {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": "podinfo:2"}]}}}}
    held = await site.cluster.patch(DEPLOYMENTS, "podinfo", "test", image, patch=PatchType.STRATEGIC)
    assert held["spec"]["paused"] is True
    assert hold_of(held["metadata"]) is not None
    assert await process.end() == 0
    lines = [orjson.loads(line) for line in process.log.read_text().splitlines()]
    reviewed = [line for line in lines if line["msg"] == "reviewed"]
    assert {"uid", "user", "operation", "resource", "object", "allowed", "ms"} <= reviewed[-1].keys()
    assert "podinfo:2" not in process.log.read_text()


async def test_ended_under_load_it_fails_nobody(site: Site) -> None:
    leaving, staying = await site.start("--drain=2s"), await site.start("--drain=0s")
    ready = [leaving, staying]
    answers: list[int] = []
    body = orjson.dumps(review("DELETE", old={}))
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:

        async def client(first: int) -> None:
            for turn in range(first, first + 300):
                chosen = ready[turn % len(ready)]
                headers = {"Content-Type": "application/json"}
                async with session.post(f"{chosen.url}/validate", data=body, headers=headers) as response:
                    answers.append(response.status)
                    await response.read()

        async with asyncio.TaskGroup() as clients:
            for number in range(8):
                clients.create_task(client(number))
            await eventually(lambda: len(answers) > 200)
            leaving.process.send_signal(signal.SIGTERM)
            # As endpoints are taken out of a Service: a while after the pod is told to end.
            while await leaving.ready(session):  # noqa: ASYNC110 - another process, which tells nobody
                await asyncio.sleep(POLL)
            before = len(answers)
            await eventually(lambda: len(answers) > before + 200)
            ready.remove(leaving)
    assert answers == [200] * 2400
    assert await leaving.process.wait() == 0
