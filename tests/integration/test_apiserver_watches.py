"""What only the sandbox's own API server can be made to show: lost history, bookmarks, accounts, logs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.apiserver import ApiServer, Config
from sandbox.apiserver.access.tokens import service_account
from tests.integration.api_client import MERGE, ApiClient, Json, connected

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    started = ApiServer(Config(state=tmp_path, bookmark_interval=0.05, history=5))
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def client(server: ApiServer, tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with connected(tmp_path / "kubeconfig") as bare:
        yield bare


async def drain(events: AsyncIterator[Json]) -> None:
    async for _ in events:
        pass


async def create(client: ApiClient, count: int) -> list[Json]:
    body = [{"metadata": {"name": f"c{number}"}} for number in range(count)]
    return [await client.done("POST", CONFIG_MAPS, one) for one in body]


async def test_a_version_older_than_the_history_is_gone(client: ApiClient) -> None:
    created = await create(client, 8)
    version = created[0]["metadata"]["resourceVersion"]
    events = [event async for event in client.watch(CONFIG_MAPS, resourceVersion=version)]
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]
    assert events[0]["object"]["message"].startswith(f"too old resource version: {version} (")


async def test_history_can_be_forgotten_for_tests_of_clients(client: ApiClient) -> None:
    first, *_ = await create(client, 2)
    await client.done("POST", "/debug/compact")
    version = first["metadata"]["resourceVersion"]
    event = await anext(client.watch(CONFIG_MAPS, resourceVersion=version))
    assert event["object"]["reason"] == "Expired"


async def test_bookmarks_carry_the_version_of_the_whole_server(client: ApiClient) -> None:
    listed = await client.done("GET", CONFIG_MAPS)
    version = listed["metadata"]["resourceVersion"]
    events = client.watch(CONFIG_MAPS, resourceVersion=version, allowWatchBookmarks="true")
    other = await client.done("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    async for event in events:
        assert event["type"] == "BOOKMARK"
        if event["object"]["metadata"]["resourceVersion"] == other["metadata"]["resourceVersion"]:
            break


async def test_initial_events_end_with_a_bookmark_that_says_so(client: ApiClient) -> None:
    await create(client, 2)
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    events = client.watch(CONFIG_MAPS, **query)
    types = [(await anext(events))["type"] for _ in range(2)]
    bookmark = await anext(events)
    assert types == ["ADDED", "ADDED"]
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_ends_at_its_timeout(client: ApiClient) -> None:
    assert [event async for event in client.watch(CONFIG_MAPS, timeoutSeconds="1")] == []


async def test_a_watcher_that_leaves_is_forgotten(client: ApiClient, server: ApiServer) -> None:
    collection = server.store.collection("/configmaps")
    watching = asyncio.create_task(drain(client.watch(CONFIG_MAPS)))
    while not collection.watchers:  # noqa: ASYNC110 - the server is another task: there is no event to wait for
        await asyncio.sleep(0.01)
    watching.cancel()
    while collection.watchers:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)


async def test_a_watch_of_a_table_sends_rows(client: ApiClient) -> None:
    await create(client, 1)
    form = "application/json;as=Table;v=v1;g=meta.k8s.io"
    request = {
        "method": "GET",
        "path": f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1",
        "headers": {"Accept": form},
        "body": None,
    }
    code, event, _ = await client.exchange(request)
    assert (code, event["object"]["kind"], event["object"]["rows"][0]["cells"][:2]) == (
        200,
        "Table",
        ["c0", 0],
    )


async def test_requests_are_counted_by_who_asked_for_what(client: ApiClient) -> None:
    await create(client, 2)
    report = await client.done("GET", "/debug/requests")
    assert {
        "userAgent": "Python/3", "user": "admin", "verb": "create", "resource": "configmaps", "count": 2
    } in report["requests"]  # fmt: skip


async def test_writes_are_kept_in_their_order_with_what_they_left(client: ApiClient) -> None:
    (created,) = await create(client, 1)
    await client.done("PATCH", f"{CONFIG_MAPS}/c0", {"data": {"a": "1"}}, MERGE)
    await client.done("DELETE", f"{CONFIG_MAPS}/c0")
    before = int(created["metadata"]["resourceVersion"]) - 1
    report = await client.done("GET", f"/debug/writes?after={before}&objects=true")
    writes = [
        (write["verb"], write["name"], (write["object"] or {}).get("data")) for write in report["writes"]
    ]
    assert writes == [("create", "c0", None), ("patch", "c0", {"a": "1"}), ("delete", "c0", None)]


async def test_a_service_account_acts_under_its_own_name(server: ApiServer, tmp_path: Path) -> None:
    server.write_kubeconfig(tmp_path / "other", service_account("test", "app"))
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with connected(tmp_path / "other") as client:
        review = await client.done("POST", path, {})
    assert review["status"]["userInfo"]["username"] == "system:serviceaccount:test:app"


async def test_a_token_that_was_issued_is_recognised_in_a_review(client: ApiClient) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await client.done("POST", accounts, {"metadata": {"name": "app"}})
    request = await client.done("POST", f"{accounts}/app/token", {"spec": {"expirationSeconds": 600}})
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    review = await client.done("POST", reviews, {"spec": {"token": request["status"]["token"]}})
    assert review["status"]["authenticated"] is True
    assert review["status"]["user"]["username"] == "system:serviceaccount:default:app"
    review = await client.done("POST", reviews, {"spec": {"token": "guessed"}})
    assert "authenticated" not in review["status"]


async def pod_with_log(client: ApiClient, state: Path, text: str) -> Path:
    spec = {"containers": [{"name": "app", "image": "i"}]}
    pod = await client.done("POST", PODS, {"metadata": {"name": "p"}, "spec": spec})
    file: Path = state / "pods" / pod["metadata"]["uid"] / "app.log"
    await asyncio.to_thread(file.parent.mkdir, parents=True)
    await asyncio.to_thread(file.write_text, text)
    return file


async def test_logs_are_read_from_their_end(client: ApiClient, tmp_path: Path) -> None:
    await pod_with_log(client, tmp_path, "one\ntwo\nthree\n")
    assert await client.send("GET", f"{PODS}/p/log") == (200, "one\ntwo\nthree\n")
    assert await client.send("GET", f"{PODS}/p/log?tailLines=2&container=app") == (200, "two\nthree\n")
    assert (await client.send("GET", f"{PODS}/p/log?container=other"))[0] == 400


async def test_logs_are_followed_until_the_pod_is_gone(client: ApiClient, tmp_path: Path) -> None:
    file = await pod_with_log(client, tmp_path, "one\n")
    following = asyncio.create_task(client.send("GET", f"{PODS}/p/log?follow=true"))
    with file.open("a") as opened:
        opened.write("two\n")
    await asyncio.sleep(0.3)
    await client.done("DELETE", f"{PODS}/p")
    assert await following == (200, "one\ntwo\n")


async def test_what_processes_cannot_offer_is_refused_clearly(client: ApiClient, tmp_path: Path) -> None:
    await pod_with_log(client, tmp_path, "")
    code, body = await client.send("POST", f"{PODS}/p/exec?command=sh")
    assert (code, body["reason"]) == (501, "NotImplemented")


async def test_one_kind_shows_in_both_of_its_groups(client: ApiClient) -> None:
    about = {"kind": "ConfigMap", "name": "c", "namespace": "default"}
    event = {
        "metadata": {"name": "e"},
        "involvedObject": about,
        "message": "m",
        "reason": "R",
        "type": "Normal",
    }
    await client.done("POST", "/api/v1/namespaces/default/events", event)
    other = await client.done("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")
    assert (other["note"], other["regarding"], other["apiVersion"]) == ("m", about, "events.k8s.io/v1")


async def test_an_autoscaler_of_the_old_version_is_kept_as_the_new_one(client: ApiClient) -> None:
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "d"},
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 70,
    }
    path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    await client.done("POST", path.format("v1"), {"metadata": {"name": "h"}, "spec": spec})
    new = await client.done("GET", path.format("v2") + "/h")
    assert new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    old = await client.done("GET", path.format("v1") + "/h")
    assert old["spec"] == {**spec, "minReplicas": 1}
