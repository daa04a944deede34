"""The rules for Deployments, ReplicaSets, StatefulSets and DaemonSets, in the order of a real server.

Called by `validation.py`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson

from sandbox.apiserver import naming, pod_validation
from sandbox.apiserver.resources import Json
from sandbox.apiserver.selectors import matches_selector
from sandbox.apiserver.status import FieldError

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_PERCENT_WHY = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)
_WHOLE = 100
_SET_STRATEGIES = ("RollingUpdate", "OnDelete")
_STATEFUL_CHANGES = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
_POD_POLICIES = ("OrderedReady", "Parallel")
_RETENTIONS = ("Retain", "Delete")
_NEGATIVE = "must be greater than or equal to 0"


def check_deployment(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    yield from _not_negative(spec, "spec", "replicas")
    yield from _selector(spec)
    yield from _template(spec)
    yield from _strategy(spec["strategy"], "spec.strategy")
    yield from _not_negative(
        spec, "spec", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"
    )
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        yield FieldError.invalid(
            "spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"
        )
    yield from _counts(obj.get("status", {}), ("updatedReplicas", "readyReplicas", "availableReplicas"))


def check_replica_set(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    yield from _not_negative(spec, "spec", "replicas", "minReadySeconds")
    yield from _selector(spec)
    yield from _template(spec)
    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    yield from _counts(obj.get("status", {}), counts)


def check_stateful_set(obj: Json) -> Iterator[FieldError]:
    """A StatefulSet, which the sandbox stores and does not run."""
    spec = obj["spec"]
    if spec["podManagementPolicy"] not in _POD_POLICIES:
        why = " or ".join(f"'{policy}'" for policy in _POD_POLICIES)
        yield FieldError.invalid("spec.podManagementPolicy", spec["podManagementPolicy"], f"must be {why}")
    yield from _stateful_strategy(spec["updateStrategy"], "spec.updateStrategy")
    for when, policy in spec["persistentVolumeClaimRetentionPolicy"].items():
        if policy not in _RETENTIONS:
            where = f"spec.persistentVolumeClaimRetentionPolicy.{when}"
            yield FieldError.unsupported(where, policy, _RETENTIONS)
    yield from _not_negative(spec, "spec", "replicas", "minReadySeconds")
    yield from _not_negative(spec.get("ordinals", {}), "spec.ordinals", "start")
    name = spec["serviceName"]
    yield from (FieldError.invalid("spec.serviceName", name, why) for why in naming.label(name) if name)
    yield from _selector(spec, "statefulset")
    yield from _template(spec, "StatefulSet")


def _stateful_strategy(strategy: Json, path: str) -> Iterator[FieldError]:
    kind, rolling = strategy["type"], strategy.get("rollingUpdate")
    shown = None if rolling is None else {"Partition": rolling.get("partition", 0), "MaxUnavailable": None}
    if kind not in _SET_STRATEGIES:
        why = "must be 'RollingUpdate' or 'OnDelete'"
        yield FieldError.invalid(path, {"Type": kind, "RollingUpdate": shown}, why)
    elif kind == "OnDelete" and rolling is not None:
        why = "only allowed for updateStrategy 'RollingUpdate'"
        yield FieldError.invalid(f"{path}.rollingUpdate", shown, why)
    else:
        yield from _not_negative(rolling or {}, f"{path}.rollingUpdate", "partition")


def check_stateful_change(old: Json, new: Json) -> Iterator[FieldError]:
    fixed = {name for name in old["spec"].keys() | new["spec"].keys() if name not in _STATEFUL_CHANGES}
    if any(old["spec"].get(name) != new["spec"].get(name) for name in fixed):
        *most, last = (f"'{name}'" for name in _STATEFUL_CHANGES)
        allowed = f"{', '.join(most)} and {last}"
        why = f"updates to statefulset spec for fields other than {allowed} are forbidden"
        yield FieldError.forbidden("spec", why)


def check_daemon_set(obj: Json) -> Iterator[FieldError]:
    """A DaemonSet, which the sandbox stores and does not run."""
    spec = obj["spec"]
    if "selector" in spec:
        yield from _selector(spec, "daemonset")
    yield from _template(spec, "DaemonSet")
    yield from _not_negative(spec, "spec", "minReadySeconds")
    strategy, path = spec["updateStrategy"], "spec.updateStrategy"
    if strategy["type"] not in _SET_STRATEGIES:
        shown = {"Type": strategy["type"], "RollingUpdate": _go_rolling(strategy.get("rollingUpdate"))}
        yield FieldError.unsupported(path, shown, _SET_STRATEGIES)
    elif strategy["type"] == "RollingUpdate":
        yield from _daemons_at_once(strategy["rollingUpdate"], f"{path}.rollingUpdate")
    yield from _not_negative(spec, "spec", "revisionHistoryLimit")


def _daemons_at_once(rolling: Json, path: str) -> Iterator[FieldError]:
    unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
    for check in (check_part, check_percentage):
        yield from check(unavailable, f"{path}.maxUnavailable")
        yield from check(surge, f"{path}.maxSurge")
    if _amount(unavailable) and _amount(surge):
        yield FieldError.invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    elif not _amount(unavailable) and not _amount(surge):
        yield FieldError.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _not_negative(values: Json, path: str, *names: str) -> Iterator[FieldError]:
    for name in names:
        if values.get(name, 0) < 0:
            yield FieldError.invalid(f"{path}.{name}", values[name], _NEGATIVE)


def _counts(status: Json, parts: tuple[str, ...]) -> Iterator[FieldError]:
    """What a controller may not say of its pods."""
    yield from _not_negative(status, "status", "replicas", *parts, "observedGeneration")
    replicas = status.get("replicas", 0)
    for name in parts:
        if status.get(name, 0) > replicas:
            why = "cannot be greater than status.replicas"
            yield FieldError.invalid(f"status.{name}", status[name], why)
    available, ready = status.get("availableReplicas", 0), status.get("readyReplicas", 0)
    if available > ready:
        yield FieldError.invalid(
            "status.availableReplicas", available, "cannot be greater than readyReplicas"
        )


def _selector(spec: Json, kind: str = "deployment") -> Iterator[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        yield FieldError.required("spec.selector")
        return
    faults = list(check_selector(selector, "spec.selector"))
    yield from faults
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield FieldError.invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
    elif faults:
        yield FieldError.invalid("spec.selector", selector, "invalid label selector")


def check_selector(selector: Json, path: str) -> Iterator[FieldError]:
    yield from naming.check_labels(selector.get("matchLabels", {}), f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions", ())):
        where, operator = f"{path}.matchExpressions[{index}]", expression.get("operator", "")
        if operator in ("In", "NotIn") and not expression.get("values"):
            why = "must be specified when `operator` is 'In' or 'NotIn'"
            yield FieldError.required(f"{where}.values", why)
        if operator in ("Exists", "DoesNotExist") and expression.get("values"):
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield FieldError.forbidden(f"{where}.values", why)
        if operator not in _OPERATORS:
            yield FieldError.invalid(f"{where}.operator", operator, "not a valid selector operator")
        key = expression.get("key", "")
        yield from (FieldError.invalid(f"{where}.key", key, why) for why in naming.qualified(key))


def _selects(selector: Json | None, labels: Json) -> bool:
    """Whether a selector takes these labels. One that is wrong in itself is refused for that alone."""
    if selector is None:
        return False
    return any(check_selector(selector, "")) or matches_selector(selector, labels)


@lru_cache(maxsize=512)
def _pods(spec: bytes, path: str) -> tuple[FieldError, ...]:
    """What is wrong with the pods of a template; most writes leave that as it is, so it is remembered."""
    return tuple(pod_validation.check_spec(orjson.loads(spec), path))


def _template(spec: Json, kind: str = "ReplicaSet") -> Iterator[FieldError]:
    template, path = spec["template"], "spec.template"
    labels, selector = template["metadata"].get("labels"), spec.get("selector")
    if not _selects(selector, labels or {}):
        why = "`selector` does not match template `labels`"
        yield FieldError.invalid(f"{path}.metadata.labels", labels, why)
    yield from naming.check_labels(labels or {}, f"{path}.labels")
    inner = template["spec"]
    yield from _pods(orjson.dumps(inner), f"{path}.spec")
    if inner.get("restartPolicy", "Always") in ("OnFailure", "Never"):
        yield FieldError.unsupported(f"{path}.spec.restartPolicy", inner["restartPolicy"], ("Always",))
    if "activeDeadlineSeconds" in inner:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        yield FieldError.forbidden(f"{path}.spec.activeDeadlineSeconds", why)


def _strategy(strategy: Json, path: str) -> Iterator[FieldError]:
    rolling = strategy.get("rollingUpdate")
    match strategy.get("type"):
        case "Recreate":
            if rolling is not None:
                why = "may not be specified when strategy `type` is 'Recreate'"
                yield FieldError.forbidden(f"{path}.rollingUpdate", why)
        case "RollingUpdate":
            yield from _rolling(rolling or {}, f"{path}.rollingUpdate")
        case kind:
            shown = {"Type": kind, "RollingUpdate": _go_rolling(rolling)}
            yield FieldError.unsupported(path, shown, ("Recreate", "RollingUpdate"))


def _go_rolling(rolling: Json | None) -> Json | None:
    if rolling is None:
        return None
    return {"MaxUnavailable": rolling.get("maxUnavailable"), "MaxSurge": rolling.get("maxSurge")}


def _rolling(rolling: Json, path: str) -> Iterator[FieldError]:
    for name in ("maxUnavailable", "maxSurge"):
        yield from check_part(rolling.get(name, 0), f"{path}.{name}")
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        why = "may not be 0 when `maxSurge` is 0"
        yield FieldError.invalid(f"{path}.maxUnavailable", unavailable, why)
    yield from check_percentage(unavailable, f"{path}.maxUnavailable")


def check_percentage(value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and _amount(value) > _WHOLE:
        yield FieldError.invalid(path, value, "must not be greater than 100%")


def check_part(value: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, str):
        if not re.fullmatch("[0-9]+%", value):
            yield FieldError.invalid(path, value, _PERCENT_WHY)
    elif value < 0:
        yield FieldError.invalid(path, value, _NEGATIVE)


def _amount(value: Any) -> int:
    """The number in a count or percentage; not zero where it is neither."""
    if isinstance(value, str):
        return int(value[:-1]) if re.fullmatch("[0-9]+%", value) else 1
    return int(value)
