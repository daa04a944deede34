"""Kinds that are stored without a controller behind them: what the server fills in, refuses and prints."""

from typing import Any

import pytest

from tests.integration.api_client import MERGE, ApiClient, Json
from tests.integration.sandbox.people import Town

NETWORK_POLICIES = "networking.k8s.io/v1", "networkpolicies"
INGRESSES = "networking.k8s.io/v1", "ingresses"
BUDGETS = "policy/v1", "poddisruptionbudgets"
STATEFUL_SETS = "apps/v1", "statefulsets"
DAEMON_SETS = "apps/v1", "daemonsets"
QUOTAS = "v1", "resourcequotas"
LIMITS = "v1", "limitranges"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

WORKLOAD: Json = {
    "selector": {"matchLabels": {"app": "web"}},
    "template": {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    },
}


def collection(resource: tuple[str, str], namespace: str) -> str:
    version, plural = resource
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{prefix}/namespaces/{namespace}/{plural}"


def backend(**service: Any) -> Json:
    return {"service": {"name": "web", "port": {"number": 80}} | service}


def ingress(**path: Any) -> Json:
    return {
        "rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend()} | path]}}]
    }


def block(**fields: Any) -> Json:
    return {"podSelector": {}, "egress": [{"to": [{"ipBlock": fields}]}]}


def limits(kind: str, **amounts: Json) -> Json:
    return {"limits": [{"type": kind, **amounts}]}


FILLED_IN: list[tuple[tuple[str, str], Json, Json]] = [
    (NETWORK_POLICIES, {}, {"podSelector": {}, "policyTypes": ["Ingress"]}),
    (
        NETWORK_POLICIES,
        {"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]},
        {"policyTypes": ["Ingress", "Egress"], "egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}]},
    ),
    (
        LIMITS,
        limits("Container", max={"cpu": "1000m"}, min={"memory": "64Mi"}),
        limits(
            "Container",
            max={"cpu": "1"},
            min={"memory": "64Mi"},
            default={"cpu": "1"},
            defaultRequest={"cpu": "1", "memory": "64Mi"},
        ),
    ),
    (QUOTAS, {"hard": {"requests.cpu": "1500m"}}, {"hard": {"requests.cpu": "1500m"}}),
    (
        STATEFUL_SETS,
        WORKLOAD,
        {
            "podManagementPolicy": "OrderedReady",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "serviceName": "",
        },
    ),
    (
        DAEMON_SETS,
        WORKLOAD,
        {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
    ),
]

REFUSED: list[tuple[tuple[str, str], Json, str]] = [
    (
        NETWORK_POLICIES,
        {"podSelector": {}, "ingress": [{"from": [{}]}]},
        "spec.ingress[0].from[0]: Required value: must specify a peer",
    ),
    (
        NETWORK_POLICIES,
        {"podSelector": {}, "ingress": [{"ports": [{"port": 80, "endPort": 70}]}]},
        "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
    ),
    (
        NETWORK_POLICIES,
        block(cidr="10.0.0.1/8"),
        'spec.egress[0].to[0].ipBlock.cidr: Invalid value: "10.0.0.1/8": '
        "must not have bits set beyond the prefix length",
    ),
    (
        NETWORK_POLICIES,
        block(cidr="10.0.0.0/8", **{"except": ["10.0.0.0/8"]}),
        'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "10.0.0.0/8": '
        "must be a strict subset of `cidr`",
    ),
    (
        NETWORK_POLICIES,
        {"podSelector": {}, "policyTypes": ["Inward"]},
        'spec.policyTypes[0]: Unsupported value: "Inward": supported values: "Ingress", "Egress"',
    ),
    (INGRESSES, {}, "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"),
    (
        INGRESSES,
        ingress(pathType=None),
        "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
    ),
    (
        INGRESSES,
        ingress(path="/a/../b"),
        "spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not contain '/../'",
    ),
    (
        INGRESSES,
        ingress(backend=backend(port={})),
        "spec.rules[0].http.paths[0].backend: Required value: port name or number is required",
    ),
    (
        INGRESSES,
        {"rules": [{"host": "10.0.0.1"}]},
        'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ),
    (
        BUDGETS,
        {"minAvailable": 1, "maxUnavailable": 1},
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,'
        '"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
    ),
    (
        BUDGETS,
        {"minAvailable": "150%"},
        'spec.minAvailable: Invalid value: "150%": must not be greater than 100%',
    ),
    (
        QUOTAS,
        {"hard": {"pods": "1.5"}},
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
    ),
    (
        QUOTAS,
        {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]},
        'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
    ),
    (
        LIMITS,
        limits("Container", default={"cpu": "1"}, defaultRequest={"cpu": "2"}),
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": '
        "default request value 2 is greater than default limit value 1",
    ),
    (
        LIMITS,
        limits("Pod", default={"cpu": "1"}),
        "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
    ),
    (
        STATEFUL_SETS,
        WORKLOAD | {"podManagementPolicy": "Any"},
        "spec.podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'",
    ),
    (
        DAEMON_SETS,
        WORKLOAD | {"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}},
        "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: "
        "may not be set when maxUnavailable is non-zero",
    ),
]


def name_of(value: object) -> str | None:
    return value[1] if isinstance(value, tuple) else None


@pytest.mark.parametrize(("resource", "spec", "expected"), FILLED_IN, ids=name_of)
async def test_what_a_manifest_leaves_out_is_filled_in(
    admin: ApiClient, here: Town, resource: tuple[str, str], spec: Json, expected: Json
) -> None:
    path = collection(resource, here.namespace)
    stored = await admin.done("POST", path, {"metadata": {"name": "web"}, "spec": spec})
    assert {name: stored["spec"].get(name) for name in expected} == expected


@pytest.mark.parametrize(("resource", "spec", "why"), REFUSED, ids=name_of)
async def test_what_is_wrong_is_said_in_the_words_of_a_real_server(
    admin: ApiClient, here: Town, resource: tuple[str, str], spec: Json, why: str
) -> None:
    path = collection(resource, here.namespace)
    code, answer = await admin.send("POST", path, {"metadata": {"name": "web"}, "spec": spec})
    assert (code, answer["message"].partition(" is invalid: ")[2]) == (422, why)


@pytest.mark.parametrize(
    ("resource", "spec", "change", "why"),
    [
        (QUOTAS, {"scopes": ["BestEffort"]}, {"scopes": ["Terminating"]}, "field is immutable"),
        (
            STATEFUL_SETS,
            WORKLOAD,
            {"serviceName": "other"},
            "updates to statefulset spec for fields other than",
        ),
        (DAEMON_SETS, WORKLOAD, {"selector": {"matchLabels": {"app": "other"}}}, "field is immutable"),
    ],
    ids=name_of,
)
async def test_what_is_fixed_at_creation_does_not_change(
    admin: ApiClient, here: Town, resource: tuple[str, str], spec: Json, change: Json, why: str
) -> None:
    path = collection(resource, here.namespace)
    await admin.done("POST", path, {"metadata": {"name": "web"}, "spec": spec})
    code, answer = await admin.send("PATCH", f"{path}/web", {"spec": change}, MERGE)
    assert code == 422
    assert why in answer["message"]


@pytest.mark.parametrize(
    ("resource", "spec", "cells"),
    [
        (
            NETWORK_POLICIES,
            {"podSelector": {"matchLabels": {"app": "web"}}},
            {"Name": "web", "Pod-Selector": "app=web"},
        ),
        (QUOTAS, {"hard": {"pods": "3"}}, {"Name": "web", "Request": "", "Limit": ""}),
        (BUDGETS, {"maxUnavailable": "50%"}, {"Min Available": "N/A", "Max Unavailable": "50%"}),
        (INGRESSES, ingress(), {"Class": "<none>", "Hosts": "*", "Ports": "80"}),
        (STATEFUL_SETS, WORKLOAD, {"Ready": "0/1", "Images": "web:1"}),
        (DAEMON_SETS, WORKLOAD, {"Desired": 0, "Node Selector": "<none>", "Selector": "app=web"}),
    ],
    ids=name_of,
)
async def test_they_are_printed_in_their_columns(
    admin: ApiClient, here: Town, resource: tuple[str, str], spec: Json, cells: Json
) -> None:
    path = collection(resource, here.namespace)
    await admin.done("POST", path, {"metadata": {"name": "web"}, "spec": spec})
    table = await printed(admin, path)
    assert {name: table[name] for name in cells} == cells


async def printed(admin: ApiClient, path: str) -> Json:
    """The cells of the only row, by the names of their columns."""
    request = {"method": "GET", "path": path, "headers": {"Accept": TABLE}, "body": None}
    _, table, _ = await admin.exchange(request)
    (row,) = table["rows"]
    names = [column["name"] for column in table["columnDefinitions"]]
    return dict(zip(names, row["cells"], strict=True))


async def test_what_a_quota_counts_is_printed_by_requests_and_limits(admin: ApiClient, here: Town) -> None:
    path = collection(QUOTAS, here.namespace)
    await admin.done("POST", path, {"metadata": {"name": "team"}, "spec": {}})
    counted = {"hard": {"limits.cpu": "2", "pods": "10"}, "used": {"limits.cpu": "500m", "pods": "3"}}
    await admin.done("PATCH", f"{path}/team/status", {"status": counted}, MERGE)
    table = await printed(admin, path)
    assert (table["Request"], table["Limit"]) == ("pods: 3/10", "limits.cpu: 500m/2")


async def test_a_delete_tells_what_was_deleted_of_the_kinds_that_do(admin: ApiClient, here: Town) -> None:
    for plural, kind in (("resourcequotas", "ResourceQuota"), ("serviceaccounts", "ServiceAccount")):
        path = f"/api/v1/namespaces/{here.namespace}/{plural}"
        await admin.done("POST", path, {"metadata": {"name": "web"}})
        assert (await admin.done("DELETE", f"{path}/web"))["kind"] == kind
    path = collection(BUDGETS, here.namespace)
    await admin.done("POST", path, {"metadata": {"name": "web"}})
    assert (await admin.done("DELETE", f"{path}/web"))["kind"] == "Status"
