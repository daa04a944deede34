"""Scales: the one view of everything that has replicas, and who owns the number in it.

Called by `subresources.py`, which serves `/scale`, and by `operations.py`, which shows Scales to webhooks.
"""

from typing import Any

from sandbox.apiserver.fieldsets import FieldSet
from sandbox.apiserver.resources import Json, ScalePaths
from sandbox.apiserver.selectors import selector_text

API_VERSION = "autoscaling/v1"
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_OWNED: FieldSet = {"f:spec": {"f:replicas": {}}}


def scale_of(obj: Json, paths: ScalePaths) -> Json:
    """An object's Scale."""
    metadata = obj["metadata"]
    selector = _get(obj, paths.selector) if paths.selector else None
    shown: Json = {"replicas": _get(obj, paths.status) or 0}
    if selector:
        shown["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    replicas = _get(obj, paths.spec) or 0
    return {
        "kind": "Scale",
        "apiVersion": API_VERSION,
        "metadata": {name: metadata[name] for name in _KEPT if name in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def with_owners(scale: Json, obj: Json, paths: ScalePaths) -> Json:
    """A Scale with the managedFields of whoever owns the number in its object."""
    steps = [f"f:{name}" for name in paths.spec.split(".")]
    entries = [
        {**entry, "apiVersion": API_VERSION, "fieldsV1": _OWNED}
        for entry in obj["metadata"].get("managedFields", ())
        if _owns(entry["fieldsV1"], steps)
    ]
    return {**scale, "metadata": {**scale["metadata"], "managedFields": entries}} if entries else scale


def set_replicas(obj: Json, paths: ScalePaths, replicas: int) -> None:
    *parents, last = paths.spec.split(".")
    for name in parents:
        obj = obj.setdefault(name, {})
    obj[last] = replicas


def _owns(fields: FieldSet, steps: list[str]) -> bool:
    node: Any = fields
    for step in steps:
        if step not in node:
            return False
        node = node[step]
    return True


def _get(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj
