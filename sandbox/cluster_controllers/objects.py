"""What control loops read of any object: times, owners, labels, conditions.

Pure. Apart from the loops because every one of them asks the same few questions.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.resources import Resource
from shared.types.meta import Json

ACTIVE_PHASES = ("", "Pending", "Running", "Unknown")
"""Phases of a pod that still runs or will; the others are final."""


def timestamp(now: datetime) -> str:
    """A time as Kubernetes writes it, to the second."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """A time that Kubernetes wrote."""
    return datetime.fromisoformat(text)


def key_of(obj: Json) -> tuple[str, str]:
    """(namespace, name); the namespace of cluster-wide objects is empty."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def owner_reference(resource: Resource, owner: Json) -> Json:
    """The reference by which a dependent names its controller."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_reference(obj: Json) -> Json | None:
    """The owner that controls an object, if one does."""
    references: list[Json] = obj["metadata"].get("ownerReferences") or []
    return next((each for each in references if each.get("controller")), None)


def is_terminating(obj: Json) -> bool:
    """Whether the object has been deleted and only waits for its end."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches. None selects nothing, an empty one everything.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
    """
    if selector is None:
        return False
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions") or ())


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None


def condition(obj: Json, kind: str) -> Json | None:
    """The condition of that type in an object's status."""
    conditions: Iterable[Json] = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), None)


def is_ready(pod: Json) -> bool:
    """Whether the pod's Ready condition is true."""
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def available_in(pod: Json, min_ready: timedelta, now: datetime) -> timedelta | None:
    """How long until a pod counts as available: zero if it does, None if it is not even ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    if not min_ready or not ready.get("lastTransitionTime"):
        return timedelta()
    return max(parse_time(ready["lastTransitionTime"]) + min_ready - now, timedelta())


def is_active(pod: Json) -> bool:
    """Whether a pod counts for its ReplicaSet: neither finished nor deleted."""
    return not is_terminating(pod) and (pod.get("status") or {}).get("phase", "") in ACTIVE_PHASES


def differences(current: Json, wanted: Json) -> Json:
    """The merge patch from one status to another; zeros and empty values are left out of it, as Kubernetes

    does."""
    patch: Json = {}
    for name in current.keys() | wanted.keys():
        value: Any = wanted.get(name) or None
        if value != (current.get(name) or None):
            patch[name] = value
    return patch
