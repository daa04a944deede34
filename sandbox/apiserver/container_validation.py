"""The rules for one container: name, image, ports, environment, mounts, resources and probes.

Called by `pod_validation.py`.
"""

import re
from collections.abc import Iterator
from typing import Any

from sandbox.apiserver import naming, quantities
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

MAX_PORT = 65535
PORT_WHY = f"must be between 1 and {MAX_PORT}, inclusive"
PROTOCOLS = ("SCTP", "TCP", "UDP")

_TERMINATION = ("File", "FallbackToLogsOnError")
_PULL = ("Always", "IfNotPresent", "Never")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_TIMES = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold")
_STANDARD = ("cpu", "memory", "ephemeral-storage")
_MAX_ID = 2**31 - 1
_ENV_WHY = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_DOWNWARD = re.compile(
    r"metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)


def check(container: Json, path: str, volumes: set[str]) -> Iterator[FieldError]:
    """Everything wrong with a container of a pod that has these volumes."""
    name = container.get("name", "")
    if not name:
        yield FieldError.required(f"{path}.name")
    else:
        yield from (FieldError.invalid(f"{path}.name", name, why) for why in naming.label(name))
    if not container.get("image"):
        yield FieldError.required(f"{path}.image")
    policy = container.get("terminationMessagePolicy", _TERMINATION[0])
    if policy not in _TERMINATION:
        yield FieldError.unsupported(f"{path}.terminationMessagePolicy", policy, _TERMINATION)
    yield from _ports(container.get("ports", ()), f"{path}.ports")
    for index, variable in enumerate(container.get("env", ())):
        yield from _variable(variable, f"{path}.env[{index}]")
    for source in container.get("envFrom", ()):
        if not source.keys() & {"configMapRef", "secretRef"}:
            why = "must specify one of: `configMapRef` or `secretRef`"
            yield FieldError.invalid(f"{path}.envFrom", "", why)
    yield from _mounts(container.get("volumeMounts", ()), f"{path}.volumeMounts", volumes)
    if container.get("imagePullPolicy", _PULL[0]) not in _PULL:
        yield FieldError.unsupported(f"{path}.imagePullPolicy", container["imagePullPolicy"], _PULL)
    yield from _resources(container.get("resources", {}), f"{path}.resources")
    yield from _running(container, path)


def _running(container: Json, path: str) -> Iterator[FieldError]:
    """What concerns a container while it runs: its user, hooks and probes."""
    user = container.get("securityContext", {}).get("runAsUser", 0)
    if not 0 <= user <= _MAX_ID:
        why = f"must be between 0 and {_MAX_ID}, inclusive"
        yield FieldError.invalid(f"{path}.securityContext.runAsUser", user, why)
    for hook, handler in container.get("lifecycle", {}).items():
        if isinstance(handler, dict):
            yield from _handler(handler, f"{path}.lifecycle.{hook}")
    for name in _PROBES:
        if name in container:
            yield from _probe(container[name], f"{path}.{name}", ends_with_one=name != "readinessProbe")


def _ports(ports: Any, path: str) -> Iterator[FieldError]:
    names: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"{path}[{index}]", port.get("name", "")
        wrong = naming.port_name(name) if name else []
        yield from (FieldError.invalid(f"{where}.name", name, why) for why in wrong)
        if name and name in names:
            yield FieldError.duplicate(f"{where}.name", name)
        names.add(name)
        if not port.get("containerPort"):
            yield FieldError.required(f"{where}.containerPort")
        for field in ("containerPort", "hostPort"):
            if port.get(field) and not 0 < port[field] <= MAX_PORT:
                yield FieldError.invalid(f"{where}.{field}", port[field], PORT_WHY)
        if port.get("protocol", "TCP") not in PROTOCOLS:
            yield FieldError.unsupported(f"{where}.protocol", port["protocol"], PROTOCOLS)


def _variable(variable: Json, path: str) -> Iterator[FieldError]:
    name, source = variable.get("name", ""), variable.get("valueFrom")
    if not name:
        yield FieldError.required(f"{path}.name")
    elif not re.fullmatch(r"[ -<>-~]+", name):
        yield FieldError.invalid(f"{path}.name", name, _ENV_WHY)
    if source is None:
        return
    if not source:
        kinds = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield FieldError.invalid(f"{path}.valueFrom", "", f"must specify one of: {kinds}")
    field = source.get("fieldRef", {}).get("fieldPath", "metadata.name")
    if not _DOWNWARD.fullmatch(field):
        why = f"error converting fieldPath: field label not supported: {field}"
        yield FieldError.invalid(f"{path}.valueFrom.fieldRef.fieldPath", field, why)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in source and not source[kind].get("key"):
            yield FieldError.required(f"{path}.valueFrom.{kind}.key")
    if variable.get("value"):
        yield FieldError.invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")


def _mounts(mounts: Any, path: str, volumes: set[str]) -> Iterator[FieldError]:
    places: set[str] = set()
    for index, mount in enumerate(mounts):
        where, name, place = f"{path}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield FieldError.required(f"{where}.name")
        elif name not in volumes:
            yield FieldError.not_found(f"{where}.name", name)
        if not place:
            yield FieldError.required(f"{where}.mountPath")
        elif place in places:
            yield FieldError.invalid(f"{where}.mountPath", place, "must be unique")
        places.add(place)


def _resources(resources: Json, path: str) -> Iterator[FieldError]:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            where = f"{path}.{kind}[{name}]"
            yield from check_resource_name(name, where)
            if quantities.worth(amount) < 0:
                yield FieldError.invalid(where, amount, "must be greater than or equal to 0")
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is not None and quantities.worth(amount) > quantities.worth(limit):
            why = f"must be less than or equal to {name} limit of {limit}"
            yield FieldError.invalid(f"{path}.requests", amount, why)


def check_resource_name(name: str, path: str) -> Iterator[FieldError]:
    if name not in _STANDARD and "/" not in name and not name.startswith("hugepages-"):
        yield FieldError.invalid(path, name, "must be a standard resource type or fully qualified")
        yield FieldError.invalid(path, name, "must be a standard resource for containers")


def _probe(probe: Json, path: str, *, ends_with_one: bool) -> Iterator[FieldError]:
    yield from _handler(probe, path)
    for name in _TIMES:
        if probe.get(name, 0) < 0:
            yield FieldError.invalid(f"{path}.{name}", probe[name], "must be greater than or equal to 0")
    if ends_with_one and probe.get("successThreshold", 1) != 1:
        yield FieldError.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def _handler(handler: Json, path: str) -> Iterator[FieldError]:
    kinds = [name for name in _HANDLERS if name in handler]
    if not kinds and "sleep" not in handler:
        yield FieldError.required(path, "must specify a handler type")
    for kind in kinds[1:]:
        yield FieldError.forbidden(f"{path}.{kind}", "may not specify more than 1 handler type")
    if "exec" in kinds[:1] and not handler["exec"].get("command"):
        yield FieldError.required(f"{path}.exec.command")
    for kind in ("httpGet", "tcpSocket"):
        if kind in kinds[:1]:
            yield from check_port(handler[kind].get("port", 0), f"{path}.{kind}.port")
    scheme = handler.get("httpGet", {}).get("scheme", "HTTP")
    if scheme not in ("HTTP", "HTTPS"):
        yield FieldError.unsupported(f"{path}.httpGet.scheme", scheme, ("HTTP", "HTTPS"))


def check_port(port: Any, path: str) -> Iterator[FieldError]:
    """A number or the name of a container's port."""
    if isinstance(port, str):
        yield from (FieldError.invalid(path, port, why) for why in naming.port_name(port))
    elif not 0 < port <= MAX_PORT:
        yield FieldError.invalid(path, port, PORT_WHY)
