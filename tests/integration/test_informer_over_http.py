"""The informer against a server that breaks connections: nothing is missed, nothing is listed twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.cluster import Cluster
from shared.informer import Informer
from shared.resources import PODS
from tests.integration.scripted import Answer, Server, event, refuse, reply, stream

PATH = "/api/v1/pods"
BOOKMARK = b'{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"50"}}}\n'


def listed(version: int, *names: str) -> Answer:
    items = [{"metadata": {"name": name, "namespace": "test", "resourceVersion": "1"}} for name in names]
    return reply({"metadata": {"resourceVersion": str(version)}, "items": items})


class Following:
    """An informer that runs; `until` waits for a name to come or go."""

    def __init__(self, cluster: Cluster) -> None:
        self.informer = Informer(cluster, PODS, lambda item: str(item["metadata"]["resourceVersion"]))
        self.informer.add_listener(lambda *_: self._changed.set())
        self._changed = asyncio.Event()

    async def until(self, *names: str) -> None:
        while {name for _, name in self.informer.cache} != set(names):
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
async def following(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Following]:
    monkeypatch.setattr("shared.informer.FIRST_BACKOFF", 0.02)
    followed = Following(cluster)
    task = asyncio.create_task(followed.informer.run())
    yield followed
    task.cancel()
    await asyncio.wait([task])


def versions(server: Server) -> list[str]:
    return [asked.query.get("resourceVersion", "list") for asked in server.asked]


async def test_after_a_reset_the_watch_goes_on_where_it_was(server: Server, following: Following) -> None:
    server.on(
        "GET",
        PATH,
        listed(5, "a"),
        stream(event("ADDED", "b", 6), end="reset"),
        stream(event("DELETED", "a", 7), b'{"type":"ADD', end="reset"),
        refuse(500),
        stream(event("ADDED", "c", 8), end="stall"),
    )
    await following.until("b", "c")
    assert versions(server) == ["list", "5", "6", "7", "7"]
    assert following.informer.failure is None


async def test_a_bookmark_moves_the_place_to_resume_from(server: Server, following: Following) -> None:
    server.on("GET", PATH, listed(5, "a"), stream(BOOKMARK), stream(event("ADDED", "b", 51), end="stall"))
    await following.until("a", "b")
    assert versions(server) == ["list", "5", "50"]


async def test_410_as_status_or_event_lists_again(server: Server, following: Following) -> None:
    too_old = (
        b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
    )
    server.on(
        "GET",
        PATH,
        listed(5, "a"),
        refuse(410, "too old", "Expired"),
        listed(9, "b"),
        stream(too_old),
        listed(12, "c"),
        stream(event("ADDED", "d", 13), end="stall"),
    )
    await following.until("c", "d")
    assert versions(server) == ["list", "5", "list", "9", "list", "12"]
