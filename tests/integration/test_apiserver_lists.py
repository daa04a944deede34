"""Which state a list shows, and how its pages hold together. Runs against the sandbox's API server, and a
real one where there is one; what takes a lost history runs against the sandbox alone.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import MERGE, ApiClient, Json, connected

_NUMBERS = itertools.count()


@asynccontextmanager
async def sandboxed(state: Path) -> AsyncIterator[ApiClient]:
    server = ApiServer(Config(state=state))
    await server.start()
    async with connected(state / "kubeconfig") as bare:
        yield bare
    await server.stop()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[ApiClient]:
    async with sandboxed(tmp_path) as bare:
        yield bare


@pytest.fixture(params=["sandbox", "real"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ApiClient]:
    if request.param == "real":
        async with connected(request.getfixturevalue("real_api_server").kubeconfig) as bare:
            yield bare
    else:
        async with sandboxed(tmp_path) as bare:
            yield bare


async def four_secrets(client: ApiClient) -> str:
    """The path of the Secrets a, b, c and d in a new namespace."""
    name = f"lists-{next(_NUMBERS)}"
    await client.done("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    path = f"/api/v1/namespaces/{name}/secrets"
    for secret in "abcd":
        await client.done("POST", path, {"metadata": {"name": secret, "labels": {"kept": "yes"}}})
    return path


async def change(client: ApiClient, path: str) -> None:
    await client.done("DELETE", f"{path}/c")
    await client.done("POST", path, {"metadata": {"name": "cc"}})
    await client.done("PATCH", f"{path}/d", {"metadata": {"labels": {"kept": "no"}}}, MERGE)


def names(page: Json) -> list[str]:
    return [item["metadata"]["name"] for item in page["items"]]


async def test_later_pages_show_the_state_of_the_first(client: ApiClient) -> None:
    path = await four_secrets(client)
    first = await client.done("GET", f"{path}?limit=2")
    assert first["metadata"]["remainingItemCount"] == 2
    await change(client, path)
    second = await client.done("GET", f"{path}?limit=2&continue={first['metadata']['continue']}")
    assert names(first) + names(second) == ["a", "b", "c", "d"]
    assert second["items"][1]["metadata"]["labels"] == {"kept": "yes"}
    assert second["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


async def test_a_list_at_an_exact_version_shows_what_was_then(client: ApiClient) -> None:
    path = await four_secrets(client)
    version = (await client.done("GET", path))["metadata"]["resourceVersion"]
    await change(client, path)
    query = f"resourceVersion={version}&resourceVersionMatch=Exact"
    then = await client.done("GET", f"{path}?{query}")
    assert (names(then), then["metadata"]["resourceVersion"]) == (["a", "b", "c", "d"], version)
    selected = await client.done("GET", f"{path}?{query}&labelSelector=kept%3Dyes&limit=3")
    assert names(selected) == ["a", "b", "c"]
    assert "remainingItemCount" not in selected["metadata"]


async def test_a_list_no_older_than_a_version_shows_what_is_now(client: ApiClient) -> None:
    path = await four_secrets(client)
    version = (await client.done("GET", path))["metadata"]["resourceVersion"]
    await change(client, path)
    for match in ("&resourceVersionMatch=NotOlderThan", ""):
        now = await client.done("GET", f"{path}?resourceVersion={version}{match}")
        assert int(now["metadata"]["resourceVersion"]) >= int(version)
    assert names(await client.done("GET", path)) == ["a", "b", "cc", "d"]


@pytest.mark.parametrize("name", ["", "/a"])
async def test_a_version_to_come_is_not_waited_for_long(client: ApiClient, name: str) -> None:
    path = await four_secrets(client)
    code, answer = await client.send("GET", f"{path}{name}?resourceVersion=999999999")
    assert (code, answer["reason"], answer["details"]["retryAfterSeconds"]) == (504, "Timeout", 1)


async def test_a_single_object_is_not_watched(client: ApiClient) -> None:
    path = await four_secrets(client)
    assert (await client.done("GET", f"{path}/a?watch=1"))["metadata"]["name"] == "a"


async def test_a_token_goes_on_with_what_is_now_once_history_is_lost(sandbox: ApiClient) -> None:
    path = await four_secrets(sandbox)
    first = await sandbox.done("GET", f"{path}?limit=2")
    await change(sandbox, path)
    await sandbox.done("POST", "/debug/compact")
    code, gone = await sandbox.send("GET", f"{path}?limit=2&continue={first['metadata']['continue']}")
    assert (code, gone["reason"]) == (410, "Expired")
    assert "inconsistent list" in gone["message"]
    rest = await sandbox.done("GET", f"{path}?limit=2&continue={gone['metadata']['continue']}")
    assert names(rest) == ["cc", "d"]


async def test_a_list_at_a_version_that_history_lost_is_refused(sandbox: ApiClient) -> None:
    path = await four_secrets(sandbox)
    version = (await sandbox.done("GET", path))["metadata"]["resourceVersion"]
    await change(sandbox, path)
    await sandbox.done("POST", "/debug/compact")
    code, gone = await sandbox.send("GET", f"{path}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert (code, gone["message"]) == (410, "The resourceVersion for the provided list is too old.")


async def test_a_watch_from_a_version_to_come_is_told_so(sandbox: ApiClient) -> None:
    path = await four_secrets(sandbox)
    events = [event async for event in sandbox.watch(path, resourceVersion="999999999")]
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 504)]


async def test_a_watch_without_initial_events_begins_now(sandbox: ApiClient) -> None:
    path = await four_secrets(sandbox)
    query = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan", "timeoutSeconds": "1"}
    assert [event async for event in sandbox.watch(path, **query)] == []
