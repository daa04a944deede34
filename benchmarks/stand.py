"""The stand that everything is measured on: an API server, pods, a Prometheus and a controller.

Each group of measurements opens its own and says how many Canaries it wants.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import objects
from benchmarks.accounts import Accounts
from benchmarks.pods import Pods
from benchmarks.processes import Child, start
from benchmarks.prometheus import ScriptedPrometheus
from sandbox.addons.install import SERVICE_ACCOUNTS, install
from sandbox.apiserver.credentials import write_kubeconfig
from shared.cluster import Cluster, PatchType
from shared.informer import Informer
from shared.resources import CANARIES, DEPLOYMENTS, NAMESPACES
from shared.types.meta import Json

CONTROLLER = f"system:serviceaccount:{objects.NAMESPACE}:controller"
"""The controller's user, which tells its requests from all others."""
_PARALLEL = 16


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a Canary is."""

    phase: str
    weight: int


@dataclass
class Stand:
    """What a measurement has at hand. `state` has the API server's files and the logs."""

    state: Path
    cluster: Cluster
    accounts: Accounts
    prometheus: ScriptedPrometheus
    pods: Pods
    canaries: Informer[Progress]

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[Child]:
        """A controller that has filled its caches; ended at the end."""
        child = await start(
            "controller",
            f"--kubeconfig={self.state / 'controller'}",
            f"--metrics-server={self.prometheus.url}",
            "--host=127.0.0.1",
            "--port=0",
            log=self.state / "controller.log",
            ready="caches filled",
        )
        try:
            yield child
        finally:
            await child.stop()

    async def apply(self, numbers: Iterable[int], *, interval: str = "10s", max_weight: int = 50) -> None:
        """Create applications with their Canaries, as Flagger was measured with unless told otherwise."""

        async def create(number: int) -> None:
            name = objects.app(number)
            await self.cluster.create(DEPLOYMENTS, objects.deployment(name))
            await self.cluster.create(CANARIES, objects.canary(name, interval, max_weight))

        await each(numbers, create)

    async def set_image(self, number: int, version: str) -> None:
        """What `kubectl set image` does."""
        body = objects.set_image(version)
        await self.cluster.patch(
            DEPLOYMENTS, objects.app(number), objects.NAMESPACE, body, patch=PatchType.STRATEGIC
        )

    async def all_in(self, phase: str, count: int, *, within: float = 300.0) -> None:
        """Return once that many Canaries are there and all are in the phase."""

        def there() -> bool:
            phases = [canary.phase for canary in self.canaries.cache.values()]
            return len(phases) == count and all(each == phase for each in phases)

        await until(there, within=within)

    def least_weight(self, count: int) -> int:
        """The lowest weight of so many first applications."""
        numbered = range(count)
        return min(self.canaries.cache[objects.NAMESPACE, objects.app(number)].weight for number in numbered)

    async def quiet(self, *, pause: float = 2.0, within: float = 120.0) -> None:
        """Return once the controller has asked for nothing for so many seconds.

        Raises:
            TimeoutError: it does not stop asking.
        """
        async with asyncio.timeout(within):
            before = None
            while before != (now := await self.accounts.requests(CONTROLLER)):
                before = now
                await asyncio.sleep(pause)

    async def version(self) -> int:
        """The resourceVersion of now."""
        _, version = await self.cluster.list(NAMESPACES)
        return int(version)


@asynccontextmanager
async def stand() -> AsyncIterator[Stand]:
    """A stand without a controller and without Canaries, in a folder that goes with it."""
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinfeather-bench-")))
        server = await start(
            "sandbox.apiserver",
            "--port=0",
            f"--state-dir={state}",
            log=state / "apiserver.log",
            ready="ready",
        )
        stack.push_async_callback(server.stop)
        cluster = await stack.enter_async_context(await Cluster.connect(state / "kubeconfig"))
        await _prepare(cluster, state)
        accounts = await Accounts.open(state / "kubeconfig")
        stack.push_async_callback(accounts.close)
        prometheus = ScriptedPrometheus()
        await prometheus.start()
        stack.push_async_callback(prometheus.stop)
        pods, canaries = Pods(cluster), Informer(cluster, CANARIES, _progress)
        for running in (asyncio.create_task(pods.run()), asyncio.create_task(canaries.run())):
            stack.push_async_callback(_cancel, running)
        yield Stand(state, cluster, accounts, prometheus, pods, canaries)


async def until(fact: Callable[[], object], *, within: float, poll: float = 0.05) -> None:
    """Return once the fact is true; it is looked at every `poll` seconds, for `within` seconds.

    Raises:
        TimeoutError: it is not true in time.
    """
    ends = time.monotonic() + within
    while not fact():
        if time.monotonic() > ends:
            raise TimeoutError(f"still not so after {within:g} s")
        await asyncio.sleep(poll)


async def each(
    numbers: Iterable[int], action: Callable[[int], Awaitable[None]], *, parallel: int = _PARALLEL
) -> None:
    """Carry an asynchronous action out for every number, so many at a time."""
    waiting = iter(numbers)

    async def work() -> None:
        for number in waiting:
            await action(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(parallel):
            tasks.create_task(work())


async def _prepare(cluster: Cluster, state: Path) -> None:
    """CRDs, the namespace, and a user of its own for the controller."""
    await install(cluster, (), {})
    await cluster.create(NAMESPACES, {"metadata": {"name": objects.NAMESPACE}})
    account: Json = {"metadata": {"name": "controller", "namespace": objects.NAMESPACE}}
    await cluster.create(SERVICE_ACCOUNTS, account)
    token = await cluster.create(SERVICE_ACCOUNTS, {**account, "spec": {}}, subresource="token")
    write_kubeconfig(state / "controller", cluster.server, state / "ca.crt", token["status"]["token"])


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _progress(obj: Json) -> Progress:
    status = obj.get("status") or {}
    return Progress(status.get("phase", ""), status.get("canaryWeight", 0))
