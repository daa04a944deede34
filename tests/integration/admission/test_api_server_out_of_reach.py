"""The API server asks the webhooks but does not answer them: refuses, stalls, or is cut off."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml

from admission import caches
from shared.cluster import PatchType
from shared.hold import hold_of
from shared.resources import DEPLOYMENTS
from tests.integration.admission.load import HOST, Balancer, Load, balanced, free_port, target_of
from tests.integration.admission.test_under_load import load  # noqa: F401 - a fixture
from tests.integration.admission.webhooks import GROUP, Webhooks
from tests.integration.scripted import Answer, Server, refuse, stream
from tests.waiting import POLL, eventually
from tests.wire_reviews import Json, review

STALENESS = 'pinfeather_admission_cache_staleness_seconds{resource="canaries"}'
UNKNOWN = f"{GROUP}/namespaces/test/canaries/unknown"


def labelled(image: str) -> Json:
    """A live target of a Canary that no cache knows."""
    metadata = {"name": "other", "namespace": "test", "labels": {"pinfeather.dev/canary": "unknown"}}
    template = {"spec": {"containers": [{"name": "app", "image": image}]}}
    return {"metadata": metadata, "spec": {"replicas": 2, "template": template}}


@pytest.mark.parametrize(
    "answer",
    [
        refuse(429, reason="TooManyRequests", headers={"Retry-After": "1"}),
        refuse(429, reason="TooManyRequests"),
        refuse(500, reason="InternalError"),
        refuse(503),
        stream(end="stall"),
        stream(b'{"metadata":', end="reset"),
    ],
    ids=["429 for a second", "429", "500", "503", "stalls", "breaks off"],
)
async def test_what_cannot_be_looked_up_in_time_is_held_on_the_objects_own_word(
    asked: Webhooks, server: Server, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(caches, "ASK_SECONDS", 0.2)
    server.on("GET", UNKNOWN, answer)
    update = review(name="other", new=labelled("a:2"), old=labelled("a:1"))
    async with asyncio.timeout(2.0):  # what the webhook's own timeoutSeconds leaves
        response = await asked.review(update, "/mutate?timeout=2s")
        assert "patch" in response
        # Others do not wait for it.
        response = await asked.review(
            review(new=labelled("a:1"), old=labelled("a:1"), name="podinfo"), "/mutate"
        )
        assert response["allowed"] is True
    assert "cache_misses_total" in asked.metrics()


async def test_what_does_not_have_to_be_looked_up_is_answered_meanwhile(
    asked: Webhooks, server: Server
) -> None:
    server.on("GET", UNKNOWN, stream(end="stall"))
    slow = asyncio.ensure_future(
        asked.review(review(name="other", new=labelled("a:2"), old=labelled("a:1")), "/mutate")
    )
    await eventually(lambda: server.count("GET", UNKNOWN))
    known = {"metadata": {"name": "podinfo", "namespace": "test"}, "spec": labelled("a:2")["spec"]}
    before = {**known, "spec": labelled("a:1")["spec"]}
    for _ in range(20):
        assert "patch" in await asked.review(review(new=known, old=before), "/mutate")
    assert not slow.done()
    assert "patch" in await slow


@pytest.fixture
async def cut_off(load: Load, tmp_path: Path) -> AsyncIterator[Balancer]:  # noqa: F811 - the fixture's value
    """Between the replicas and the API server."""
    config = yaml.safe_load(await asyncio.to_thread(load.kubeconfig.read_text))
    cluster = config["clusters"][0]["cluster"]
    port = urlsplit(cluster["server"]).port
    assert port is not None
    between = Balancer([port])
    async with balanced(between):
        cluster["server"] = f"https://{HOST}:{between.port}"
        load.kubeconfig = tmp_path / "between.kubeconfig"
        await asyncio.to_thread(load.kubeconfig.write_text, yaml.safe_dump(config))
        yield between
        between.backends = [port]


async def test_who_has_not_read_the_canaries_yet_is_not_ready_and_answers_nobody(
    load: Load,  # noqa: F811 - the fixture's value
    cut_off: Balancer,
) -> None:
    port, probes = free_port(), free_port()
    backends, cut_off.backends = cut_off.backends, []
    starting = asyncio.ensure_future(load.replica(port=port, probe_port=probes))
    await eventually(lambda: cut_off.accepted)
    async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{probes}/readyz") as response:
        assert response.status == 503
        assert "the cache of canaries is not filled yet" in await response.text()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    cut_off.backends = backends
    await starting
    _, writer = await asyncio.open_connection(HOST, port)
    writer.close()


async def test_who_cannot_reach_the_api_server_answers_for_a_while_and_is_then_not_ready(
    load: Load,  # noqa: F811 - the fixture's value
    cut_off: Balancer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probes = free_port()
    await load.replica(probe_port=probes)
    replica, _, _ = load.replicas[0]
    backends, cut_off.backends = cut_off.backends, []
    cut_off.cut()
    image = {"spec": {"template": {"spec": {"containers": [{"name": "podinfod", "image": "podinfo:2"}]}}}}
    held = await load.admin.patch(DEPLOYMENTS, target_of(0), load.namespace, image, patch=PatchType.STRATEGIC)
    assert hold_of(held["metadata"]) is not None
    assert replica.problem() is None
    monkeypatch.setattr(caches, "STALE_SECONDS", 0.5)
    await eventually(lambda: "were last heard of" in str(replica.problem()))
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{HOST}:{probes}/readyz") as response:
            assert response.status == 503
            assert "were last heard of" in await response.text()
        async with session.get(f"http://{HOST}:{probes}/metrics") as response:
            metrics = await response.text()
        (line,) = [line for line in metrics.splitlines() if line.startswith(STALENESS)]
        assert float(line.rpartition(" ")[2]) > 0
        monkeypatch.undo()
        cut_off.backends = backends
        while True:
            async with session.get(f"http://{HOST}:{probes}/readyz") as response:
                if response.status == 200:
                    return
            await asyncio.sleep(POLL)
