"""An admission webhook whose answers a test decides, and the configurations that point at it."""

import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from certs.authority import Pair, Subject, issue, make_authority

Json = dict[str, Any]
Answer = Callable[[Json], Json]
"""From a review's request to the response; the uid is added where it has none."""
Raw = Callable[[web.Request, Json], Awaitable[web.StreamResponse]]
"""For answers that are not even a review. Gets the request and the review in it."""

REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
_DAY = timedelta(days=1)


def allow(_: Json) -> Json:
    return {"allowed": True}


def deny(_: Json) -> Json:
    return {"allowed": False}


def patching(*operations: Json) -> Answer:
    """Allows with a JSON patch."""
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda _: {"allowed": True, "patch": patch, "patchType": "JSONPatch"}


def answering(response: Json) -> Answer:
    return lambda _: response


@dataclass(eq=False)
class Receiver:
    """Reviews by path, in the order of their arrival; paths without an answer allow."""

    url: str = ""
    authority: bytes = b""
    reviews: list[tuple[str, Json]] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    raw: dict[str, Raw] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        review = json.loads(await request.read())
        self.reviews.append((request.path, review))
        self.queries.append(request.query_string)
        if request.path in self.raw:
            return await self.raw[request.path](request, review)
        response = self.answers.get(request.path, allow)(review["request"])
        response = {"uid": review["request"]["uid"], **response}
        kinds = {"kind": review["kind"], "apiVersion": review["apiVersion"]}
        return web.json_response({**kinds, "response": response})

    def requests(self, path: str = "") -> list[Json]:
        """What was asked, at one path or all."""
        return [review["request"] for at, review in self.reviews if path in ("", at)]

    def client(self, path: str) -> Json:
        """A clientConfig that leads here."""
        return {"url": f"{self.url}{path}", "caBundle": base64.b64encode(self.authority).decode()}


def rule(resources: str, operations: str = "CREATE UPDATE DELETE", groups: str = "*", **more: Any) -> Json:
    """Words separated by spaces; the core group is `core`."""
    names = ["" if name == "core" else name for name in groups.split()]
    return {
        "apiGroups": names,
        "apiVersions": ["*"],
        "resources": resources.split(),
        "operations": operations.split(),
        **more,
    }


def webhook(name: str, client: Json, rules: Sequence[Json], **more: Any) -> Json:
    return {
        "name": f"{name}.example.com",
        "clientConfig": client,
        "rules": list(rules),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
        **more,
    }


def configuration(kind: str, name: str, *webhooks: Json) -> Json:
    """`kind` is Mutating or Validating."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": list(webhooks),
    }


def path_of(kind: str) -> str:
    """Where configurations of a kind are written."""
    return f"{REGISTRATION}/{kind.lower()}webhookconfigurations"


@asynccontextmanager
async def receiving(hosts: Sequence[str] = ("127.0.0.1",)) -> AsyncIterator[Receiver]:
    """A receiver with a certificate for `hosts` from an authority of its own."""
    receiver = Receiver()
    now = datetime.now(UTC)
    authority = make_authority("webhooks", now=now, lifetime=_DAY)
    context = server_context(issue(authority, Subject("webhook", hosts=hosts), now=now, lifetime=_DAY))
    application = web.Application(client_max_size=16 * 1024 * 1024)
    application.router.add_post("/{path:.*}", receiver.serve)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url, receiver.authority = f"https://127.0.0.1:{port}", authority.certificate
    yield receiver
    await runner.cleanup()


def server_context(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pair.certificate + pair.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context
