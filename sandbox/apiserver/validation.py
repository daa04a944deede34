"""Checks of objects beyond their schema: metadata of every kind, and the rules of built-in kinds people trip
over.

`check_metadata`, `check_object` and `check_change` return everything wrong; `operations.py` makes one error
of it.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.selectors import matches_selector
from sandbox.apiserver.status import FieldError

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_PATH_SAFE = re.compile(r"[^/%]+")
_LABEL_KINDS = {"Service", "Namespace"}
_FREE_NAME_GROUPS = {"rbac.authorization.k8s.io"}

_ENDS = "and must start and end with an alphanumeric character"
_DNS_LABEL_WHY = (
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS} "
    f"(e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_DNS_NAME_WHY = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS} "
    f"(e.g. 'example.com', regex used for validation is '{_LABEL}(\\.{_LABEL})*')"
)
_LABEL_VALUE_WHY = (
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS} "
    "(e.g. 'MyValue',  or 'my_value',  or '12345', "
    "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_MAX_NAME = 253
_MAX_LABEL = 63
_MAX_PORT = 65535


def check_metadata(resource: ResourceType, obj: Json) -> list[FieldError]:
    """The name, labels and finalizers."""
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    if not name:
        return [FieldError.required("metadata.name", "name or generateName is required")]
    return [*_check_name(resource, name), *_check_labels(metadata.get("labels", {}), "metadata.labels")]


def _check_name(resource: ResourceType, name: str) -> Iterator[FieldError]:
    if resource.group in _FREE_NAME_GROUPS:
        if not _PATH_SAFE.fullmatch(name):
            yield FieldError.invalid("metadata.name", name, "may not contain '/' or '%'")
    elif resource.kind in _LABEL_KINDS:
        if not _DNS_LABEL.fullmatch(name) or len(name) > _MAX_LABEL:
            yield FieldError.invalid("metadata.name", name, _DNS_LABEL_WHY)
    elif not _DNS_NAME.fullmatch(name) or len(name) > _MAX_NAME:
        yield FieldError.invalid("metadata.name", name, _DNS_NAME_WHY)


def _check_labels(labels: Json, field: str) -> Iterator[FieldError]:
    for key, value in labels.items():
        prefix, slash, short = key.rpartition("/")
        if (
            not _QUALIFIED.fullmatch(short)
            or len(short) > _MAX_LABEL
            or (slash and not _DNS_NAME.fullmatch(prefix))
        ):
            yield FieldError.invalid(
                field, key, "name part must consist of alphanumeric characters, '-', '_' or '.'"
            )
        if value and (not _QUALIFIED.fullmatch(value) or len(value) > _MAX_LABEL):
            yield FieldError.invalid(field, value, _LABEL_VALUE_WHY)


def check_object(resource: ResourceType, obj: Json) -> list[FieldError]:
    """The rules of a built-in kind; custom kinds have their schema instead."""
    check = _CHECKS.get((resource.group, resource.kind))
    return list(check(obj)) if check else []


def check_change(resource: ResourceType, old: Json, new: Json) -> list[FieldError]:
    """What may not change on an update."""
    return [
        FieldError.invalid(path, after, "field is immutable")
        for path in _IMMUTABLE.get((resource.group, resource.kind), ())
        if (before := _at(old, path)) is not None and (after := _at(new, path)) != before
    ]


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


def _workload(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    yield from _not_negative(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from _not_negative(spec, "spec", "progressDeadlineSeconds")
    selector, template = spec.get("selector"), spec["template"]
    labels = template["metadata"].get("labels", {})
    if selector is None:
        yield FieldError.required("spec.selector")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield FieldError.invalid("spec.selector", selector, "empty selector is invalid for deployment")
    elif not matches_selector(selector, labels):
        why = "`selector` does not match template `labels`"
        yield FieldError.invalid("spec.template.metadata.labels", labels, why)
    yield from _check_labels(labels, "spec.template.metadata.labels")
    yield from _pod_spec(template["spec"], "spec.template.spec")


def _not_negative(spec: Json, path: str, *names: str) -> Iterator[FieldError]:
    for name in names:
        if spec.get(name, 0) < 0:
            yield FieldError.invalid(f"{path}.{name}", spec[name], "must be greater than or equal to 0")


def _pod(obj: Json) -> Iterator[FieldError]:
    yield from _pod_spec(obj["spec"], "spec")


def _pod_spec(spec: Json, path: str) -> Iterator[FieldError]:
    if not spec.get("containers"):
        yield FieldError.required(f"{path}.containers")
    seen: set[str] = set()
    volumes = {volume.get("name") for volume in spec.get("volumes", ())}
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind, ())):
            where = f"{path}.{kind}[{index}]"
            yield from _container(container, where, volumes)
            name = container.get("name", "")
            if name in seen:
                yield FieldError.duplicate(f"{where}.name", name)
            seen.add(name)


def _container(container: Json, path: str, volumes: set[str | None]) -> Iterator[FieldError]:
    name = container.get("name", "")
    if not name:
        yield FieldError.required(f"{path}.name")
    elif not _DNS_LABEL.fullmatch(name):
        yield FieldError.invalid(f"{path}.name", name, _DNS_LABEL_WHY)
    if not container.get("image"):
        yield FieldError.required(f"{path}.image")
    yield from _ports(container.get("ports", ()), f"{path}.ports", "containerPort")
    for index, mount in enumerate(container.get("volumeMounts", ())):
        if mount.get("name") not in volumes:
            field = f"{path}.volumeMounts[{index}].name"
            yield FieldError(field, "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"')


def _ports(ports: Any, path: str, name: str) -> Iterator[FieldError]:
    for index, port in enumerate(ports):
        if name not in port:
            yield FieldError.required(f"{path}[{index}].{name}")
        elif not 0 < port[name] <= _MAX_PORT:
            why = f"must be between 1 and {_MAX_PORT}, inclusive"
            yield FieldError.invalid(f"{path}[{index}].{name}", port[name], why)


def _service(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    headless = spec.get("clusterIP") == "None" or spec["type"] == "ExternalName"
    ports = spec.get("ports", [])
    if not ports and not headless:
        yield FieldError.required("spec.ports")
    yield from _ports(ports, "spec.ports", "port")
    names = [port.get("name", "") for port in ports]
    for index, name in enumerate(names):
        if not name and len(names) > 1:
            yield FieldError.required(f"spec.ports[{index}].name")
        elif name in names[:index]:
            yield FieldError.duplicate(f"spec.ports[{index}].name", name)
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in kinds:
        yield FieldError.unsupported("spec.type", spec["type"], kinds)


def _autoscaler(obj: Json) -> Iterator[FieldError]:
    spec = obj["spec"]
    target = spec.get("scaleTargetRef", {})
    for name in ("kind", "name"):
        if not target.get(name):
            yield FieldError.required(f"spec.scaleTargetRef.{name}")
    if spec.get("maxReplicas", 0) < 1:
        yield FieldError.invalid("spec.maxReplicas", spec.get("maxReplicas", 0), "must be greater than 0")
    elif spec["minReplicas"] > spec["maxReplicas"]:
        why = "must be greater than or equal to `minReplicas`"
        yield FieldError.invalid("spec.maxReplicas", spec["maxReplicas"], why)
    if spec["minReplicas"] < 1:
        yield FieldError.invalid(
            "spec.minReplicas", spec["minReplicas"], "must be greater than or equal to 1"
        )


def _endpoint_slice(obj: Json) -> Iterator[FieldError]:
    """Unlike in a real cluster loopback addresses are welcome: the sandbox's pods live there."""
    kinds = ("FQDN", "IPv4", "IPv6")
    if obj.get("addressType") not in kinds:
        yield FieldError.unsupported("addressType", obj.get("addressType", ""), kinds)
        return
    for index, endpoint in enumerate(obj["endpoints"]):
        if not endpoint.get("addresses"):
            yield FieldError.required(f"endpoints[{index}].addresses", "must contain at least 1 address")
        for at, address in enumerate(endpoint.get("addresses", ())):
            if obj["addressType"] != "FQDN" and not _is_address(address):
                where = f"endpoints[{index}].addresses[{at}]"
                yield FieldError.invalid(
                    where, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
                )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _lease(obj: Json) -> Iterator[FieldError]:
    spec = obj.get("spec", {})
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield FieldError.invalid(
            "spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"
        )
    if spec.get("leaseTransitions", 0) < 0:
        yield FieldError.invalid(
            "spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0"
        )


def _event(obj: Json) -> Iterator[FieldError]:
    about = obj.get("involvedObject", {}).get("namespace", "")
    namespace = obj["metadata"].get("namespace", "")
    if about and about != namespace:
        yield FieldError.invalid("involvedObject.namespace", about, "does not match event.namespace")


_CHECKS: dict[tuple[str, str], Callable[[Json], Iterator[FieldError]]] = {
    ("", "Event"): _event,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("apps", "Deployment"): _workload,
    ("apps", "ReplicaSet"): _workload,
    ("apps", "StatefulSet"): _workload,
    ("apps", "DaemonSet"): _workload,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("coordination.k8s.io", "Lease"): _lease,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
}
_IMMUTABLE = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "StatefulSet"): ("spec.selector", "spec.serviceName"),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("", "Pod"): ("spec.nodeName",),
    ("", "Secret"): ("type",),
    ("discovery.k8s.io", "EndpointSlice"): ("addressType",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec.group", "spec.scope", "spec.names.kind"),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
}
