"""What makes no sense is answered as a real server answers it: with the same refusal, and never with a 500
that a real one would not give.

`bad_requests.json` has what kube-apiserver 1.36 was recorded to answer: status, reason, warnings and, where
the sandbox has the same words, the message. The table runs against both servers.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import APPLY, MERGE, STRATEGIC, ApiClient, Json, connected

TABLE: list[Json] = json.loads(Path(__file__).with_name("bad_requests.json").read_text())
JSON_PATCH = "application/json-patch+json"
CONFIG_MAP = {"metadata": {"name": "p"}, "data": {"a": "1"}}
CONTAINERS = {"containers": [{"name": "c", "image": "i"}]}
DEPLOYMENT = {
    "metadata": {"name": "w"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": CONTAINERS},
    },
}


@pytest.fixture(params=["sandbox", "real"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ApiClient]:
    if request.param == "real":
        async with connected(request.getfixturevalue("real_api_server").kubeconfig) as bare:
            yield bare
        return
    async with sandboxed(tmp_path) as bare:
        yield bare


@asynccontextmanager
async def sandboxed(state: Path) -> AsyncIterator[ApiClient]:
    server = ApiServer(Config(state=state))
    await server.start()
    try:
        async with connected(state / "kubeconfig") as bare:
            yield bare
    finally:
        await server.stop()


async def prepare(client: ApiClient, space: str) -> None:
    core = f"/api/v1/namespaces/{space}"
    await client.send("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
    await client.send("POST", f"{core}/serviceaccounts", {"metadata": {"name": "default"}})
    await client.send("POST", f"{core}/configmaps", CONFIG_MAP)
    await client.send("POST", f"/apis/apps/v1/namespaces/{space}/deployments", DEPLOYMENT)


def as_request(row: Json, space: str) -> Json:
    headers = {"Accept": "application/json", "Content-Type": row.get("type", ""), **row.get("headers", {})}
    body = base64.b64decode(row["base64"]) if "base64" in row else row.get("body", "").encode()
    path = row["path"].replace("SPACE", space)
    return {"method": row["method"], "path": path, "headers": headers, "body": body}


@pytest.mark.timeout(180)
async def test_requests_that_make_no_sense_get_the_recorded_refusal(client: ApiClient) -> None:
    space = "bad-input"
    await prepare(client, space)
    wrong: Json = {}
    for row in TABLE:
        code, answer, warnings = await client.exchange(as_request(row, space))
        status = answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}
        got = {"code": code, "warnings": warnings, "reason": status.get("reason", "")}
        want = {"code": row["code"], "warnings": row.get("warnings", []), "reason": row.get("reason", "")}
        if "message" in row:
            got["message"], want["message"] = status.get("message"), row["message"]
        if got != want:
            wrong[f"{row['title']}: {row['method']} {row['path']}"] = (want, got)
        if row["method"] != "GET":
            await restore(client, space)
    assert wrong == {}


async def restore(client: ApiClient, space: str) -> None:
    """What the table begins with."""
    for path in (
        f"/api/v1/namespaces/{space}/configmaps/x",
        f"/apis/apps/v1/namespaces/{space}/deployments/x",
    ):
        await client.send("DELETE", path)
    await client.send("POST", f"/api/v1/namespaces/{space}/configmaps", CONFIG_MAP)


@pytest.mark.parametrize("kind", ["application/json", "application/yaml", MERGE, JSON_PATCH, STRATEGIC])
async def test_nesting_without_end_is_refused(client: ApiClient, kind: str) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    await client.send("POST", path, CONFIG_MAP)
    method = "POST" if kind in ("application/json", "application/yaml") else "PATCH"
    headers = {"Content-Type": kind}
    for body in ("[" * 100_000, '{"a":' * 20_000 + "1" + "}" * 20_000):
        request = {"method": method, "headers": headers, "body": body}
        code, answer, _ = await client.exchange({**request, "path": path + "/p" * (method == "PATCH")})
        assert (code, answer["kind"]) == (400, "Status"), answer


async def test_a_patch_of_too_many_operations_is_refused(client: ApiClient) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    await client.send("POST", path, CONFIG_MAP)
    operations = [{"op": "test", "path": "/data/a", "value": "1"}] * 10_001
    code, answer = await client.send("PATCH", f"{path}/p", operations, JSON_PATCH)
    assert (code, answer["reason"]) == (413, "RequestEntityTooLarge")


NAMES = st.sampled_from(
    "kind apiVersion metadata name namespace labels annotations finalizers ownerReferences uid spec replicas "
    "resourceVersion generateName managedFields deletionTimestamp selector matchLabels template containers "
    "image ports env data binaryData status conditions type value op path from $patch $retainKeys "
    "$setElementOrder/containers $deleteFromPrimitiveList/finalizers".split()
) | st.text(max_size=6)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
KINDS = ("application/json", "application/yaml", MERGE, JSON_PATCH, STRATEGIC, APPLY)
PLACES = (
    "/api/v1/namespaces/fuzz/configmaps", "/apis/apps/v1/namespaces/fuzz/deployments", "/api/v1/namespaces",
    "/api/v1/namespaces/fuzz/services", "/api/v1/namespaces/fuzz/pods", "/api/v1/namespaces/fuzz/events",
    "/apis/autoscaling/v2/namespaces/fuzz/horizontalpodautoscalers",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/coordination.k8s.io/v1/namespaces/fuzz/leases",
    "/apis/discovery.k8s.io/v1/namespaces/fuzz/endpointslices",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
)  # fmt: skip
QUERIES = st.dictionaries(
    st.sampled_from(
        "limit continue resourceVersion resourceVersionMatch labelSelector fieldSelector dryRun fieldManager "
        "force fieldValidation propagationPolicy gracePeriodSeconds orphanDependents pretty".split()
    ),
    st.sampled_from(
        ["", "0", "1", "-1", "All", "x", "true", "a=b", "a in (b", "Exact", "Orphan", "\x00", "é"]
    ),
    max_size=3,
)
BODIES = st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode())


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> "Fuzzed":
    return Fuzzed(tmp_path_factory.mktemp("fuzzed"))


class Fuzzed:
    """A sandbox that is asked many things in one event loop."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def ask(self, requests: list[Json]) -> list[tuple[int, Any]]:
        return asyncio.run(self._ask(requests))

    async def _ask(self, requests: list[Json]) -> list[tuple[int, Any]]:
        async with sandboxed(self._state) as client:
            await prepare(client, "fuzz")
            return [(await client.exchange(request))[:2] for request in requests]


@st.composite
def requests(draw: st.DrawFn) -> Json:
    method = draw(st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]))
    place = draw(st.sampled_from(PLACES)) + draw(
        st.sampled_from(["", "/p", "/w", "/fuzz", "/w/status", "/w/scale"])
    )
    query = "&".join(
        f"{name}={''.join(f'%{b:02X}' for b in value.encode())}" for name, value in draw(QUERIES).items()
    )
    return {
        "method": method,
        "path": f"{place}?{query}",
        "headers": {"Content-Type": draw(st.sampled_from(KINDS))},
        "body": draw(BODIES) if method != "GET" else b"",
    }


@pytest.mark.timeout(120)
@given(batch=st.lists(requests(), min_size=20, max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_makes_the_server_trip(fuzzed: Fuzzed, batch: list[Json]) -> None:
    for request, (code, answer) in zip(batch, fuzzed.ask(batch), strict=True):
        tripped = code == 500 and isinstance(answer, dict) and answer.get("reason") == "InternalError"
        assert not tripped, (request, answer)
