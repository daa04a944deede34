"""The webhooks on a loopback port with TLS, above a scripted API server, and a client that trusts them."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from prometheus_client import CollectorRegistry, generate_latest

from admission.caches import Caches
from admission.chain import NOTHING
from admission.handlers import Handlers
from admission.listener import Door, Listener
from admission.lookup import Lookup
from admission.request import Request
from admission.rules.rule import Change, Options
from admission.server import Reviews
from admission.telemetry import Telemetry
from certs.authority import Subject, issue, make_authority
from shared.cluster import Cluster
from tests.integration.scripted import Server, reply, stream

Json = dict[str, Any]
GROUP = "/apis/flagger.app/v1beta1"


class Gatherer:
    """Gathers nothing, after what the test does meanwhile."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)

    async def gather(self, request: Request, change: Change[Any]) -> Lookup:
        await self.meanwhile()
        return NOTHING


@dataclass
class Webhooks:
    """What is tested, and a client that trusts it."""

    url: str
    port: int
    trust: ssl.SSLContext
    session: aiohttp.ClientSession
    caches: Caches
    listener: Listener
    gatherer: Gatherer
    registry: CollectorRegistry

    async def ask(self, review: Json | bytes, path: str = "/validate", **headers: str) -> tuple[int, str]:
        """Status and text of the answer."""
        body = review if isinstance(review, bytes) else orjson.dumps(review)
        told = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        async with self.session.post(self.url + path, data=io.BytesIO(body), headers=told) as response:
            return response.status, await response.text()

    async def review(self, review: Json, path: str = "/validate") -> Json:
        """The response to a review that can be answered."""
        status, text = await self.ask(review, path)
        assert status == 200, text
        answer = orjson.loads(text)
        assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        assert answer["response"]["uid"] == review["request"]["uid"]
        response: Json = answer["response"]
        return response

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.trust, server_hostname="127.0.0.1"
        )

    def metrics(self) -> str:
        """As they are scraped."""
        return generate_latest(self.registry).decode()


def knows(server: Server, *canaries: Json) -> None:
    """Have the API server list these Canaries, and then nothing new."""
    for plural in ("canaries", "metrictemplates", "alertproviders"):
        items = list(canaries) if plural == "canaries" else []
        listed = reply({"metadata": {"resourceVersion": "5"}, "items": items})
        server.on("GET", f"{GROUP}/{plural}", listed, stream(end="stall"))


def tls_pair(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context and that of a client who trusts it."""
    now = datetime.now(tz=UTC)
    authority = make_authority("test", now=now, lifetime=timedelta(days=1))
    leaf = issue(authority, Subject("it", hosts=["127.0.0.1"]), now=now, lifetime=timedelta(days=1))
    file = folder / "leaf.pem"
    file.write_bytes(leaf.key + leaf.certificate)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=authority.certificate.decode())


@asynccontextmanager
async def webhooks(cluster: Cluster, folder: Path, **door: Any) -> AsyncIterator[Webhooks]:
    """Webhooks that answer, once their caches are filled."""
    served, trust = tls_pair(folder)
    registry = CollectorRegistry()
    telemetry, gatherer = Telemetry(registry), Gatherer()
    caches = Caches(cluster, telemetry.missed)
    reviews = Reviews(Handlers(caches, gatherer, Options(), telemetry), telemetry)
    listener = Listener(Door("127.0.0.1", 0, served, **door), reviews, telemetry.connections)
    running = asyncio.create_task(caches.run())
    await caches.synced()
    listener.start()
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"https://127.0.0.1:{listener.port}"
        yield Webhooks(url, listener.port, trust, session, caches, listener, gatherer, registry)
    await listener.stop()
    running.cancel()
    await asyncio.wait([running])
