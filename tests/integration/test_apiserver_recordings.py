"""The sandbox's API server answers what a real kube-apiserver was recorded to answer.

The recordings are replayed in their order against one server: later ones build on earlier ones. What the real
cluster's controllers wrote in between is written from the recorded states. Values that differ from run to run
are masked; what the sandbox does not claim is listed with the reason.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import MERGE, ApiClient, connected
from tests.recordings import recorded

Json = dict[str, Any]

DEPLOYMENTS = "/apis/apps/v1/namespaces/rec/deployments"
CANARY = "/apis/flagger.app/v1beta1/namespaces/rec/canaries/podinfo"
CONTROLLERS = "kube-controller-manager/v1.36"

# Values that are another in each run; `description` is the prose of API documentation.
MASKED = {
    "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "clusterIP", "clusterIPs",
    "description", "storageVersionHash", "serverAddress",
}  # fmt: skip

NOT_REPLAYED = {
    "001": "the version of another program",
    "005": "more groups than the sandbox serves: see the discovery test",
    "006": "more resources than the sandbox serves: see the discovery test",
    "007": "more resources than the sandbox serves: see the discovery test",
    "008": "more resources than the sandbox serves: see the discovery test",
    "023": "lists the namespaces of another cluster: see the paging test",
    "025": "pods that a real cluster made: see the test of columns",
    "026": "ReplicaSets that a real cluster made",
    "027": "pods that a real cluster made",
    "039": "a watch: see the watch tests",
    "040": "an etcd too old for it: the sandbox serves sendInitialEvents",
    "041": "a watch: see the watch tests",
    "053": "calls webhooks",
    "054": "calls webhooks",
    "055": "follows what a webhook changed",
    "057": "calls webhooks",
    "058": "calls webhooks",
    "059": "calls webhooks",
    "060": "calls webhooks",
    "076": "the real server returns managedFields for an object it does not keep",
    "077": "the words of another JSON parser: see the test of malformed bodies",
}

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
COLUMN = ("name", "type", "jsonPath", "priority")
PRINTED = [
    ("Status", "string", ".status.phase", 0),
    ("Weight", "string", ".status.canaryWeight", 0),
    ("Suspended", "boolean", ".spec.suspend", 1),
    ("FailedChecks", "string", ".status.failedChecks", 1),
    ("Interval", "string", ".spec.analysis.interval", 1),
    ("Mirror", "boolean", ".spec.analysis.mirror", 1),
    ("StepWeight", "string", ".spec.analysis.stepWeight", 1),
    ("StepWeights", "string", ".spec.analysis.stepWeights", 1),
    ("MaxWeight", "string", ".spec.analysis.maxWeight", 1),
    ("LastTransitionTime", "string", ".status.lastTransitionTime", 0),
]


def definition(plural: str, kind: str, spec: Json) -> Json:
    """A CRD of the recorded cluster, cut down to what the recordings touch."""
    version: Json = {"name": "v1beta1", "served": True, "storage": True, "subresources": {"status": {}}}
    properties = {"spec": {"type": "object", **spec}, "status": FREE}
    version["schema"] = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    if kind == "Canary":
        version["additionalPrinterColumns"] = [dict(zip(COLUMN, column, strict=True)) for column in PRINTED]
    names = {"plural": plural, "kind": kind, "singular": kind.lower(), "categories": ["all"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.flagger.app"},
        "spec": {"group": "flagger.app", "scope": "Namespaced", "names": names, "versions": [version]},
    }


def canary_spec() -> Json:
    reference = {"apiVersion": STRING, "name": STRING}
    kinds = {"type": "string", "enum": ["DaemonSet", "Deployment", "Service"]}
    analysis = {
        "interval": {"type": "string", "pattern": "^[0-9]+(m|s)"},
        "maxWeight": {"type": "number"},
        "stepWeight": {"type": "number"},
        "threshold": {"type": "number"},
        "metrics": {"type": "array", "items": FREE},
        "webhooks": {"type": "array", "items": FREE, "x-kubernetes-validations": [{"rule": "true"}]},
    }
    return {
        "properties": {
            "provider": STRING,
            "progressDeadlineSeconds": {"type": "number"},
            "suspend": {"type": "boolean"},
            "autoscalerRef": {"type": "object", "properties": {**reference, "kind": STRING}},
            "targetRef": {"type": "object", "properties": {**reference, "kind": kinds}},
            "service": {
                "type": "object",
                "properties": {"port": INTEGER, "targetPort": {"x-kubernetes-int-or-string": True}},
            },
            "analysis": {"type": "object", "properties": analysis},
        }
    }


async def write(client: ApiClient, method: str, path: str, body: Json | None, agent: str) -> None:
    kind = MERGE if method == "PATCH" else "application/json"
    request = {"method": method, "path": path, "headers": {"Content-Type": kind}, "body": body}
    code, answer, _ = await client.exchange(request, agent)
    assert code in (200, 201), answer


async def controllers_wrote(client: ApiClient, name: str, state: Json) -> None:
    """Puts a Deployment's status and the annotation that comes with it, as the recorded controller."""
    annotation = state["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
    current = await client.done("GET", f"{DEPLOYMENTS}/{name}")
    current["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = annotation
    current["status"] = state["status"]
    await write(client, "PUT", f"{DEPLOYMENTS}/{name}/status", current, CONTROLLERS)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[ApiClient]:
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    async with connected(tmp_path / "kubeconfig") as bare:
        yield bare
    await server.stop()


async def install_definitions(client: ApiClient) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await write(client, "POST", path, definition("canaries", "Canary", canary_spec()), "setup")
    for plural, kind in (("metrictemplates", "MetricTemplate"), ("alertproviders", "AlertProvider")):
        await write(client, "POST", path, definition(plural, kind, FREE), "setup")


async def before(client: ApiClient, number: str) -> None:
    """What happened between recordings without being recorded itself."""
    if number == "017":
        for item in recorded("020")["response"]["body"]["items"]:
            await controllers_wrote(client, item["metadata"]["name"], item)
    if number == "036":
        await controllers_wrote(client, "podinfo", recorded("036")["response"]["body"])
    if number == "056":
        await write(client, "DELETE", CANARY, None, "kubectl/v1")
    if number == "063":
        await write(client, "PATCH", CANARY, {"metadata": {"labels": {"x": "2"}}}, "Python/3")


async def with_present_identity(client: ApiClient, number: str, request: Json) -> Json:
    """Writes that carry an identity or a version carry those of this run, stale ones a stale version."""
    if number not in ("029", "069", "070"):
        return request
    present = (await client.done("GET", request["path"]))["metadata"]
    version = present["resourceVersion"] if number == "069" else "1"
    metadata = {**request["body"]["metadata"], "uid": present["uid"], "resourceVersion": version}
    return {**request, "body": {**request["body"], "metadata": metadata}}


def masked(value: Any) -> Any:
    if isinstance(value, dict):
        shown: Json = {
            k: "*" if k in MASKED and not isinstance(v, dict) else masked(v) for k, v in value.items()
        }
        if "managedFields" in shown:
            # They are in the order of their times, which had seconds between them when they were recorded.
            shown["managedFields"].sort(key=lambda entry: (entry["manager"], entry.get("subresource", "")))
        return shown
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"^(podinfo\.)[a-z0-9]{5}$|^\d+s$", r"\1*", value)
    return value


def with_sorted_verbs(body: Any) -> Any:
    """Custom resources list their verbs in another order, which means nothing."""
    for resource in body.get("resources", ()) if isinstance(body, dict) else ():
        resource["verbs"].sort()
    return body


def without_managers(body: Any) -> Any:
    """A body without managedFields."""
    if isinstance(body, dict):
        return {k: without_managers(v) for k, v in body.items() if k != "managedFields"}
    return [without_managers(item) for item in body] if isinstance(body, list) else body


# Controllers of the recorded cluster touched these objects in ways that were not recorded in full.
MANAGERS_DIFFER = {"036", "063", "064", "065", "066"}


@pytest.mark.timeout(30)
async def test_every_recorded_request_gets_the_recorded_answer(client: ApiClient) -> None:
    await install_definitions(client)
    wrong: dict[str, Any] = {}
    for number in (f"{n:03}" for n in range(1, 80)):
        if number in NOT_REPLAYED:
            continue
        await before(client, number)
        exchange = recorded(number)
        request = await with_present_identity(client, number, exchange["request"])
        code, body, warnings = await client.exchange(request)
        expected = exchange["response"]
        want, got = with_sorted_verbs(expected["body"]), with_sorted_verbs(body)
        if number in MANAGERS_DIFFER:
            want, got = without_managers(want), without_managers(got)
        want_all = (expected["status"], masked(want), expected["headers"].get("Warning", []))
        if (code, masked(got), warnings) != want_all:
            wrong[exchange["title"]] = differences(masked(want), masked(got)) or (code, warnings)
    assert wrong == {}


def differences(want: Any, got: Any, path: str = "") -> list[str]:
    """Where two bodies differ, for the message of a failure."""
    if isinstance(want, dict) and isinstance(got, dict):
        found = [
            difference
            for key in want.keys() & got.keys()
            for difference in differences(want[key], got[key], f"{path}.{key}")
        ]
        return found + [f"{path}.{key}: only on one side" for key in want.keys() ^ got.keys()]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [
            d
            for i, pair in enumerate(zip(want, got, strict=True))
            for d in differences(*pair, f"{path}[{i}]")
        ]
    return [] if want == got else [f"{path}: want {want!r}, got {got!r}"]


@pytest.mark.parametrize("number", ["005", "007", "008"])
async def test_what_is_served_is_described_as_the_real_server_does(client: ApiClient, number: str) -> None:
    exchange = recorded(number)
    _, body, _ = await client.exchange(exchange["request"])
    key = "groups" if number == "005" else "resources"
    want = {entry["name"]: masked(entry) for entry in exchange["response"]["body"][key]}
    got = {entry["name"]: masked(entry) for entry in body[key]}
    assert got and got == {name: want[name] for name in got}


async def test_aggregated_discovery_has_the_real_form(client: ApiClient) -> None:
    exchange = recorded("006")
    _, body, _ = await client.exchange(exchange["request"])
    text = json.loads(body) if isinstance(body, str) else body
    want = {r["resource"]: r for r in exchange["response"]["body"]["items"][0]["versions"][0]["resources"]}
    served = text["items"][0]["versions"][0]["resources"]
    plain = ("responseKind", "scope", "singularResource", "verbs", "shortNames", "categories")
    for resource in served:
        assert {k: resource.get(k) for k in plain} == {k: want[resource["resource"]].get(k) for k in plain}
        known = {s["subresource"]: s for s in want[resource["resource"]].get("subresources", ())}
        for subresource in resource.get("subresources", ()):
            assert subresource == known[subresource["subresource"]]


async def test_the_columns_of_pods_are_the_real_ones(client: ApiClient) -> None:
    await write(client, "POST", "/api/v1/namespaces", {"metadata": {"name": "rec"}}, "setup")
    for pod in recorded("027")["response"]["body"]["items"]:
        name = pod["metadata"]["name"]
        await write(
            client,
            "POST",
            "/api/v1/namespaces/rec/pods",
            {"metadata": {"name": name}, "spec": pod["spec"]},
            "s",
        )
        status = {"status": pod["status"]}
        await write(client, "PATCH", f"/api/v1/namespaces/rec/pods/{name}/status", status, "kubelet")
    exchange = recorded("025")
    _, table, _ = await client.exchange(exchange["request"])
    expected = exchange["response"]["body"]
    assert masked(table["columnDefinitions"]) == masked(expected["columnDefinitions"])
    assert [masked(r["cells"]) for r in table["rows"]] == [masked(r["cells"]) for r in expected["rows"]]


async def test_a_malformed_body_is_refused_with_what_was_expected(client: ApiClient) -> None:
    exchange = recorded("077")
    code, body, _ = await client.exchange(exchange["request"])
    prefix, marker = exchange["response"]["body"]["message"].split("invalid character")[0], "{not json"
    assert code == 400
    assert body["message"].startswith(prefix) and marker in body["message"]
