"""What becomes of an object when it is written: identity, generation, what an update may not touch, deletion.

All functions work on drafts in place and are called by `operations.py`; none of them stores anything.
"""

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.apiserver import addresses
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
_ALWAYS_FIRST = {"PriorityClass"}
"""Kinds whose generation does not count."""
_FIRST_STATUS: dict[tuple[str, str], Json] = {
    ("", "Namespace"): {"phase": "Active"},
    ("", "ResourceQuota"): {},
    ("", "Service"): {"loadBalancer": {}},
    ("apps", "DaemonSet"): {
        "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
    },
    ("apps", "Deployment"): {},
    ("apps", "ReplicaSet"): {},
    ("apps", "StatefulSet"): {"availableReplicas": 0, "replicas": 0},
    ("autoscaling", "HorizontalPodAutoscaler"): {"desiredReplicas": 0, "currentMetrics": None},
    ("networking.k8s.io", "Ingress"): {"loadBalancer": {}},
    ("policy", "PodDisruptionBudget"): {
        "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
    },
}  # fmt: skip
PROTECTED_NAMESPACES = ("default", "kube-public", "kube-system")


def timestamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def prepare_create(resource: ResourceType, obj: Json) -> None:
    """Gives a new object its identity and first status. Its name must be settled before."""
    shape(resource, obj)
    metadata = obj["metadata"]
    for name in (*_SERVER_KEPT, "resourceVersion"):
        metadata.pop(name, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = timestamp()
    if resource.custom or resource.has_generation:
        metadata["generation"] = 1


def shape(resource: ResourceType, obj: Json) -> None:
    """What the server puts into every new object of a kind, whatever the client says."""
    if resource.has_status and resource.kind not in _NEVER_RESET:
        obj.pop("status", None)
    first = _FIRST_STATUS.get((resource.group, resource.kind))
    if first is not None:
        obj["status"] = dict(first)
    match resource.group, resource.kind:
        case "", "Namespace":
            obj["spec"] = {"finalizers": ["kubernetes"]}
        case "", "Pod":
            _prepare_pod(obj)


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
    elif resource.has_status and resource.kind not in _NEVER_RESET and subresource != "binding":
        _copy(old, new, "status")
    for name in (*_SERVER_KEPT, "resourceVersion", "name", "namespace"):
        _copy(before, metadata, name)
    changed = subresource not in ("status", "binding") and _content(resource, old) != _content(resource, new)
    if changed and "generation" in before and resource.kind not in _ALWAYS_FIRST:
        metadata["generation"] = before["generation"] + 1
    match resource.group, resource.kind, subresource:
        case "", "Service", _:
            addresses.keep(old["spec"], new["spec"])
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


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete; `grace` is None where the client leaves it to the kind."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    version: str = ""

    def shown(self, *, dry_run: bool) -> Json:
        """As webhooks are told them."""
        preconditions = {"uid": self.uid, "resourceVersion": self.version}
        given: Json = {
            "gracePeriodSeconds": self.grace,
            "preconditions": {name: value for name, value in preconditions.items() if value} or None,
            "propagationPolicy": self.propagation or None,
            "dryRun": ["All"] if dry_run else None,
        }
        options = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}
        return options | {name: value for name, value in given.items() if value is not None}


def mark_deleted(resource: ResourceType, obj: Json, options: DeleteOptions) -> bool:
    """Makes a draft terminating as the delete asks. True where nothing holds the object: it goes at once."""
    metadata = obj["metadata"]
    _set_gc_finalizer(metadata, options.propagation)
    if resource.kind == "Namespace":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        metadata.setdefault("deletionTimestamp", timestamp())
        return is_released(obj)
    grace = _grace_period(resource, obj, options.grace)
    released = not metadata.get("finalizers") and grace == 0
    if released and (resource.group, resource.kind) != ("", "Pod"):
        return True
    current = metadata.get("deletionGracePeriodSeconds")
    if current is None or grace < current:
        if current is None and metadata.get("generation"):
            metadata["generation"] += 1
        metadata["deletionGracePeriodSeconds"] = grace
        metadata["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=grace))
    return released


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


def is_same(old: Json, new: Json) -> bool:
    """Whether a write changes nothing but, perhaps, who owns it."""
    if any(old.get(name) != new.get(name) for name in old.keys() | new.keys() if name != "metadata"):
        return False
    before, after = old["metadata"], new["metadata"]
    names = (before.keys() | after.keys()) - {"managedFields", "resourceVersion"}
    return all(before.get(name) == after.get(name) for name in names)
