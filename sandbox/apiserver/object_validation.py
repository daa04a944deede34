"""The rules for small kinds: ConfigMaps, Secrets, Events, Leases, EndpointSlices, disruption budgets and
priorities.

Called by `validation.py`.
"""

from collections.abc import Iterator

from sandbox.apiserver import naming
from sandbox.apiserver.container_validation import PROTOCOLS
from sandbox.apiserver.resources import Json
from sandbox.apiserver.service_validation import is_address
from sandbox.apiserver.status import FieldError
from sandbox.apiserver.workload_validation import check_part, check_percentage, check_selector

_SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}
_ADDRESS_KINDS = ("FQDN", "IPv4", "IPv6")
_BUDGET_FIELDS = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
_EVICTIONS = ("AlwaysAllow", "IfHealthyBudget")
_PREEMPTIONS = ("PreemptLowerPriority", "Never")
_HIGHEST_PRIORITY = 1_000_000_000

SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The classes that every cluster starts with."""


def check_config_map(obj: Json) -> Iterator[FieldError]:
    plain, binary = obj.get("data", {}), obj.get("binaryData", {})
    for key in sorted(plain):
        yield from (FieldError.invalid(f"data[{key}]", key, why) for why in naming.config_key(key))
        if key in binary:
            yield FieldError.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in sorted(binary):
        yield from (FieldError.invalid(f"binaryData[{key}]", key, why) for why in naming.config_key(key))


def check_secret(obj: Json) -> Iterator[FieldError]:
    data = obj.get("data", {})
    for key in sorted(data):
        yield from (FieldError.invalid(f"data[{key}]", key, why) for why in naming.config_key(key))
    for key in _SECRET_KEYS.get(obj["type"], ()):
        if key not in data:
            yield FieldError.required(f"data[{key}]")


def check_frozen(old: Json, new: Json) -> Iterator[FieldError]:
    """What may not change in a ConfigMap or Secret that was made immutable."""
    if not old.get("immutable"):
        return
    why = "field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield FieldError.forbidden("immutable", why)
    for name in ("data", "binaryData"):
        if old.get(name) != new.get(name):
            yield FieldError.forbidden(name, why)


def check_event(obj: Json) -> Iterator[FieldError]:
    about = obj.get("involvedObject", {}).get("namespace", "")
    namespace = obj["metadata"].get("namespace", "")
    if about != namespace and not (not about and namespace == "default"):
        yield FieldError.invalid("involvedObject.namespace", about, "does not match event.namespace")


def check_lease(obj: Json) -> Iterator[FieldError]:
    spec = obj.get("spec", {})
    seconds, count = spec.get("leaseDurationSeconds", 1), spec.get("leaseTransitions", 0)
    if seconds <= 0:
        yield FieldError.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    if count < 0:
        yield FieldError.invalid("spec.leaseTransitions", count, "must be greater than or equal to 0")


def check_endpoint_slice(obj: Json) -> Iterator[FieldError]:
    """Unlike in a real cluster loopback addresses are welcome: the sandbox's pods live there."""
    kind = obj.get("addressType", "")
    if not kind:
        yield FieldError.required("addressType")
        return
    if kind not in _ADDRESS_KINDS:
        yield FieldError.unsupported("addressType", kind, _ADDRESS_KINDS)
    for index, port in enumerate(obj["ports"]):
        path, name = f"ports[{index}]", port.get("name", "")
        yield from (
            FieldError.invalid(f"{path}.name", name, why) for why in (naming.label(name) if name else ())
        )
        if port["protocol"] not in PROTOCOLS:
            yield FieldError.unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS)
    for index, endpoint in enumerate(obj["endpoints"]):
        path, addresses = f"endpoints[{index}].addresses", endpoint.get("addresses", ())
        if not addresses:
            yield FieldError.required(path, "must contain at least 1 address")
        for at, address in enumerate(addresses):
            if kind != "FQDN" and not is_address(address):
                why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
                yield FieldError.invalid(f"{path}[{at}]", address, why)


def check_budget(obj: Json) -> Iterator[FieldError]:
    """A PodDisruptionBudget, which the sandbox stores and does not act on."""
    spec = obj["spec"]
    bounds = [name for name in ("minAvailable", "maxUnavailable") if name in spec]
    if len(bounds) > 1:
        shown = {f"{name[0].upper()}{name[1:]}": spec.get(name) for name in _BUDGET_FIELDS}
        yield FieldError.invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    for name in bounds:
        yield from check_part(spec[name], f"spec.{name}")
        yield from check_percentage(spec[name], f"spec.{name}")
    yield from check_selector(spec.get("selector", {}), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy", _EVICTIONS[0])
    if policy not in _EVICTIONS:
        yield FieldError.unsupported("spec.unhealthyPodEvictionPolicy", policy, _EVICTIONS)


def check_priority_class(obj: Json) -> Iterator[FieldError]:
    name, value = obj["metadata"].get("name", ""), obj["value"]
    if name.startswith("system-"):
        wrong = f"{name} is not a known system priority class"
        if name in SYSTEM_PRIORITIES:
            wrong = f"value of {name} PriorityClass must be {SYSTEM_PRIORITIES[name]}"
        if value != SYSTEM_PRIORITIES.get(name):
            why = "priority class names with 'system-' prefix are reserved for system use only"
            yield FieldError.forbidden("metadata.name", f"{why}. error: {wrong}")
    elif value > _HIGHEST_PRIORITY:
        why = f"maximum allowed value of a user defined priority is {_HIGHEST_PRIORITY}"
        yield FieldError.forbidden("value", why)
    if obj["preemptionPolicy"] not in _PREEMPTIONS:
        yield FieldError.unsupported("preemptionPolicy", obj["preemptionPolicy"], _PREEMPTIONS)


def check_priority_change(old: Json, new: Json) -> Iterator[FieldError]:
    if old["value"] != new["value"]:
        yield FieldError.forbidden("value", "may not be changed in an update.")
