"""Watches: lines of any size, and every way in which they end."""

from contextlib import aclosing

import orjson
import pytest

from shared import errors
from shared.cluster import Cluster
from shared.resources import PODS
from shared.types.meta import Json
from tests.integration.scripted import Server, event, refuse, stream

PATH = "/api/v1/pods"


async def collect(cluster: Cluster) -> list[tuple[str, Json]]:
    async with aclosing(cluster.watch(PODS, resource_version="5", label_selector="app=x")) as events:
        return [each async for each in events]


async def test_a_watch_asks_for_bookmarks_and_ends_with_its_answer(cluster: Cluster, server: Server) -> None:
    server.on("GET", PATH, stream(event("ADDED", "a", 6), event("BOOKMARK", "", 9)))
    assert [(kind, item["metadata"]["resourceVersion"]) for kind, item in await collect(cluster)] == [
        ("ADDED", "6"),
        ("BOOKMARK", "9"),
    ]
    query = server.asked[0].query
    assert query["watch"] == query["allowWatchBookmarks"] == "true"
    assert (query["resourceVersion"], query["labelSelector"]) == ("5", "app=x")
    assert int(query["timeoutSeconds"]) >= 290


async def test_lines_of_a_megabyte_in_many_pieces_are_read(cluster: Cluster, server: Server) -> None:
    big = event("ADDED", "big", 6, data="x" * 1_500_000) + event("ADDED", "small", 7)
    server.on("GET", PATH, stream(*(big[at : at + 50_000] for at in range(0, len(big), 50_000))))
    assert [item["metadata"]["name"] for _, item in await collect(cluster)] == ["big", "small"]


async def test_a_line_beyond_the_limit_is_an_error(
    cluster: Cluster, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.answers.LARGEST_ANSWER", 100_000)
    server.on("GET", PATH, stream(b"x" * 200_000))
    with pytest.raises(errors.ClusterUnavailable, match="larger than"):
        await collect(cluster)


async def test_half_a_line_at_the_end_and_empty_lines_are_dropped(cluster: Cluster, server: Server) -> None:
    server.on("GET", PATH, stream(b"\n", event("ADDED", "a", 6), b'{"type":"ADDED","object":{"meta'))
    assert len(await collect(cluster)) == 1


async def test_410_as_status_is_gone(cluster: Cluster, server: Server) -> None:
    server.on("GET", PATH, refuse(410, "too old resource version", "Expired"))
    with pytest.raises(errors.Gone):
        await collect(cluster)


async def test_410_as_event_is_gone(cluster: Cluster, server: Server) -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    server.on("GET", PATH, stream(orjson.dumps({"type": "ERROR", "object": status}) + b"\n"))
    with pytest.raises(errors.Gone, match="too old"):
        await collect(cluster)


async def test_another_error_event_is_its_own_error(cluster: Cluster, server: Server) -> None:
    status = {"kind": "Status", "code": 500, "message": "etcd is away"}
    server.on("GET", PATH, stream(orjson.dumps({"type": "ERROR", "object": status}) + b"\n"))
    with pytest.raises(errors.ClusterUnavailable, match="etcd is away"):
        await collect(cluster)


@pytest.mark.parametrize(
    "line",
    [
        b"{nonsense}\n",
        b"[]\n",
        b'{"type":"ADDED"}\n',
        b'{"type":1,"object":{}}\n',
        b'{"type":"BOOKMARK","object":{}}\n',
    ],
)
async def test_a_line_that_cannot_be_read_loses_the_place(
    cluster: Cluster, server: Server, line: bytes
) -> None:
    server.on("GET", PATH, stream(line))
    with pytest.raises(errors.Gone, match=r"no event|without metadata"):
        await collect(cluster)


async def test_a_reset_connection_is_an_error(cluster: Cluster, server: Server) -> None:
    server.on("GET", PATH, stream(event("ADDED", "a", 6), end="reset"))
    with pytest.raises(errors.ClusterUnavailable, match="the watch broke"):
        await collect(cluster)


async def test_a_silent_watch_ends(cluster: Cluster, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.exchange.IDLE_SECONDS", 0.1)
    server.on("GET", PATH, stream(event("ADDED", "a", 6), end="stall"))
    assert len(await collect(cluster)) == 1


async def test_a_watch_that_may_not_begin_is_the_servers_error(cluster: Cluster, server: Server) -> None:
    server.on("GET", PATH, refuse(403, "pods is forbidden"))
    with pytest.raises(errors.Forbidden, match="pods is forbidden"):
        await collect(cluster)
