"""The rules for NetworkPolicies and Ingresses, which the sandbox stores and no controller acts on.

Called by `validation.py`.
"""

import ipaddress
from collections.abc import Iterator
from typing import Any

from sandbox.apiserver import naming
from sandbox.apiserver.container_validation import MAX_PORT, PORT_WHY, check_port
from sandbox.apiserver.resources import Json
from sandbox.apiserver.service_validation import is_address
from sandbox.apiserver.status import FieldError
from sandbox.apiserver.workload_validation import check_selector

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_DIRECTIONS = ("Ingress", "Egress")
_PATH_KINDS = ("Exact", "ImplementationSpecific", "Prefix")
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AFTER_PATHS = ("/..", "/.")
_BLOCK_WHY = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_policy(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    yield from check_selector(spec["podSelector"], "spec.podSelector")
    for direction, others in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction, ())):
            path = f"spec.{direction}[{index}]"
            for at, port in enumerate(rule.get("ports", ())):
                yield from _policy_port(port, f"{path}.ports[{at}]")
            for at, peer in enumerate(rule.get(others, ())):
                yield from _peer(peer, f"{path}.{others}[{at}]")
    kinds = spec["policyTypes"]
    if len(kinds) > len(_DIRECTIONS):
        yield FieldError.invalid("spec.policyTypes", kinds, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(kinds):
        if kind not in _DIRECTIONS:
            yield FieldError.unsupported(f"spec.policyTypes[{index}]", kind, _DIRECTIONS)


def _policy_port(port: Json, path: str) -> Iterator[FieldError]:
    if port["protocol"] not in _PROTOCOLS:
        yield FieldError.unsupported(f"{path}.protocol", port["protocol"], _PROTOCOLS)
    first, last = port.get("port"), port.get("endPort")
    if isinstance(first, int):
        yield from check_port(first, f"{path}.port")
        if last is not None and last < first:
            yield FieldError.invalid(f"{path}.endPort", first, "must be greater than or equal to `port`")
        if last is not None and not 0 < last <= MAX_PORT:
            yield FieldError.invalid(f"{path}.endPort", last, PORT_WHY)
        return
    if last is not None:
        lacks = "not specified" if first is None else "non-numeric"
        yield FieldError.invalid(f"{path}.endPort", last, f"may not be specified when `port` is {lacks}")
    if first is not None:
        yield from check_port(first, f"{path}.port")


def _peer(peer: Json, path: str) -> Iterator[FieldError]:
    for name in ("podSelector", "namespaceSelector"):
        yield from check_selector(peer.get(name, {}), f"{path}.{name}")
    if "ipBlock" in peer:
        yield from _block(peer["ipBlock"], f"{path}.ipBlock")
    if not peer:
        yield FieldError.required(path, "must specify a peer")
    elif "ipBlock" in peer and len(peer) > 1:
        yield FieldError.forbidden(path, "may not specify both ipBlock and another peer")


def _block(block: Json, path: str) -> Iterator[FieldError]:
    text = block.get("cidr", "")
    if not text:
        yield FieldError.required(f"{path}.cidr")
        return
    yield from _network_faults(text, f"{path}.cidr")
    whole = _network(text)
    for index, text in enumerate(block.get("except", ()) if whole else ()):
        where, part = f"{path}.except[{index}]", _network(text)
        yield from _network_faults(text, where)
        if part is not None and not _is_inside(part, whole):
            yield FieldError.invalid(where, text, "must be a strict subset of `cidr`")


def _network(text: str) -> _Network | None:
    address, slash, length = text.partition("/")
    try:
        return ipaddress.ip_network(f"{address}/{int(length)}", strict=False) if slash else None
    except ValueError:
        return None


def _network_faults(text: str, path: str) -> Iterator[FieldError]:
    network = _network(text)
    if network is None:
        yield FieldError.invalid(path, text, _BLOCK_WHY)
    elif ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
        yield FieldError.invalid(path, text, "must not have bits set beyond the prefix length")


def _is_inside(part: _Network, whole: _Network | None) -> bool:
    same_family = whole is not None and part.version == whole.version
    return same_family and part != whole and part.subnet_of(whole)  # type: ignore[arg-type]  # one family


def check_ingress(obj: Json) -> Iterator[FieldError]:
    spec = obj.get("spec", {})
    rules, otherwise = spec.get("rules"), spec.get("defaultBackend")
    if not rules and otherwise is None:
        why = "either `defaultBackend` or `rules` must be specified"
        yield FieldError.invalid("spec", rules, why)
    if otherwise is not None:
        yield from _backend(otherwise, "spec.defaultBackend")
    for index, rule in enumerate(rules or ()):
        yield from _ingress_rule(rule, f"spec.rules[{index}]")
    for index, secured in enumerate(spec.get("tls", ())):
        path, secret = f"spec.tls[{index}]", secured.get("secretName", "")
        for at, host in enumerate(secured.get("hosts", ())):
            yield from _host(host, f"{path}.hosts[{at}]")
        if secret:
            yield from _faults(naming.subdomain(secret), f"{path}.secretName", secret)
    if "ingressClassName" in spec:
        name = spec["ingressClassName"]
        yield from _faults(naming.subdomain(name), "spec.ingressClassName", name)


def _faults(faults: list[str], path: str, value: str) -> Iterator[FieldError]:
    return (FieldError.invalid(path, value, why) for why in faults)


def _host(host: str, path: str) -> Iterator[FieldError]:
    return _faults(naming.wildcard(host) if "*" in host else naming.subdomain(host), path, host)


def _ingress_rule(rule: Json, path: str) -> Iterator[FieldError]:
    host, routes = rule.get("host", ""), rule.get("http", {}).get("paths", ())
    if host and is_address(host):
        yield FieldError.invalid(f"{path}.host", host, "must be a DNS name, not an IP address")
    if host:
        yield from _host(host, f"{path}.host")
    if "http" in rule and not routes:
        yield FieldError.required(f"{path}.http.paths")
    for index, route in enumerate(routes):
        yield from _route(route, f"{path}.http.paths[{index}]")


def _route(route: Json, where: str) -> Iterator[FieldError]:
    kind, path = route.get("pathType"), route.get("path", "")
    if kind is None:
        yield FieldError.required(f"{where}.pathType", "pathType must be specified")
        return
    if kind not in _PATH_KINDS:
        yield FieldError.unsupported(f"{where}.pathType", kind, _PATH_KINDS)
    elif not path.startswith("/") and (path or kind != "ImplementationSpecific"):
        yield FieldError.invalid(f"{where}.path", path, "must be an absolute path")
    if kind in ("Exact", "Prefix"):
        faults = [f"must not contain '{part}'" for part in _NOT_IN_PATHS if part in path]
        faults += [f"cannot end with '{end}'" for end in _NOT_AFTER_PATHS if path.endswith(end)]
        yield from _faults(faults, f"{where}.path", path)
    yield from _backend(route.get("backend", {}), f"{where}.backend")


def _backend(backend: Json, path: str) -> Iterator[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield FieldError.invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        for name in ("kind", "name"):
            if not resource.get(name):
                yield FieldError.required(f"{path}.resource.{name}")
    elif service is None:
        yield FieldError.invalid(path, "", "resource or service backend is required")
    else:
        yield from _service(service, path)


def _service(service: Json, path: str) -> Iterator[FieldError]:
    name, port = service.get("name", ""), service.get("port", {})
    if not name:
        yield FieldError.required(f"{path}.service.name")
    else:
        yield from _faults(naming.label(name), f"{path}.service.name", name)
    given: dict[str, Any] = {kind: port[kind] for kind in ("name", "number") if port.get(kind)}
    if len(given) > 1:
        yield FieldError.invalid(path, "", "cannot set both port name & port number")
    for kind, value in given.items() if len(given) == 1 else ():
        yield from check_port(value, f"{path}.service.port.{kind}")
    if not given:
        yield FieldError.required(path, "port name or number is required")
