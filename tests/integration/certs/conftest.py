"""Replicas of the certificate keeper against an API server, the sandbox's and a real one."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from admission.registration import Registration, configurations
from certs.bundle import Bundle, certificates_in, decoded
from certs.rotate import Place
from certs.serving import ServingCertificate
from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster, PatchType
from shared.errors import NotFound
from shared.names import WEBHOOKS
from shared.resources import MUTATING_WEBHOOKS, NAMESPACES, SECRETS, VALIDATING_WEBHOOKS, Resource
from shared.types.meta import Json
from tests.integration.real_api_server import RealApiServer
from tests.waiting import POLL

SECRET = "certificates"
HOST = "127.0.0.1"
_numbers = itertools.count(1)


class Clock:
    """A wall clock that stands still until it is moved; it knows whether its owner has looked since."""

    def __init__(self, time: datetime) -> None:
        self.time = time
        self.looked: datetime | None = None

    def __call__(self) -> datetime:
        self.looked = self.time
        return self.time


@dataclass
class Replica:
    certificate: ServingCertificate
    clock: Clock


@dataclass
class Site:
    """Webhook configurations, a namespace for the Secret, and the replicas that were started."""

    cluster: Cluster
    namespace: str
    kubeconfig: Path
    open: AsyncExitStack
    replicas: list[Replica] = field(default_factory=list)
    time: datetime = field(default_factory=lambda: datetime.now(tz=UTC).replace(microsecond=0))

    @property
    def place(self) -> Place:
        return Place(self.namespace, SECRET, (HOST,))

    async def replica(self, kubeconfig: Path | None = None) -> Replica:
        """Another replica, with a connection of its own, running."""
        cluster = await self.open.enter_async_context(await Cluster.connect(kubeconfig or self.kubeconfig))
        clock = Clock(self.time)
        certificate = ServingCertificate.from_secret(
            cluster, self.place, now=clock, registry=CollectorRegistry()
        )
        running = asyncio.ensure_future(certificate.run())
        self.open.push_async_callback(_ended, running)
        replica = Replica(certificate, clock)
        self.replicas.append(replica)
        return replica

    def at(self, time: datetime) -> None:
        """Move all clocks."""
        self.time = time
        for replica in self.replicas:
            replica.clock.time = time

    def later(self, **span: float) -> None:
        """Move all clocks on."""
        self.at(self.time + timedelta(**span))

    async def nudge(self) -> None:
        """Have all replicas look again, as they would after some seconds."""
        await self.cluster.patch(
            SECRETS, SECRET, self.namespace, {"metadata": {"labels": {"nudge": str(next(_numbers))}}}
        )

    async def looked(self) -> None:
        """Return once every replica has looked at what is there now."""
        for replica in self.replicas:
            replica.clock.looked = None
        await self.nudge()
        await self.until(lambda: all(replica.clock.looked == self.time for replica in self.replicas))

    async def until(self, fact: Callable[[], object]) -> None:
        """Return once the fact is true."""
        while not fact():  # noqa: ASYNC110 - what is waited for happens in tasks that give no event
            await asyncio.sleep(POLL)

    async def ready(self) -> None:
        await self.until(lambda: all(replica.certificate.problem() is None for replica in self.replicas))

    async def stored(self) -> Bundle:
        return Bundle.read(await self.cluster.get(SECRETS, SECRET, self.namespace))

    async def stored_again(self) -> Bundle:
        """The same, once it is there."""
        while True:
            with suppress(NotFound):
                return await self.stored()
            await asyncio.sleep(POLL)

    async def ca_bundles(self) -> list[bytes]:
        """Of every webhook, as PEM."""
        found = [await self.cluster.get(resource, WEBHOOKS) for resource in _RESOURCES]
        return [
            decoded(webhook["clientConfig"].get("caBundle"))
            for configuration in found
            for webhook in configuration["webhooks"]
        ]

    async def overwrite(self, resource: Resource, ca_bundle: str | None) -> None:
        """Have somebody write (base64) or wipe the caBundle of all webhooks of a configuration."""
        webhooks = (await self.cluster.get(resource, WEBHOOKS))["webhooks"]
        operation = "replace" if ca_bundle else "remove"
        patch: list[Json] = [
            {"op": operation, "path": f"/webhooks/{place}/clientConfig/caBundle", "value": ca_bundle}
            for place in range(len(webhooks))
        ]
        await self.cluster.patch(resource, WEBHOOKS, None, patch, patch=PatchType.JSON)

    async def carrying(self, authorities: bytes) -> None:
        """Return once every webhook trusts exactly these."""
        while set(await self.ca_bundles()) != {authorities}:  # noqa: ASYNC110 - as in `until`
            await asyncio.sleep(POLL)

    def served(self) -> list[bytes]:
        """What each replica serves, PEM."""
        return [replica.certificate.served for replica in self.replicas]

    async def register(self) -> None:
        """Webhook configurations without a caBundle, as `kubectl apply -k` makes them."""
        told = Registration(f"https://{HOST}:1", self.namespace, "nobody")
        for body in configurations(told, b""):
            await self.cluster.create(_BY_KIND[body["kind"]], body)

    async def unregister(self) -> None:
        for resource in _RESOURCES:
            with suppress(NotFound):
                await self.cluster.delete(resource, WEBHOOKS)


_RESOURCES = (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
_BY_KIND = {resource.kind: resource for resource in _RESOURCES}


async def _ended(running: "asyncio.Future[None]") -> None:
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture(params=["sandbox", "real"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """No replica runs yet; the webhook configurations are there."""
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
        namespace = f"certs-{next(_numbers)}"
        body: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await cluster.create(NAMESPACES, body)
        made = Site(cluster, namespace, kubeconfig, stack)
        await made.unregister()
        await made.register()
        stack.push_async_callback(made.unregister)
        yield made


def leaf_signed_by(authorities: bytes, leaf: bytes) -> int:
    """Which of the authorities signed it."""
    (certificate,) = certificates_in(leaf)
    for place, authority in enumerate(certificates_in(authorities)):
        if certificate.issuer == authority.subject:
            certificate.verify_directly_issued_by(authority)
            return place
    raise AssertionError("no authority signed the leaf")
