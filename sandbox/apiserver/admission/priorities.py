"""What pods get from PriorityClasses: their priority, by the name of a class or from the one for all others.

Called by `operations.py`, for pods that are created and for each write that is about to be stored.
"""

from typing import Any

from sandbox.apiserver import status
from sandbox.apiserver.admission.webhooks import Attributes
from sandbox.apiserver.object_validation import SYSTEM_PRIORITIES
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.storage import Store

_CLASSES = ResourceType("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass")
_WITHOUT_CLASS = {"metadata": {"name": ""}, "value": 0, "preemptionPolicy": "PreemptLowerPriority"}
_IS_DEFAULT = "PriorityClass {} is already marked as default. Only one default can exist"
_NOT_PROVIDED = "must not be provided in pod spec; priority admission controller computed"
_FIELDS = (
    ("priority", "value", "integer value of priority"),
    ("preemptionPolicy", "preemptionPolicy", "string value of PreemptionPolicy"),
)
"""Field of a pod, field of a class, and what refusals call it."""


def system_classes() -> list[Json]:
    """The classes that every cluster starts with."""
    about = {
        "system-cluster-critical": "Used for system critical pods that must run in the cluster, "
        "but can be moved to another node if necessary.",
        "system-node-critical": "Used for system critical pods that must not be moved from their current "
        "node.",
    }
    values = SYSTEM_PRIORITIES.items()
    return [{"metadata": {"name": n}, "value": value, "description": about[n]} for n, value in values]


class Priorities:
    """Reads the classes in a store."""

    def __init__(self, store: Store) -> None:
        self._collection = store.collection(_CLASSES.storage)

    def settle(self, call: Call, pod: Json) -> None:
        """Fills in a new pod. Raises an ApiError (403) for a class that does not exist, or another number."""
        spec = pod["spec"]
        name = pod["metadata"].get("name", "")
        chosen = self._chosen(call, name, spec.get("priorityClassName", ""))
        if chosen["metadata"]["name"]:
            spec["priorityClassName"] = chosen["metadata"]["name"]
        for field, source, what in _FIELDS:
            value = chosen[source]
            if spec.setdefault(field, value) != value:
                why = f"the {what} ({spec[field]}) {_NOT_PROVIDED} {value} from the given PriorityClass name"
                raise status.forbidden(call.target.resource, name, why)

    def _chosen(self, call: Call, pod: str, name: str) -> Json:
        if not name:
            return self._default() or _WITHOUT_CLASS
        found = self._collection.get(("", name))
        if found is None:
            why = f"no PriorityClass with name {name} was found"
            raise status.forbidden(call.target.resource, pod, why)
        return found.obj

    def _default(self) -> Json | None:
        """The class of pods that name none; of several the one with the lowest value."""
        classes = [entry.obj for entry in self._collection.entries.values()]
        marked = [each for each in classes if each.get("globalDefault")]
        return min(marked, key=_value, default=None)

    def check(self, attributes: Attributes) -> None:
        """Raises an ApiError (403) for a second class that wants to be the default."""
        resource, new = attributes.call.target.resource, attributes.new
        if new is None or (resource.group, resource.kind) != (_CLASSES.group, _CLASSES.kind):
            return
        default = self._default() if new.get("globalDefault") else None
        if default is not None and default["metadata"]["name"] != new["metadata"]["name"]:
            why = _IS_DEFAULT.format(default["metadata"]["name"])
            raise status.forbidden(resource, new["metadata"]["name"], why)


def _value(each: Json) -> Any:
    return each["value"]
