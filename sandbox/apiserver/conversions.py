"""Kinds served in more than one form but stored in one.

`autoscaling/v1` and `events.k8s.io/v1` are views of what is stored as `autoscaling/v2` and core `v1`;
versions of a custom kind differ in their `apiVersion` only (conversion strategy None).
"""

from collections.abc import Callable

from sandbox.apiserver.resources import Json, ResourceType

# field of events.k8s.io/v1 -> field of core/v1; the rest is named alike
_EVENT_FIELDS = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
}
_CORE_EVENT_FIELDS = {core: other for other, core in _EVENT_FIELDS.items()}


def to_storage(resource: ResourceType, storage: ResourceType, obj: Json) -> Json:
    """`obj`, of the served `resource`, in the form in which it is kept."""
    return obj if resource is storage else _converted(storage, _TO_STORAGE.get(_form(resource)), obj)


def from_storage(resource: ResourceType, storage: ResourceType, obj: Json) -> Json:
    """A stored `obj` in the form of `resource`; shares parts with it."""
    return obj if resource is storage else _converted(resource, _FROM_STORAGE.get(_form(resource)), obj)


def _form(resource: ResourceType) -> tuple[str, str]:
    return resource.api_version, resource.kind


def _converted(target: ResourceType, convert: Callable[[Json], Json] | None, obj: Json) -> Json:
    converted = convert(obj) if convert else obj
    return {**converted, "apiVersion": target.api_version}


def _event_to_core(obj: Json) -> Json:
    return {_EVENT_FIELDS.get(name, name): value for name, value in obj.items()}


def _event_from_core(obj: Json) -> Json:
    return {_CORE_EVENT_FIELDS.get(name, name): value for name, value in obj.items()}


def _autoscaler_to_v2(obj: Json) -> Json:
    spec = dict(obj.get("spec", {}))
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {**obj, "spec": spec}


def _autoscaler_to_v1(obj: Json) -> Json:
    spec = {name: value for name, value in obj["spec"].items() if name not in ("metrics", "behavior")}
    for metric in obj["spec"].get("metrics", ()):
        target = metric.get("resource", {}).get("target", {})
        if metric.get("resource", {}).get("name") == "cpu" and "averageUtilization" in target:
            spec["targetCPUUtilizationPercentage"] = target["averageUtilization"]
    kept = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
    status = {name: value for name, value in obj.get("status", {}).items() if name in kept}
    return {**obj, "spec": spec, "status": {"currentReplicas": 0, "desiredReplicas": 0, **status}}


_EVENT = ("events.k8s.io/v1", "Event")
_AUTOSCALER = ("autoscaling/v1", "HorizontalPodAutoscaler")
_TO_STORAGE = {_EVENT: _event_to_core, _AUTOSCALER: _autoscaler_to_v2}
_FROM_STORAGE = {_EVENT: _event_from_core, _AUTOSCALER: _autoscaler_to_v1}
