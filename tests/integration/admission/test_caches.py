"""What the webhooks know: which Canary governs what, as early as possible and as long as needed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from admission import caches as module
from admission.caches import Caches, canary
from admission.governed import Governed
from shared.cluster import Cluster
from shared.resources import ALERT_PROVIDERS, CANARIES, METRIC_TEMPLATES
from shared.types.canary import Phase
from tests.integration.admission.webhooks import GROUP, knows
from tests.integration.scripted import Server, refuse, reply

Json = dict[str, Any]


def made(name: str, *, target: str = "podinfo", created: str = "2026-11-22T20:00:00Z", **spec: Any) -> Json:
    metadata = {"name": name, "namespace": "test", "uid": f"u-{name}", "resourceVersion": "3"}
    return {
        "metadata": metadata | {"creationTimestamp": created, "managedFields": [{}]},
        "spec": {"targetRef": {"name": target}, **spec},
        "status": {"phase": "Progressing", "conditions": [{}]},
    }


async def filled(cluster: Cluster, server: Server, *canaries: Json) -> tuple[Caches, "asyncio.Task[None]"]:
    knows(server, *canaries)
    caches = Caches(cluster)
    task = asyncio.create_task(caches.run())
    await caches.synced()
    return caches, task


@pytest.fixture
async def known(cluster: Cluster, server: Server) -> AsyncIterator[Caches]:
    younger = made("younger", created="2026-11-22T21:00:00Z")
    caches, task = await filled(cluster, server, younger, made("older"), made("other", target="other"))
    yield caches
    task.cancel()
    await asyncio.wait([task])


async def test_nothing_is_ready_before_every_cache_was_filled(cluster: Cluster, server: Server) -> None:
    caches = Caches(cluster)
    assert caches.problem() == "the cache of canaries is not filled yet"
    caches, task = await filled(cluster, server)
    assert caches.problem() is None
    task.cancel()
    await asyncio.wait([task])


async def test_a_cache_that_is_out_of_date_for_long_is_a_problem(
    known: Caches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALE_SECONDS", -1.0)
    assert "were last heard of" in str(known.problem())


async def test_of_two_canaries_with_one_target_the_older_governs_it(known: Caches) -> None:
    found = await known.owner("test", "podinfo", None)
    assert found == Governed(
        "test", "older", "u-older", "podinfo", "podinfo", autoscaler="", phase=Phase.PROGRESSING
    )
    assert await known.owner("elsewhere", "podinfo", None) is None


async def test_a_canary_that_cannot_be_read_as_a_whole_governs_its_target() -> None:
    broken = made("broken", analysis="nonsense", suspend="yes", service=[])
    governed = canary(broken).governed
    assert governed is not None
    assert (governed.target, governed.apex, governed.suspended) == ("podinfo", "podinfo", False)
    assert canary({"metadata": {"name": "x"}, "spec": []}).governed is None


async def test_rules_see_objects_without_their_bulk(known: Caches) -> None:
    found = known.get(CANARIES, "test", "other")
    assert found is not None
    assert "managedFields" not in found["metadata"]
    assert found["status"] == {"phase": "Progressing"}
    assert {each["metadata"]["name"] for each in known.list(CANARIES, "test")} == {
        "older",
        "younger",
        "other",
    }
    assert len(known.list(CANARIES, "")) == 3
    assert not known.list(METRIC_TEMPLATES, "test")
    assert known.get(ALERT_PROVIDERS, "test", "none") is None


async def test_what_was_let_through_is_seen_at_once(cluster: Cluster, server: Server) -> None:
    caches, task = await filled(cluster, server)
    caches.remember(made("new", target="asked"))
    assert caches.concerned("test", "asked")
    seen = caches.get(CANARIES, "test", "new")
    assert seen is not None
    assert seen["spec"]["targetRef"]["name"] == "asked"
    assert [each["metadata"]["name"] for each in caches.list(CANARIES, "test")] == ["new"]
    server.on("GET", f"{GROUP}/namespaces/test/canaries/new", reply(made("new", target="asked")))
    found = await caches.owner("test", "asked", None)
    assert found is not None
    assert found.name == "new"
    task.cancel()
    await asyncio.wait([task])


async def test_a_label_of_a_canary_that_is_not_known_is_looked_up_once(known: Caches, server: Server) -> None:
    path = f"{GROUP}/namespaces/test/canaries/gone"
    server.on("GET", path, refuse(404, reason="NotFound"))
    for _ in range(3):
        assert await known.owner("test", "orphan", "gone") is None
        assert await known.named("test", "gone") is None
    assert server.count("GET", path) == 1


async def test_a_canary_that_is_newer_than_the_cache_is_found_by_its_label(
    known: Caches, server: Server
) -> None:
    server.on("GET", f"{GROUP}/namespaces/test/canaries/new", reply(made("new", target="fresh")))
    found = await known.owner("test", "fresh", "new")
    assert found is not None
    assert found.name == "new"
    assert await known.owner("test", "something-else", "new") is None
