"""The AdmissionReviews of the benchmarks: what an API server sends for a Deployment of a common size.

The Deployment is made on the API server, with environment variables until its UPDATE has 13 KiB, and gets a
status there: half of such a review are the managed fields that the API server keeps, as in recorded ones.
"""

import copy
from typing import Any

from benchmarks import objects
from shared.names import CANARY_LABEL
from shared.resources import CANARIES, DEPLOYMENTS, Resource
from shared.types.meta import Json

VARIABLES = 14
"""With so many an UPDATE, with both objects and their managed fields, has 13 KiB."""
VALIDATED = frozenset({"validation", "rules"})
"""Which are sent to /validate."""
STATUS = {"phase": "Succeeded", "canaryWeight": 0, "failedChecks": 0, "iterations": 0, "lastAppliedSpec": "x"}


def application() -> Json:
    """The first application's Deployment, as it is created."""
    made = objects.deployment(objects.app(0))
    made["spec"]["template"]["spec"]["containers"][0]["env"] += [
        {"name": f"VARIABLE_{number}", "value": f"value number {number}"} for number in range(VARIABLES)
    ]
    return made


def served(stored: Json) -> Json:
    """The same with the status of a Deployment whose pods are ready."""
    now = stored["metadata"]["creationTimestamp"]
    told = {
        "Available": ("MinimumReplicasAvailable", "Deployment has minimum availability."),
        "Progressing": ("NewReplicaSetAvailable", 'ReplicaSet "app-0000-6d4b75cb6d" has progressed.'),
    }
    conditions = [
        {
            "type": kind,
            "status": "True",
            "lastUpdateTime": now,
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }
        for kind, (reason, message) in told.items()
    ]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    return stored | {"status": {"observedGeneration": 1, **counts, "conditions": conditions}}


def all_of(stored: Json) -> dict[str, Json]:
    """By name; `stored` is the first application's Deployment, as the API server keeps it."""
    name = stored["metadata"]["name"]
    target, primary, nobodys = (copy.deepcopy(stored) for _ in range(3))
    target["metadata"]["labels"] |= {CANARY_LABEL: name}
    owner = {
        "apiVersion": CANARIES.api_version,
        "kind": CANARIES.kind,
        "name": name,
        "uid": "u",
        "controller": True,
    }
    primary["metadata"] |= {"name": f"{name}-primary", "ownerReferences": [owner]}
    primary["metadata"]["labels"] |= {CANARY_LABEL: name}
    nobodys["metadata"]["name"] = "other"
    canary = objects.canary(name, "1m", 50)
    changed = copy.deepcopy(canary)
    changed["spec"]["analysis"]["stepWeight"] = 5
    return {
        "pinning": _review(DEPLOYMENTS, target, _with_image(target)),
        "validation": _review(DEPLOYMENTS, primary, _labelled(primary)),
        "nobody's": _review(DEPLOYMENTS, nobodys, _with_image(nobodys)),
        "rules": _review(CANARIES, canary, changed),
    }


def _with_image(obj: Json) -> Json:
    new = copy.deepcopy(obj)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = objects.image("2.0")
    return new


def _labelled(obj: Json) -> Json:
    new = copy.deepcopy(obj)
    new["metadata"]["labels"] |= {"team": "a"}
    return new


def _review(resource: Resource, old: Json, new: Json) -> Json:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    plural: dict[str, Any] = {
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
    }
    request = {
        "uid": "3353cce8-8e08-431f-a881-3d7cf469d061",
        "kind": kind,
        "resource": plural,
        "requestKind": kind,
        "requestResource": plural,
        "name": new["metadata"]["name"],
        "namespace": objects.NAMESPACE,
        "operation": "UPDATE",
        "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        "object": new,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
