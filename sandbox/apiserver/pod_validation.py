"""The rules for pods, alone and in the templates of workloads, in the order of a real server.

Called by `validation.py` and `workload_validation.py`.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.apiserver import container_validation, naming
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

_RESTARTS = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_SOURCES = ("emptyDir", "hostPath", "secret", "nfs", "persistentVolumeClaim", "downwardAPI", "configMap")
_NAMED_SOURCES = {"configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName"}


def check_pod(obj: Json) -> Iterator[FieldError]:
    yield from check_spec(obj["spec"], "spec")


def check_spec(spec: Json, path: str) -> Iterator[FieldError]:
    """Everything wrong with a pod's spec."""
    volumes: set[str] = set()
    yield from _volumes(spec.get("volumes", ()), f"{path}.volumes", volumes)
    if not spec.get("containers"):
        yield FieldError.required(f"{path}.containers")
    names: set[str] = set()
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind, ())):
            where, name = f"{path}.{kind}[{index}]", container.get("name", "")
            yield from container_validation.check(container, where, volumes)
            if name and name in names:
                yield FieldError.duplicate(f"{where}.name", name)
            names.add(name)
    yield from _settings(spec, path)


def _settings(spec: Json, path: str) -> Iterator[FieldError]:
    for name, allowed in (("restartPolicy", _RESTARTS), ("dnsPolicy", _DNS_POLICIES)):
        if spec.get(name, allowed[0]) not in allowed:
            yield FieldError.unsupported(f"{path}.{name}", spec[name], allowed)
    yield from naming.check_labels(spec.get("nodeSelector", {}), f"{path}.nodeSelector")
    account = spec.get("serviceAccountName", "")
    for why in naming.subdomain(account) if account else ():
        yield FieldError.invalid(f"{path}.serviceAccountName", account, why)
    for index, toleration in enumerate(spec.get("tolerations", ())):
        yield from _toleration(toleration, f"{path}.tolerations[{index}]")


def _toleration(toleration: Json, path: str) -> Iterator[FieldError]:
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    for why in naming.qualified(key) if key else ():
        yield FieldError.invalid(f"{path}.key", key, why)
    if not key and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield FieldError.invalid(f"{path}.operator", operator, why)
    if operator not in ("", "Equal", "Exists"):
        yield FieldError.unsupported(f"{path}.operator", operator, ("Equal", "Exists"))


def _volumes(volumes: Any, path: str, good: set[str]) -> Iterator[FieldError]:
    """Puts the names of those without a fault into `good`, which mounts may name."""
    for index, volume in enumerate(volumes):
        name, where = volume.get("name", ""), f"{path}[{index}]"
        faults = list(_volume(volume, where))
        if not name:
            faults.append(FieldError.required(f"{where}.name"))
        elif name in good:
            faults.append(FieldError.duplicate(f"{where}.name", name))
        else:
            faults += [FieldError.invalid(f"{where}.name", name, why) for why in naming.label(name)]
        yield from faults
        if not faults:
            good.add(name)


def _source_rank(source: str) -> tuple[int, str]:
    """The order in which a real server looks at sources: the first is fine, the others are one too many."""
    return (_SOURCES.index(source) if source in _SOURCES else len(_SOURCES)), source


def _volume(volume: Json, path: str) -> Iterator[FieldError]:
    for source in sorted(volume.keys() - {"name"}, key=_source_rank)[1:]:
        yield FieldError.forbidden(f"{path}.{source}", "may not specify more than 1 volume type")
    for source, field in _NAMED_SOURCES.items():
        if source in volume and not volume[source].get(field):
            yield FieldError.required(f"{path}.{source}.{field}")
