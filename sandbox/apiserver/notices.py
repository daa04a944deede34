"""Warnings: what the server says of a request that it grants all the same.

Called by `handlers.py` for every request and by `operations.py` for every object it stores.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.apiserver.resources import Json, ResourceType

_DEPRECATED = {
    ("", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}


def of_use(resource: ResourceType) -> list[str]:
    """What is said to whoever uses a resource."""
    text = _DEPRECATED.get((resource.group, resource.plural))
    return [text] if text else []


def of_object(resource: ResourceType, obj: Json) -> list[str]:
    """What is said of an object that is written."""
    notes = list(_finalizers(obj["metadata"].get("finalizers", ()))) if resource.custom else []
    if (resource.group, resource.kind) == ("", "Pod"):
        notes += _pod(obj["spec"], "spec")
    elif resource.group == "apps":
        notes += _pod(obj["spec"]["template"]["spec"], "spec.template.spec")
    return notes


def _finalizers(finalizers: Any) -> Iterator[str]:
    for name in finalizers:
        if "/" not in name:
            wish = "prefer a domain-qualified finalizer name including a path (/)"
            why = "to avoid accidental conflicts with other finalizer writers"
            yield f'metadata.finalizers: "{name}": {wish} {why}'


def _pod(spec: Json, path: str) -> Iterator[str]:
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind, ())):
            yield from _variables(container.get("env", ()), f"{path}.{kind}[{index}].env")


def _variables(variables: Any, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name = variable.get("name", "")
        if name in seen and f"$({name})" not in variable.get("value", ""):
            hidden = f'hides previous definition of "{name}", which may be dropped when using apply'
            yield f"{path}[{index}]: {hidden}"
        seen.add(name)
