"""Another replica was faster: what it wrote is taken, and nothing is written again."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from certs.bundle import Bundle
from certs.renew import renewed
from certs.rotate import Place
from certs.serving import ServingCertificate
from shared.cluster import Cluster
from shared.resources import MUTATING_WEBHOOKS, SECRETS, VALIDATING_WEBHOOKS
from shared.types.meta import Json
from tests.integration.scripted import Answer, Server, refuse, reply, stream

NOW = datetime.now(tz=UTC)
PLACE = Place("ns", "certificates", ("x",))
SECRET = SECRETS.path(PLACE.namespace, PLACE.secret)


def bundle(age: timedelta) -> Bundle:
    return renewed(Bundle(), ["x"], NOW - age, lambda _: False).bundle


def secret(held: Bundle, version: str) -> Json:
    metadata = {"name": PLACE.secret, "namespace": PLACE.namespace, "resourceVersion": version}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": held.data()}


@pytest.mark.parametrize(
    ("there", "method", "refusal"),
    [
        ([], "POST", refuse(409, reason="AlreadyExists")),
        ([secret(bundle(timedelta(days=365)), "3")], "PATCH", refuse(409, reason="Conflict")),
    ],
)
async def test_whoever_writes_second_serves_what_the_first_wrote(
    cluster: Cluster, server: Server, there: list[Json], method: str, refusal: Answer
) -> None:
    theirs = bundle(timedelta(0))
    collection = SECRETS.path(PLACE.namespace)
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        listed = reply({"metadata": {"resourceVersion": "5"}, "items": []})
        server.on("GET", resource.path(None), listed, stream(end="stall"))
    server.on(
        "GET",
        collection,
        reply({"metadata": {"resourceVersion": "5"}, "items": there}),
        stream(end="stall"),
    )
    server.on(method, collection if method == "POST" else SECRET, refusal)
    server.on("GET", SECRET, reply(secret(theirs, "9")))
    certificate = ServingCertificate.from_secret(cluster, PLACE, registry=CollectorRegistry())
    running = asyncio.ensure_future(certificate.run())
    await certificate.loaded.wait()
    assert certificate.served == theirs.leaf.certificate
    assert certificate.trusted == theirs.authorities
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert [asked.method for asked in server.asked if asked.method != "GET"] == [method]
