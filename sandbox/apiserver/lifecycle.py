"""What becomes of an object when it is written: identity, generation, what an update may not touch, deletion.

All functions work on drafts in place and are called by `operations.py`; none of them stores anything.
"""

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.apiserver.resources import Json, ResourceType

_SERVER_KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)
_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_GC_FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
_NEVER_RESET = {"CustomResourceDefinition"}


def timestamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def prepare_create(resource: ResourceType, obj: Json) -> None:
    """Gives a new object its identity. Its name must be settled before."""
    metadata = obj["metadata"]
    for name in (*_SERVER_KEPT, "resourceVersion"):
        metadata.pop(name, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = timestamp()
    if resource.custom or resource.has_generation:
        metadata["generation"] = 1
    if resource.has_status and resource.kind not in _NEVER_RESET:
        obj.pop("status", None)
    match resource.group, resource.kind:
        case "", "Namespace":
            obj["spec"] = {"finalizers": ["kubernetes"]}
            obj["status"] = {"phase": "Active"}
        case "", "Pod":
            _prepare_pod(obj)
        case "", "Service":
            obj["status"] = {"loadBalancer": {}}
        case "apps", _:
            obj["status"] = {}
        case "autoscaling", "HorizontalPodAutoscaler":
            obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}


def _prepare_pod(pod: Json) -> None:
    spec = pod["spec"]
    reasons = ("not-ready", "unreachable")
    taints = [f"node.kubernetes.io/{reason}" for reason in reasons]
    present = {toleration.get("key") for toleration in spec.get("tolerations", ())}
    spec["tolerations"] = [
        *spec.get("tolerations", ()),
        *(
            {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for taint in taints
            if taint not in present
        ),
    ]
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _quality(spec: Json) -> str:
    resources = [container["resources"] for container in spec.get("containers", ())]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= r.get("limits", {}).keys() and r["limits"] == r["requests"] for r in resources
    )
    return "Guaranteed" if full else "Burstable"


def generated_name(prefix: str) -> str:
    """A name for `generateName`."""
    return prefix + "".join(random.choices(_NAME_ALPHABET, k=_SUFFIX_LENGTH))


def prepare_update(resource: ResourceType, old: Json, new: Json, subresource: str) -> None:
    """Puts back what this update may not change, and counts the generation."""
    metadata, before = new["metadata"], old["metadata"]
    if subresource == "status":
        _keep_all_but_status(resource, old, new)
        metadata = new["metadata"]
    elif resource.has_status and resource.kind not in _NEVER_RESET:
        _copy(old, new, "status")
    for name in (*_SERVER_KEPT, "resourceVersion", "name", "namespace"):
        _copy(before, metadata, name)
    changed = subresource != "status" and _content(resource, old) != _content(resource, new)
    if changed and "generation" in before:
        metadata["generation"] = before["generation"] + 1
    match resource.group, resource.kind, subresource:
        case "", "Service", _:
            _keep_addresses(old["spec"], new["spec"])
        case "", "Namespace", "" | "status":
            _copy(old, new, "spec")


def _keep_all_but_status(resource: ResourceType, old: Json, new: Json) -> None:
    for name in old.keys() | new.keys():
        if name not in ("status", "metadata"):
            _copy(old, new, name)
    if resource.custom:
        new["metadata"] = dict(old["metadata"])
    else:
        _copy(old["metadata"], new["metadata"], "labels")


def _copy(source: Json, target: Json, name: str) -> None:
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


def _content(resource: ResourceType, obj: Json) -> Json:
    """What counts as a new generation when it changes."""
    ignored = {"metadata", "status"} if resource.has_status or not resource.custom else {"metadata"}
    content = {name: value for name, value in obj.items() if name not in ignored}
    if (resource.group, resource.kind) == ("apps", "Deployment"):
        content["annotations"] = obj["metadata"].get("annotations", {})
    return content


def _keep_addresses(old: Json, new: Json) -> None:
    """A client that applies its manifest again leaves the address out; the Service keeps it."""
    if old.get("type") != "ExternalName" and new.get("type") != "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if name in old and not new.get(name):
                new[name] = old[name]


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete; `grace` is None where the client leaves it to the kind."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    version: str = ""


def mark_deleted(resource: ResourceType, obj: Json, options: DeleteOptions) -> bool:
    """Makes a draft terminating as the delete asks. True where nothing holds the object: it goes at once."""
    metadata = obj["metadata"]
    _set_gc_finalizer(metadata, options.propagation)
    if resource.kind == "Namespace":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        metadata.setdefault("deletionTimestamp", timestamp())
        return is_released(obj)
    grace = _grace_period(resource, obj, options.grace)
    if not metadata.get("finalizers") and grace == 0:
        return True
    current = metadata.get("deletionGracePeriodSeconds")
    if current is None or grace < current:
        if current is None and metadata.get("generation"):
            metadata["generation"] += 1
        metadata["deletionGracePeriodSeconds"] = grace
        metadata["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=grace))
    return False


def _set_gc_finalizer(metadata: Json, propagation: str) -> None:
    if not propagation:
        return
    finalizers = [name for name in metadata.get("finalizers", ()) if name not in _GC_FINALIZERS.values()]
    if propagation in _GC_FINALIZERS:
        finalizers.append(_GC_FINALIZERS[propagation])
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)


def _grace_period(resource: ResourceType, obj: Json, asked: int | None) -> int:
    """Only a pod that a node runs is given time to stop."""
    running = obj.get("spec", {}).get("nodeName") and obj.get("status", {}).get("phase") not in (
        "Succeeded",
        "Failed",
    )
    if (resource.group, resource.kind) != ("", "Pod") or not running:
        return 0
    default: Any = obj["spec"].get("terminationGracePeriodSeconds", 30)
    return int(default if asked is None else max(asked, 0))


def is_released(obj: Json) -> bool:
    """Whether a terminating object has nothing left that holds it, and so disappears with this write."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if obj.get("kind") == "Namespace":
        return not obj.get("spec", {}).get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")
