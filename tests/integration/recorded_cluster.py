"""The life of the recorded cluster between the recorded requests: what its controllers, its kubelet and its
clients wrote without being recorded. It is written from the states that were recorded.

Used by `test_apiserver_recordings.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.integration.api_client import MERGE, STRATEGIC, ApiClient
from tests.integration.webhook_receiver import Receiver, allow, answering
from tests.recordings import recorded

Json = dict[str, Any]

DEPLOYMENTS = "/apis/apps/v1/namespaces/rec/deployments"
REPLICASETS = "/apis/apps/v1/namespaces/rec/replicasets"
PODS = "/api/v1/namespaces/rec/pods"
CANARY = "/apis/flagger.app/v1beta1/namespaces/rec/canaries/podinfo"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONTROLLERS = "kube-controller-manager/v1.36"
NODES = "Python/3"
"""What played the nodes of the recorded cluster was the client that recorded."""

_DEFINITIONS = Path(__file__).parents[2] / "manifests/crds"
# A namespace that was there and is not made in the recording itself.
_NAMESPACES = ("rig",)

_STEP_WEIGHT = {
    "reason": "FieldValueInvalid",
    "message": "must be between 1 and 100",
    "field": "spec.analysis.stepWeight",
}
_DENIED = {
    "allowed": False,
    "status": {
        "code": 422,
        "reason": "Invalid",
        "message": "spec.analysis.stepWeight: Invalid value: 120: must be between 1 and 100",
        "details": {"causes": [_STEP_WEIGHT]},
    },
}
_WARNED = {
    "allowed": True,
    "warnings": ["spec.analysis.metrics[0].threshold is deprecated; use thresholdRange"],
}
_VALIDATIONS = {"053": answering(_DENIED), "054": answering(_WARNED)}


async def write(client: ApiClient, method: str, path: str, body: Json | None, agent: str) -> Json:
    """A write that succeeds, under the name of another program."""
    kind = MERGE if method == "PATCH" else "application/json"
    request = {"method": method, "path": path, "headers": {"Content-Type": kind}, "body": body}
    code, answer, _ = await client.exchange(request, agent)
    assert code in (200, 201), answer
    written: Json = answer
    return written


async def prepare(client: ApiClient) -> None:
    """What was there before the first request."""
    for name in ("canaries", "metrictemplates", "alertproviders"):
        definition = yaml.safe_load(await asyncio.to_thread((_DEFINITIONS / f"{name}.yaml").read_text))
        await write(client, "POST", CRDS, definition, "setup")
    for name in _NAMESPACES:
        await write(
            client, "POST", "/api/v1/namespaces", {"metadata": {"name": name}}, "kube-apiserver/v1.36"
        )


async def before(client: ApiClient, receiver: Receiver, number: str) -> None:
    """What happened before a request, and what the webhook in the cluster answers from then on."""
    receiver.answers["/validate"] = _VALIDATIONS.get(number, allow)
    if number in _EARLIER:
        await _EARLIER[number](client)


async def _controllers_ran(client: ApiClient) -> None:
    for state in recorded("020")["response"]["body"]["items"]:
        await _workload(client, DEPLOYMENTS, state)
    for state in recorded("026")["response"]["body"]["items"]:
        await _replica_set(client, state)
    for state in recorded("027")["response"]["body"]["items"]:
        await _pod(client, state)


async def _a_rollout_began(client: ApiClient) -> None:
    await _workload(client, DEPLOYMENTS, recorded("036")["response"]["body"])


async def _the_rollout_ended(client: ApiClient) -> None:
    for event in recorded("039")["response"]["stream"][6:]:
        await _workload(client, DEPLOYMENTS, event["object"])


async def _history_was_compacted(client: ApiClient) -> None:
    await client.done("POST", "/debug/compact")


async def _the_canary_was_patched(client: ApiClient) -> None:
    await write(client, "PATCH", CANARY, {"spec": {"suspend": False}}, "kubectl-patch")


async def _the_canary_was_deleted(client: ApiClient) -> None:
    await write(client, "DELETE", CANARY, None, "kubectl/v1")


_EARLIER: Mapping[str, Callable[[ApiClient], Awaitable[None]]] = {
    "017": _controllers_ran,
    "035": _a_rollout_began,
    "039": _the_rollout_ended,
    "041": _history_was_compacted,
    "055": _the_canary_was_patched,
    "056": _the_canary_was_deleted,
}


async def _workload(client: ApiClient, collection: str, state: Json) -> None:
    """Puts a status, and the annotation that comes with it, as the recorded controller."""
    path = f"{collection}/{state['metadata']['name']}"
    current = await client.done("GET", path)
    current["metadata"]["annotations"] = state["metadata"]["annotations"]
    current["status"] = state["status"]
    await write(client, "PUT", f"{path}/status", current, CONTROLLERS)


async def _replica_set(client: ApiClient, state: Json) -> None:
    owner = f"{DEPLOYMENTS}/{state['metadata']['ownerReferences'][0]['name']}"
    await write(client, "POST", REPLICASETS, await _owned(client, state, owner), CONTROLLERS)
    await _workload(client, REPLICASETS, state)


async def _pod(client: ApiClient, state: Json) -> None:
    owner = f"{REPLICASETS}/{state['metadata']['ownerReferences'][0]['name']}"
    draft = await _owned(client, state, owner)
    node = draft["spec"].pop("nodeName")
    for added_by_admission in ("tolerations", "priority", "preemptionPolicy"):
        draft["spec"].pop(added_by_admission)
    made = await write(client, "POST", PODS, draft, CONTROLLERS)
    path = f"{PODS}/{made['metadata']['name']}"
    await write(client, "POST", f"{path}/binding", {"target": {"kind": "Node", "name": node}}, NODES)
    await client.done("PATCH", f"{path}/status", {"status": state["status"]}, STRATEGIC)


async def _owned(client: ApiClient, state: Json, owner: str) -> Json:
    """An object as its controller created it, with the identity that its owner has in this run."""
    uid = (await client.done("GET", owner))["metadata"]["uid"]
    metadata = {
        k: v for k, v in state["metadata"].items() if k not in ("uid", "resourceVersion", "managedFields")
    }
    metadata["ownerReferences"] = [{**metadata["ownerReferences"][0], "uid": uid}]
    return {"metadata": metadata, "spec": dict(state["spec"])}
