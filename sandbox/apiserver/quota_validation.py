"""The rules for ResourceQuotas and LimitRanges, which the sandbox stores and does not enforce.

Called by `validation.py`.
"""

from collections.abc import Iterator

from sandbox.apiserver import naming, quantities
from sandbox.apiserver.container_validation import check_resource_name
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

_COUNTED = {
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
    "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
}  # fmt: skip
_COMPUTED = {"cpu", "memory"}
_STORED = {"ephemeral-storage", "requests.storage"}
_STANDARD = _COUNTED | _STORED | _COMPUTED | {
    f"{kind}.{name}" for kind in ("requests", "limits") for name in ("cpu", "memory", "ephemeral-storage")
}  # fmt: skip
_OF_RUNNING_PODS = {"pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
_SCOPES = {
    "BestEffort": {"pods"}, "NotBestEffort": _OF_RUNNING_PODS,
    "Terminating": _OF_RUNNING_PODS, "NotTerminating": _OF_RUNNING_PODS,
    "PriorityClass": _OF_RUNNING_PODS, "CrossNamespacePodAffinity": _OF_RUNNING_PODS,
    "VolumeAttributesClass": {"persistentvolumeclaims", "requests.storage"},
}  # fmt: skip
"""A scope, and the standard resources that it can limit."""
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_ONLY_EXISTS = set(_SCOPES) - {"PriorityClass", "VolumeAttributesClass"}
_ONLY_EXISTS_WHY = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
    "ResourceQuotaScopeCrossNamespacePodAffinity"
)
_LIMITED = ("Pod", "Container", "PersistentVolumeClaim")
_STANDARD_WHY = "must be a standard resource type or fully qualified"

_COMPARED = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    (
        "min", "defaultRequest", "defaultRequest", "defaultRequest",
        "min value {} is greater than default request value {}",
    ),
    (
        "defaultRequest", "max", "defaultRequest", "defaultRequest",
        "default request value {} is greater than max value {}",
    ),
    (
        "defaultRequest", "default", "defaultRequest", "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip
"""What may not be greater than what; the field that is blamed, the one whose value is shown, and why."""


def check_quota(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    hard, scopes = spec.get("hard", {}), spec.get("scopes", [])
    for name, amount in hard.items():
        yield from _quota_resource(name, amount, f"spec.hard[{name}]")
    for scope in scopes:
        yield from _scope(scope, hard, scopes)
    if any(pair <= set(scopes) for pair in _OPPOSITES):
        yield FieldError.invalid("spec.scopes", scopes, "conflicting scopes")
    for expression in spec.get("scopeSelector", {}).get("matchExpressions", ()):
        yield from _scope_expression(expression, "spec.scopeSelector.matchExpressions")


def _quota_resource(name: str, amount: str, path: str) -> Iterator[FieldError]:
    yield from _resource(name, path)
    if "/" not in name and name not in _STANDARD:
        yield FieldError.invalid(path, name, "must be a standard resource for quota")
    if quantities.worth(amount) < 0:
        yield FieldError.invalid(path, amount, "must be greater than or equal to 0")
    if name in _COUNTED and quantities.worth(amount).denominator != 1:
        yield FieldError.invalid(path, amount, "must be an integer")


def _resource(name: str, path: str) -> Iterator[FieldError]:
    wrong = naming.qualified(name)
    yield from (FieldError.invalid(path, name, why) for why in wrong)
    if not wrong and "/" not in name and name not in _STANDARD | {"storage"}:
        yield FieldError.invalid(path, name, _STANDARD_WHY)


def _scope(scope: str, hard: Json, scopes: list[str]) -> Iterator[FieldError]:
    if scope not in _SCOPES:
        yield FieldError.invalid("spec.scopes", scopes, "unsupported scope")
        return
    for name in sorted(hard):
        if name in _STANDARD and name not in _SCOPES[scope]:
            yield FieldError.invalid("spec.scopes", scopes, "unsupported scope applied to resource")


def _scope_expression(expression: Json, path: str) -> Iterator[FieldError]:
    scope, operator, values = (expression.get(name, "") for name in ("scopeName", "operator", "values"))
    if scope not in _SCOPES:
        yield FieldError.invalid(f"{path}.scopeName", scope, "unsupported scope")
    if scope in _ONLY_EXISTS and operator != "Exists":
        yield FieldError.invalid(f"{path}.operator", operator, _ONLY_EXISTS_WHY)
    if operator in ("In", "NotIn"):
        if not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            yield FieldError.required(f"{path}.values", why)
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            yield FieldError.invalid(f"{path}.values", values, why)
    else:
        yield FieldError.invalid(f"{path}.operator", operator, "not a valid selector operator")


def check_quota_change(old: Json, new: Json) -> Iterator[FieldError]:
    before, after = old["spec"].get("scopes", []), new["spec"].get("scopes")
    if set(before) != set(after or ()):
        yield FieldError.invalid("spec.scopes", after, "field is immutable")


def check_limits(obj: Json) -> Iterator[FieldError]:
    kinds: set[str] = set()
    for index, limit in enumerate(obj["spec"]["limits"] or ()):
        path, kind = f"spec.limits[{index}]", limit.get("type", "")
        wrong = naming.qualified(kind)
        if not wrong and "/" not in kind and kind not in _LIMITED:
            wrong = ["must be a standard limit type or fully qualified"]
        yield from (FieldError.invalid(f"{path}.type", kind, why) for why in wrong)
        if kind in kinds:
            yield FieldError.duplicate(f"{path}.type", kind)
        kinds.add(kind)
        yield from _limit(limit, kind, path)


def _limit(limit: Json, kind: str, path: str) -> Iterator[FieldError]:
    fields = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"]
    if kind == "Pod":
        for field in ("default", "defaultRequest"):
            if limit.get(field):
                yield FieldError.forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'")
            fields.remove(field)
    check = check_resource_name if kind in ("Pod", "Container") else _resource
    for field in fields:
        for name in limit.get(field, ()):
            yield from check(name, f"{path}.{field}[{name}]")
    if kind == "PersistentVolumeClaim" and not {"storage"} & {*limit.get("min", ()), *limit.get("max", ())}:
        why = "either minimum or maximum storage value is required, but neither was provided"
        yield FieldError.required(f"{path}.limits", why)
    amounts = {field: limit.get(field, {}) for field in fields}
    for name in sorted({name for given in amounts.values() for name in given}):
        given = {field: values[name] for field, values in amounts.items() if name in values}
        yield from _amounts(given, name, path)


def _amounts(given: dict[str, str], name: str, path: str) -> Iterator[FieldError]:
    """What is wrong with the amounts of one resource, by the fields that hold them."""
    worth = {field: quantities.worth(amount) for field, amount in given.items()}
    for lower, upper, blamed, shown, why in _COMPARED:
        if lower in worth and upper in worth and worth[lower] > worth[upper]:
            text = why.format(given[lower], given[upper])
            yield FieldError.invalid(f"{path}.{blamed}[{name}]", given[shown], text)
    ratio = given.get("maxLimitRequestRatio", "1")
    if quantities.worth(ratio) < 1:
        where = f"{path}.maxLimitRequestRatio[{name}]"
        yield FieldError.invalid(where, ratio, f"ratio {ratio} is less than 1")
