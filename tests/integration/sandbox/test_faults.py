"""The sandbox's server fails where, when and how a test asks for it, and clients get over it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster
from shared.errors import ClusterUnavailable, Conflict
from shared.resources import CONFIGMAPS
from tests.integration.api_client import ApiClient, Json, connected

CONFIG = "/api/v1/namespaces/default/configmaps"
FAULTS = "/debug/faults"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[ApiClient]:
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    async with connected(tmp_path / "kubeconfig") as bare:
        yield bare
    await server.stop()


@pytest.fixture
async def cluster(client: ApiClient, tmp_path: Path) -> AsyncIterator[Cluster]:
    """The product's own client of the same server."""
    async with await Cluster.connect(tmp_path / "kubeconfig") as connection:
        yield connection


async def fault(client: ApiClient, **fields: Any) -> Json:
    return await client.done("POST", FAULTS, fields)


def config_map(name: str = "a") -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


async def create(client: ApiClient, name: str) -> int:
    return (await client.send("POST", CONFIG, config_map(name)))[0]


async def test_the_nth_matching_request_and_those_after_it_fail(client: ApiClient) -> None:
    await fault(client, verb="create", resource="configmaps", skip=1, count=2, answer=500)
    codes = [await create(client, name) for name in "abcde"]
    assert codes == [201, 500, 500, 201, 201]
    assert (await client.send("GET", CONFIG))[0] == 200, "another verb"


@pytest.mark.parametrize(
    "match",
    [
        {"verb": "update"},
        {"resource": "secrets"},
        {"resource": "configmaps/status"},
        {"group": "apps"},
        {"namespace": "kube-system"},
        {"name": "b"},
        {"user": "somebody"},
        {"userAgent": "kubectl"},
    ],
)
async def test_only_requests_that_match_in_all_points_fail(client: ApiClient, match: Json) -> None:
    everything: Json = {"verb": "get", "resource": "configmaps", "namespace": "default", "name": "a"}
    everything |= {"user": "admin", "userAgent": "Python"}
    await fault(client, **everything | match, answer=500)
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == 404
    await fault(client, **everything, answer=500)
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == 500


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (409, "Conflict"),
        (410, "Expired"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ],
)
async def test_a_refusal_looks_like_one_of_the_server(client: ApiClient, code: int, reason: str) -> None:
    await fault(client, verb="list", answer=code)
    got, body = await client.send("GET", CONFIG)
    assert (got, body["code"], body["reason"], body["kind"]) == (code, code, reason, "Status")


async def test_faults_are_listed_and_removed(client: ApiClient) -> None:
    first = await fault(client, verb="get", answer=500, count=None)
    second = await fault(client, verb="create", resource="configmaps", answer=409)
    assert await create(client, "a") == 409
    listed = (await client.done("GET", FAULTS))["faults"]
    assert [(each["id"], each["seen"], each["done"]) for each in listed] == [
        (first["id"], 0, 0),
        (second["id"], 1, 1),
    ]
    await client.done("DELETE", f"{FAULTS}/{first['id']}")
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == 404
    await client.done("DELETE", FAULTS)
    assert (await client.done("GET", FAULTS))["faults"] == []
    assert (await client.send("DELETE", f"{FAULTS}/{first['id']}"))[0] == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verb": "get"}, "answer"),
        ({"answer": 200}, "answer"),
        ({"answer": 500, "cout": 3}, "cout"),
        ({"answer": 500, "count": 0}, "count"),
        ({"answer": "cut", "skip": "2"}, "skip"),
        ({"answer": "hang", "resource": 5}, "resource"),
    ],
)
async def test_a_fault_that_would_do_nothing_is_refused(client: ApiClient, body: Json, field: str) -> None:
    code, answer = await client.send("POST", FAULTS, body)
    assert (code, answer["message"].partition(":")[0]) == (400, field)


async def test_faults_are_for_admins(client: ApiClient) -> None:
    request = {
        "method": "POST",
        "path": FAULTS,
        "headers": {"Impersonate-User": "x"},
        "body": {"answer": 500},
    }
    code, answer, _ = await client.exchange(request)
    assert (code, answer["message"]) == (403, 'forbidden: User "x" cannot post path "/debug/faults"')


# As the product's own client meets them


async def test_a_client_comes_again_after_the_time_that_it_is_told(
    client: ApiClient, cluster: Cluster
) -> None:
    await fault(client, verb="create", resource="configmaps", answer=429, retryAfter=1)
    creating = asyncio.create_task(cluster.create(CONFIGMAPS, config_map()))
    while not (await client.done("GET", FAULTS))["faults"][0]["done"]:
        assert not creating.done()
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == 404
    await creating


async def test_a_conflict_reaches_the_caller(client: ApiClient, cluster: Cluster) -> None:
    await cluster.create(CONFIGMAPS, config_map())
    await fault(client, verb="patch", name="a", answer=409)
    with pytest.raises(Conflict):
        await cluster.patch(CONFIGMAPS, "a", "default", {"data": {"a": "1"}})


@pytest.mark.parametrize("applied", [False, True])
async def test_a_connection_is_cut_before_or_after_the_write(
    client: ApiClient, cluster: Cluster, *, applied: bool
) -> None:
    await fault(client, verb="create", resource="configmaps", answer="cut", applied=applied)
    with pytest.raises(ClusterUnavailable):
        await cluster.create(CONFIGMAPS, config_map())
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == (200 if applied else 404)


@pytest.mark.parametrize("applied", [False, True])
async def test_an_answer_never_comes(client: ApiClient, *, applied: bool) -> None:
    await fault(client, verb="create", resource="configmaps", answer="hang", applied=applied)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await create(client, "a")
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == (200 if applied else 404)


async def test_an_answer_comes_late(client: ApiClient) -> None:
    await fault(client, verb="list", answer="pass", delay=0.5)
    late = asyncio.create_task(client.send("GET", CONFIG))
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == 404
    assert not late.done()
    assert (await late)[0] == 200


# Watches


async def test_watches_that_match_end_as_at_their_timeout(client: ApiClient) -> None:
    watch = client.watch(CONFIG)
    other = client.watch("/api/v1/namespaces/default/secrets")
    await create(client, "a")
    assert (await anext(watch))["object"]["metadata"]["name"] == "a"
    following = asyncio.ensure_future(anext(other))
    assert await closed(client, resource="configmaps") == 1
    assert [event async for event in watch] == []
    await client.done("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    assert (await following)["type"] == "ADDED"
    assert await closed(client) == 1


async def test_watches_are_cut_in_the_middle(client: ApiClient) -> None:
    watch = client.watch(CONFIG)
    await create(client, "a")
    await anext(watch)
    assert await closed(client, cut=True) == 1
    with pytest.raises(aiohttp.ClientError):
        await anext(watch)


async def test_a_slow_watch_holds_its_events_back(client: ApiClient) -> None:
    await create(client, "a")
    await fault(client, verb="watch", answer="pass", delay=0.5)
    event = asyncio.ensure_future(anext(client.watch(CONFIG)))
    assert (await client.send("GET", f"{CONFIG}/a"))[0] == 200
    assert not event.done()
    assert (await event)["type"] == "ADDED"


async def closed(client: ApiClient, **fields: Any) -> int:
    return int((await client.done("POST", "/debug/watches/close", fields))["closed"])
