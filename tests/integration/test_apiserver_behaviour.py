"""What clients rely on in an API server. Runs against the sandbox's, and a real one where there is one.

Each test has a namespace of its own.
"""

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import APPLY, MERGE, STRATEGIC, ApiClient, Json, connected

_NUMBERS = itertools.count()


@pytest.fixture(params=["sandbox", "real"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ApiClient]:
    if request.param == "real":
        async with connected(request.getfixturevalue("real_api_server").kubeconfig) as bare:
            yield bare
        return
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    async with connected(tmp_path / "kubeconfig") as bare:
        yield bare
    await server.stop()


@pytest.fixture
async def space(client: ApiClient) -> str:
    """The path of a new namespace's core resources."""
    name = f"behaviour-{next(_NUMBERS)}"
    await client.done("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return f"/api/v1/namespaces/{name}"


def config_map(name: str, **metadata: Any) -> Json:
    return {"metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def deployment(**spec: Any) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def deployments(space: str) -> str:
    return space.replace("/api/v1", "/apis/apps/v1") + "/deployments"


async def take(events: AsyncIterator[Json], count: int) -> list[tuple[str, str]]:
    """Type and name of the next events, bookmarks left out."""
    taken: list[tuple[str, str]] = []
    async for event in events:
        if event["type"] != "BOOKMARK":
            taken.append((event["type"], event["object"]["metadata"]["name"]))
        if len(taken) == count:
            break
    return taken


async def test_a_watch_from_a_version_replays_what_happened_since(client: ApiClient, space: str) -> None:
    path = f"{space}/configmaps"
    version = (await client.done("POST", path, config_map("one")))["metadata"]["resourceVersion"]
    await client.done("POST", path, config_map("two"))
    await client.done("PATCH", f"{path}/two", {"data": {"a": "2"}}, MERGE)
    await client.done("DELETE", f"{path}/two")
    events = client.watch(path, resourceVersion=version, fieldSelector="metadata.name=two")
    assert await take(events, 3) == [("ADDED", "two"), ("MODIFIED", "two"), ("DELETED", "two")]


async def test_a_watch_goes_on_with_what_happens_next(client: ApiClient, space: str) -> None:
    path = f"{space}/configmaps"
    version = (await client.done("GET", path))["metadata"]["resourceVersion"]
    next_two = asyncio.create_task(take(client.watch(path, resourceVersion=version), 2))
    await client.done("POST", path, config_map("one"))
    await client.done("POST", path, config_map("two"))
    assert await next_two == [("ADDED", "one"), ("ADDED", "two")]


async def test_an_object_that_stops_matching_is_deleted_to_the_watcher(client: ApiClient, space: str) -> None:
    path = f"{space}/configmaps"
    version = (await client.done("GET", path))["metadata"]["resourceVersion"]
    await client.done("POST", path, config_map("one", labels={"wanted": "no"}))
    for value in ("yes", "yes", "no"):
        labels = {"wanted": value, "seen": str(next(_NUMBERS))}
        await client.done("PATCH", f"{path}/one", {"metadata": {"labels": labels}}, MERGE)
    events = client.watch(path, resourceVersion=version, labelSelector="wanted=yes")
    assert await take(events, 3) == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


async def test_a_watch_without_a_version_begins_with_what_is_there(client: ApiClient, space: str) -> None:
    await client.done("POST", f"{space}/configmaps", config_map("one"))
    events = client.watch(f"{space}/configmaps", fieldSelector="metadata.name=one")
    assert await take(events, 1) == [("ADDED", "one")]


async def test_pages_of_a_list_hold_everything_once(client: ApiClient, space: str) -> None:
    path = f"{space}/secrets"
    for number in range(5):
        await client.done("POST", path, {"metadata": {"name": f"s{number}"}})
    names: list[str] = []
    query = ""
    while True:
        page = await client.done("GET", f"{path}?limit=2{query}")
        names += [item["metadata"]["name"] for item in page["items"]]
        if not page["metadata"].get("continue"):
            break
        query = f"&continue={page['metadata']['continue']}"
    assert names == [f"s{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=web", ["a"]),
        ("tier!=web", ["b", "c"]),
        ("tier in (web, db)", ["a", "b"]),
        ("tier notin (web)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier=db,env=test", ["b"]),
    ],
)
async def test_label_selectors_select(client: ApiClient, space: str, selector: str, names: list[str]) -> None:
    path = f"{space}/secrets"
    for name, labels in (
        ("a", {"tier": "web"}),
        ("b", {"tier": "db", "env": "test"}),
        ("c", {"env": "test"}),
    ):
        await client.done("POST", path, {"metadata": {"name": name, "labels": labels}})
    found = await client.done("GET", f"{path}?labelSelector={selector.replace(' ', '%20')}")
    assert [item["metadata"]["name"] for item in found["items"]] == names


async def test_a_field_that_cannot_be_selected_is_refused(client: ApiClient, space: str) -> None:
    code, body = await client.send("GET", f"{space}/configmaps?fieldSelector=data.a%3D1")
    assert code == 400
    only = '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'
    assert body["message"].endswith(only)


async def test_a_change_of_nothing_keeps_the_version(client: ApiClient, space: str) -> None:
    path = f"{space}/configmaps"
    first = await client.done("POST", path, config_map("one"))
    again = await client.done("PATCH", f"{path}/one", {"data": {"a": "1"}}, MERGE)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_status_write_changes_the_status_alone(client: ApiClient, space: str) -> None:
    path = deployments(space)
    await client.done("POST", path, deployment(replicas=2))
    patch = {"spec": {"replicas": 9}, "status": {"observedGeneration": 1, "replicas": 1}}
    after = await client.done("PATCH", f"{path}/web/status", patch, MERGE)
    assert (after["spec"]["replicas"], after["status"]["replicas"], after["metadata"]["generation"]) == (
        2,
        1,
        1,
    )
    after = await client.done("PATCH", f"{path}/web", {**patch, "status": {"replicas": 5}}, MERGE)
    assert (after["spec"]["replicas"], after["status"]["replicas"], after["metadata"]["generation"]) == (
        9,
        1,
        2,
    )


async def test_strategic_merge_knows_containers_by_name(client: ApiClient, space: str) -> None:
    path = deployments(space)
    await client.done("POST", path, deployment())
    containers = [{"name": "side", "image": "s:1"}, {"name": "c", "env": [{"name": "A", "value": "1"}]}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    after = await client.done("PATCH", f"{path}/web", patch, STRATEGIC)
    images = {c["name"]: c["image"] for c in after["spec"]["template"]["spec"]["containers"]}
    assert images == {"c": "i:1", "side": "s:1"}
    patch["spec"]["template"]["spec"]["containers"] = [{"name": "side", "$patch": "delete"}]
    after = await client.done("PATCH", f"{path}/web", patch, STRATEGIC)
    assert [c["name"] for c in after["spec"]["template"]["spec"]["containers"]] == ["c"]


async def test_apply_takes_away_what_its_manager_no_longer_names(client: ApiClient, space: str) -> None:
    path = f"{space}/configmaps/applied?fieldManager=me"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}}
    await client.done("PATCH", path, {**config, "data": {"mine": "1", "gone": "1"}}, APPLY)
    await client.done("PATCH", f"{space}/configmaps/applied", {"data": {"others": "1"}}, MERGE)
    after = await client.done("PATCH", path, {**config, "data": {"mine": "2"}}, APPLY)
    assert after["data"] == {"mine": "2", "others": "1"}


async def test_apply_does_not_take_what_another_manager_set(client: ApiClient, space: str) -> None:
    path = deployments(space)
    await client.done("POST", path, deployment(replicas=1))
    config = {**deployment(replicas=3)}
    code, body = await client.send("PATCH", f"{path}/web?fieldManager=me", config, APPLY)
    assert (code, body["details"]["causes"][0]["field"]) == (409, ".spec.replicas")
    after = await client.done("PATCH", f"{path}/web?fieldManager=me&force=true", config, APPLY)
    assert after["spec"]["replicas"] == 3


async def test_a_finalizer_holds_an_object_until_it_is_removed(client: ApiClient, space: str) -> None:
    path = f"{space}/configmaps"
    await client.done("POST", path, config_map("held", finalizers=["example.com/hold"]))
    held = await client.done("DELETE", f"{path}/held")
    assert "deletionTimestamp" in held["metadata"]
    await client.done("PATCH", f"{path}/held", {"metadata": {"finalizers": None}}, MERGE)
    assert (await client.send("GET", f"{path}/held"))[0] == 404


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
async def test_a_propagation_policy_waits_for_the_garbage_collector(
    client: ApiClient, space: str, policy: str, finalizer: str
) -> None:
    await client.done("POST", deployments(space), deployment())
    left = await client.done("DELETE", f"{deployments(space)}/web", {"propagationPolicy": policy})
    assert left["metadata"]["finalizers"] == [finalizer]


@pytest.mark.parametrize("precondition", [{"uid": "another"}, {"resourceVersion": "1"}])
async def test_a_delete_with_a_precondition_that_fails_is_a_conflict(
    client: ApiClient, space: str, precondition: Json
) -> None:
    await client.done("POST", f"{space}/configmaps", config_map("kept"))
    code, body = await client.send("DELETE", f"{space}/configmaps/kept", {"preconditions": precondition})
    assert (code, body["reason"]) == (409, "Conflict")


async def test_a_pod_on_a_node_is_gone_when_its_kubelet_says_so(client: ApiClient, space: str) -> None:
    spec = {
        "containers": [{"name": "c", "image": "i"}],
        "nodeName": "node",
        "automountServiceAccountToken": False,
    }
    account = {"metadata": {"name": "default"}}
    await client.send("POST", f"{space}/serviceaccounts", account)
    await client.done("POST", f"{space}/pods", {"metadata": {"name": "p"}, "spec": spec})
    marked = await client.done("DELETE", f"{space}/pods/p")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    await client.done("DELETE", f"{space}/pods/p", {"gracePeriodSeconds": 0})
    assert (await client.send("GET", f"{space}/pods/p"))[0] == 404


async def test_nothing_is_created_in_a_namespace_that_ends(client: ApiClient, space: str) -> None:
    await client.done("DELETE", space)
    code, body = await client.send("POST", f"{space}/configmaps", config_map("late"))
    assert (code, body["reason"]) == (403, "Forbidden")
    assert body["details"]["causes"][0]["reason"] == "NamespaceTerminating"


async def test_a_dry_run_stores_nothing(client: ApiClient, space: str) -> None:
    path = f"{space}/configmaps"
    await client.done("POST", f"{path}?dryRun=All", config_map("dry"))
    assert (await client.send("GET", f"{path}/dry"))[0] == 404
    await client.done("POST", path, config_map("dry"))
    patched = await client.done("PATCH", f"{path}/dry?dryRun=All", {"data": {"a": "2"}}, MERGE)
    assert patched["data"] == {"a": "2"}
    await client.done("DELETE", f"{path}/dry?dryRun=All")
    assert (await client.done("GET", f"{path}/dry"))["data"] == {"a": "1"}


async def test_a_generated_name_begins_as_asked(client: ApiClient, space: str) -> None:
    made = await client.done("POST", f"{space}/configmaps", {"metadata": {"generateName": "job-"}})
    assert made["metadata"]["name"].startswith("job-") and len(made["metadata"]["name"]) == 9


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "configmaps", {"metadata": {"name": "Not_A_Name"}}, 422),
        ("POST", "configmaps", {"metadata": {}}, 422),
        ("POST", "configmaps", {"metadata": {"name": "a", "namespace": "elsewhere"}}, 400),
        ("POST", "configmaps", {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}, 400),
        ("POST", "configmaps", {"metadata": {"name": "a"}, "data": {"n": 1}}, 400),
        ("POST", "services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 70000}]}}, 422),
        ("PUT", "configmaps/absent", {"metadata": {"name": "absent"}}, 404),
        ("PATCH", "configmaps/absent", {}, 404),
        ("DELETE", "configmaps/absent", None, 404),
        ("POST", "nosuchthings", {}, 404),
        ("GET", "configmaps/absent/status", None, 404),
    ],
)
async def test_requests_that_make_no_sense_are_refused(
    client: ApiClient, space: str, method: str, path: str, body: Any, code: int
) -> None:
    kind = MERGE if method == "PATCH" else "application/json"
    actual, answer = await client.send(method, f"{space}/{path}", body, kind)
    assert (actual, answer["kind"]) == (code, "Status")


async def test_a_client_without_a_known_token_is_turned_away(client: ApiClient) -> None:
    request = {
        "method": "GET",
        "path": "/api/v1/pods",
        "headers": {"Authorization": "Bearer no"},
        "body": None,
    }
    code, body, _ = await client.exchange(request)
    assert (code, body["reason"]) == (401, "Unauthorized")


async def test_a_body_that_is_too_large_is_refused(client: ApiClient, space: str) -> None:
    body = json.dumps(config_map("large") | {"data": {"a": "x" * (3 * 1024 * 1024)}}).encode()
    code, answer = await client.send("POST", f"{space}/configmaps", io.BytesIO(body))
    assert (code, answer["reason"]) == (413, "RequestEntityTooLarge")
