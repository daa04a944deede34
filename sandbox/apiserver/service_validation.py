"""The rules for Services. Called by `validation.py`."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from sandbox.apiserver import naming
from sandbox.apiserver.container_validation import MAX_PORT, PORT_WHY, PROTOCOLS, check_port
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

_KINDS = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_POLICIES = ("Cluster", "Local")
_ADDRESS_WHY = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_DAY = 86_400


def check(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    kind = spec["type"]
    if not spec.get("ports") and spec.get("clusterIP") != "None" and kind != "ExternalName":
        yield FieldError.required("spec.ports")
    yield from _addresses(spec, kind)
    yield from _ports(spec, kind)
    yield from naming.check_labels(spec.get("selector", {}), "spec.selector")
    if spec.get("sessionAffinity", "None") not in _AFFINITIES:
        yield FieldError.unsupported("spec.sessionAffinity", spec["sessionAffinity"], _AFFINITIES)
    seconds = spec.get("sessionAffinityConfig", {}).get("clientIP", {}).get("timeoutSeconds", 1)
    if not 0 < seconds <= _DAY:
        why = f"must be greater than 0 and less than {_DAY}"
        yield FieldError.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, why)
    for index, address in enumerate(spec.get("externalIPs", ())):
        if not is_address(address):
            yield FieldError.invalid(f"spec.externalIPs[{index}]", address, _ADDRESS_WHY)
    if kind not in _KINDS:
        yield FieldError.unsupported("spec.type", kind, _KINDS)
    if spec.get("internalTrafficPolicy", "Cluster") not in _POLICIES:
        yield FieldError.unsupported("spec.internalTrafficPolicy", spec["internalTrafficPolicy"], _POLICIES)


def _addresses(spec: Json, kind: str) -> Iterator[FieldError]:
    address = spec.get("clusterIP", "")
    if kind == "ExternalName":
        name = spec.get("externalName", "")
        if not name:
            yield FieldError.required("spec.externalName")
        else:
            yield from (FieldError.invalid("spec.externalName", name, why) for why in naming.subdomain(name))
    elif address == "None":
        if kind in ("NodePort", "LoadBalancer"):
            why = f"may not be set to 'None' for {kind} services"
            yield FieldError.invalid("spec.clusterIPs[0]", address, why)
    elif address and not is_address(address):
        yield FieldError.invalid("spec.clusterIPs[0]", address, _ADDRESS_WHY)


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ports(spec: Json, kind: str) -> Iterator[FieldError]:
    ports = spec.get("ports", [])
    names: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"spec.ports[{index}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield FieldError.required(f"{path}.name")
        elif name:
            yield from (FieldError.invalid(f"{path}.name", name, why) for why in naming.label(name))
            if name in names:
                yield FieldError.duplicate(f"{path}.name", name)
        names.add(name)
        if not 0 < port.get("port", 0) <= MAX_PORT:
            yield FieldError.invalid(f"{path}.port", port.get("port", 0), PORT_WHY)
        if port["protocol"] not in PROTOCOLS:
            yield FieldError.unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS)
        yield from check_port(port.get("targetPort") or 0, f"{path}.targetPort")
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                why = "may not be used when `type` is 'ClusterIP'"
                yield FieldError.forbidden(f"spec.ports[{index}].nodePort", why)
    yield from _twice(ports)


def _twice(ports: list[Any]) -> Iterator[FieldError]:
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        key = (port["protocol"], port.get("port", 0))
        if key in seen:
            shown = {
                "Name": "", "Protocol": key[0], "AppProtocol": None, "Port": key[1], "TargetPort": 0,
                "NodePort": 0,
            }  # fmt: skip
            yield FieldError.duplicate(f"spec.ports[{index}]", shown)
        seen.add(key)


def check_change(old: Json, new: Json) -> Iterator[FieldError]:
    """A Service keeps the address that it was given."""
    before, after = old["spec"].get("clusterIPs"), new["spec"].get("clusterIPs")
    kinds = {old["spec"]["type"], new["spec"]["type"]}
    if before and after and "ExternalName" not in kinds and before[0] != after[0]:
        yield FieldError.invalid("spec.clusterIPs[0]", after, "may not change once set")
