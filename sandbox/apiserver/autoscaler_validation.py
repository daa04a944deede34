"""The rules for HorizontalPodAutoscalers, in the form of `autoscaling/v2`. Called by `validation.py`."""

from collections.abc import Iterator

from sandbox.apiserver import quantities
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

# type of a metric -> the field that describes it
_SOURCES = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
}  # fmt: skip
_TARGETS = ("Utilization", "Value", "AverageValue")
_WITHOUT_PODS = ("External", "Object")
_SELECTIONS, _POLICIES = ("Disabled", "Max", "Min"), ("Percent", "Pods")
_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800


def check(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    smallest, largest = spec["minReplicas"], spec.get("maxReplicas", 0)
    if smallest < 1:
        yield FieldError.invalid("spec.minReplicas", smallest, "must be greater than or equal to 1")
    if largest < 1:
        yield FieldError.required("spec.maxReplicas", "must be set and greater than 0")
    if largest < smallest:
        yield FieldError.invalid(
            "spec.maxReplicas", largest, "must be greater than or equal to `minReplicas`"
        )
    yield from _target(spec.get("scaleTargetRef", {}), "spec.scaleTargetRef")
    metrics = spec.get("metrics", [])
    for index, metric in enumerate(metrics):
        yield from _metric(metric, f"spec.metrics[{index}]")
    if smallest == 0 and not any(metric.get("type") in _WITHOUT_PODS for metric in metrics):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield FieldError.forbidden("spec.metrics", why)
    for direction in ("scaleUp", "scaleDown"):
        yield from _rules(spec.get("behavior", {}).get(direction, {}), f"spec.behavior.{direction}")


def _target(target: Json, path: str) -> Iterator[FieldError]:
    for name in ("kind", "name"):
        if not target.get(name):
            yield FieldError.required(f"{path}.{name}")
    if not target:
        yield FieldError.invalid(f"{path}.apiVersion", "", "apiVersion must specify API group")


def _metric(metric: Json, path: str) -> Iterator[FieldError]:
    kind = metric.get("type", "")
    if not kind:
        yield FieldError.required(f"{path}.type", "must specify a metric source type")
    elif kind not in _SOURCES:
        yield FieldError.unsupported(f"{path}.type", kind, tuple(_SOURCES))
    elif _SOURCES[kind] not in metric:
        why = "must populate information for the given metric source"
        yield FieldError.required(f"{path}.{_SOURCES[kind]}", why)
    elif kind == "Resource":
        resource = metric["resource"]
        if not resource.get("name"):
            yield FieldError.required(f"{path}.resource.name", "must specify a resource name")
        yield from _wanted(resource.get("target", {}), f"{path}.resource.target")


def _wanted(target: Json, path: str) -> Iterator[FieldError]:
    kind, percent, amount = (target.get(n) for n in ("type", "averageUtilization", "averageValue"))
    if not kind:
        yield FieldError.required(f"{path}.type", "must specify a metric target type")
    if kind not in _TARGETS:
        yield FieldError.invalid(
            f"{path}.type", kind or "", "must be either Utilization, Value, or AverageValue"
        )
    if percent is not None and percent < 1:
        yield FieldError.invalid(f"{path}.averageUtilization", percent, "must be greater than 0")
    if amount is not None and quantities.worth(amount) <= 0:
        yield FieldError.invalid(f"{path}.averageValue", amount, "must be positive")
    if percent is None and amount is None:
        why = "must set either a target raw value or a target utilization"
        yield FieldError.required(f"{path}.averageUtilization", why)
    if percent is not None and amount is not None:
        why = "may not set both a target raw value and a target utilization"
        yield FieldError.forbidden(f"{path}.averageValue", why)


def _rules(rules: Json, path: str) -> Iterator[FieldError]:
    window = rules.get("stabilizationWindowSeconds", 0)
    where = f"{path}.stabilizationWindowSeconds"
    if window < 0:
        yield FieldError.invalid(where, window, "must be greater than or equal to zero")
    if window > _LONGEST_WINDOW:
        yield FieldError.invalid(where, window, f"must be less than or equal to {_LONGEST_WINDOW}")
    if rules.get("selectPolicy", "Max") not in _SELECTIONS:
        yield FieldError.unsupported(f"{path}.selectPolicy", rules["selectPolicy"], _SELECTIONS)
    for index, policy in enumerate(rules.get("policies", ())):
        where, kind, period = (
            f"{path}.policies[{index}]",
            policy.get("type", ""),
            policy.get("periodSeconds", 0),
        )
        if kind not in _POLICIES:
            yield FieldError.unsupported(f"{where}.type", kind, _POLICIES)
        if policy.get("value", 0) < 1:
            yield FieldError.invalid(f"{where}.value", policy.get("value", 0), "must be greater than zero")
        if period < 1:
            yield FieldError.invalid(f"{where}.periodSeconds", period, "must be greater than zero")
        if period > _LONGEST_PERIOD:
            why = f"must be less than or equal to {_LONGEST_PERIOD}"
            yield FieldError.invalid(f"{where}.periodSeconds", period, why)
