"""Writes without a pause through an API server whose webhooks are several replicas behind one address.

    writers ─► API server ─TLS─► Balancer ─► replica | replica | ...     (all in this process)

The Balancer passes bytes on, as a Service does: a connection stays with the replica that it was given.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from prometheus_client import CollectorRegistry

from admission.__main__ import Admission
from admission.registration import SECRET, hosts
from admission.settings import Settings
from certs.bundle import Bundle
from certs.rotate import Place
from certs.serving import ServingCertificate
from shared.cluster import Cluster
from shared.errors import NotFound
from shared.names import CANARY_LABEL, WEBHOOKS
from shared.resources import (
    CANARIES,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    SECRETS,
    VALIDATING_WEBHOOKS,
)
from shared.types.meta import Json
from tests.integration.api_client import MERGE, ApiClient, connected
from tests.integration.certs.conftest import Clock
from tests.integration.controller import objects
from tests.integration.controller.conftest import installed
from tests.integration.controller.gate import registered
from tests.waiting import eventually

HOST = "127.0.0.1"
WRITERS = 4
_numbers = itertools.count(1)


@dataclass
class Balancer:
    """A TCP port before others. New connections go to one backend after the other; without any they end."""

    backends: list[int] = field(default_factory=list)
    port: int = 0
    accepted: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if not self.backends:
            writer.close()
            return
        backend = self.backends[self.accepted % len(self.backends)]
        theirs, ours = await asyncio.open_connection(HOST, backend)
        self._open |= {writer, ours}
        await asyncio.gather(_passed(reader, ours), _passed(theirs, writer))
        self._open -= {writer, ours}

    def cut(self) -> None:
        """End every connection."""
        for writer in self._open:
            writer.close()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except ConnectionError:
        pass  # either side may hang up; the other is told by the end below
    writer.close()


class Replica(Admission):
    """One whose certificates go by a clock of the test's."""

    def __init__(self, told: Settings, cluster: Cluster, clock: Clock) -> None:
        self._clock = clock
        super().__init__(told, cluster, CollectorRegistry())

    def _certified(self) -> ServingCertificate:
        told = self._told
        place = Place(told.namespace, told.secret_name, hosts(told.namespace, told.webhook_url))
        self.certificate = ServingCertificate.from_secret(
            self._cluster, place, now=self._clock, registry=self._registry
        )
        return self.certificate


@dataclass
class Load:
    """One target for each writer, written again and again."""

    admin: Cluster
    client: ApiClient
    kubeconfig: Path
    namespace: str
    own: str
    balancer: Balancer
    stack: AsyncExitStack
    time: datetime = field(default_factory=lambda: datetime.now(tz=UTC).replace(microsecond=0))
    replicas: list[tuple[Replica, Clock, int]] = field(default_factory=list)
    written: int = 0
    failures: list[str] = field(default_factory=list)

    async def replica(self, *, drain: float = 0.0, port: int = 0, probe_port: int = 0) -> asyncio.Event:
        """Start one more that is ready; setting the event is its SIGTERM."""
        port, clock, stop = port or free_port(), Clock(self.time), asyncio.Event()
        told = Settings(
            host=HOST,
            port=port,
            probe_port=probe_port,
            drain=timedelta(seconds=drain),
            namespace=self.own,
            webhook_url=f"https://{HOST}:{self.balancer.port}",
        )
        cluster = await self.stack.enter_async_context(await Cluster.connect(self.kubeconfig))
        replica = Replica(told, cluster, clock)
        running = asyncio.ensure_future(replica.run(stop))
        self.stack.push_async_callback(_ended, running, stop)
        await eventually(lambda: replica.problem() is None or running.done())
        self.balancer.backends.append(port)
        if not self.replicas:
            await registered(self.admin)
        self.replicas.append((replica, clock, port))
        return stop

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write all the time."""
        writers = [asyncio.ensure_future(self._write_for_ever(number)) for number in range(WRITERS)]
        try:
            yield
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)

    async def more(self, writes: int) -> None:
        """Return after so many more writes."""
        wanted = self.written + writes
        await eventually(lambda: self.written >= wanted)

    async def _write_for_ever(self, writer: int) -> None:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{target_of(writer)}"
        for number in itertools.count():
            body = {"metadata": {"annotations": {"number": str(number)}}}
            code, answer = await self.client.send("PATCH", path, body, MERGE)
            if code == HTTPStatus.OK:
                self.written += 1
            else:
                self.failures.append(f"{code}: {answer}")

    def cut_off(self) -> None:
        """From now on no replica can be reached."""
        self.balancer.backends.clear()
        self.balancer.cut()

    async def write(
        self, body: Json | None, *, user: str = "", resource: str = "deployments", subresource: str = ""
    ) -> tuple[int, str]:
        """One write of the first target, or of its Canary, by an admin who may act for a user; without a body
        its deletion. Status, and what is said of a failure.
        """
        group = "flagger.app/v1beta1" if resource == "canaries" else "apps/v1"
        path = f"/apis/{group}/namespaces/{self.namespace}/{resource}/{target_of(0)}{subresource}"
        headers = {"Content-Type": MERGE}
        if user:
            headers |= {"Impersonate-User": user, "Impersonate-Group": "system:masters"}
        method = "PATCH" if body is not None else "DELETE"
        request = {"method": method, "path": path, "headers": headers, "body": body}
        code, answer, _ = await self.client.exchange(request)
        return code, "" if code == HTTPStatus.OK else answer["message"]

    async def later(self, **span: float) -> None:
        """Move all clocks on, and return when every replica has looked."""
        self.time += timedelta(**span)
        for _, clock, _ in self.replicas:
            clock.time, clock.looked = self.time, None
        nudge = {"metadata": {"labels": {"nudge": str(next(_numbers))}}}
        await self.admin.patch(SECRETS, SECRET, self.own, nudge)
        await eventually(lambda: all(clock.looked == self.time for _, clock, _ in self.replicas))

    async def certificates(self) -> Bundle:
        """Those in the Secret."""
        return Bundle.read(await self.admin.get(SECRETS, SECRET, self.own))

    async def prepared(self, bundle: Bundle) -> None:
        """Have certificates there from before."""
        metadata = {"name": SECRET, "namespace": self.own}
        await self.admin.create(
            SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": bundle.data()}
        )


async def _ended(running: "asyncio.Future[None]", stop: asyncio.Event) -> None:
    stop.set()
    await running


def target_of(writer: int) -> str:
    """The Deployment that a writer writes."""
    return f"app-{writer}"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as found:
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def loaded(kubeconfig: Path) -> AsyncIterator[Load]:
    """Governed targets. The first replica that starts registers the webhooks."""
    number, balancer = next(_numbers), Balancer()
    await installed(kubeconfig)
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(await Cluster.connect(kubeconfig))
        client = await stack.enter_async_context(connected(kubeconfig))
        await stack.enter_async_context(balanced(balancer))
        load = Load(admin, client, kubeconfig, f"load-{number}", f"load-{number}-system", balancer, stack)
        for name in (load.namespace, load.own):
            await admin.create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        for name in map(target_of, range(WRITERS)):
            target: Json = objects.deployment(load.namespace, name=name)
            target["metadata"]["labels"] = {CANARY_LABEL: name}
            await admin.create(DEPLOYMENTS, target)
            await admin.create(CANARIES, objects.canary(load.namespace, name=name))
        stack.push_async_callback(_unregistered, admin)
        yield load


async def _unregistered(admin: Cluster) -> None:
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        with contextlib.suppress(NotFound):
            await admin.delete(resource, WEBHOOKS)
    await registered(admin, wanted=False)


@asynccontextmanager
async def balanced(balancer: Balancer) -> AsyncIterator[None]:
    """Listens."""
    server = await asyncio.start_server(balancer.serve, HOST, 0)
    balancer.port = server.sockets[0].getsockname()[1]
    yield
    server.close()
    balancer.cut()
    await server.wait_closed()
