"""Checks of objects beyond their schema: metadata of every kind, and the rules of built-in kinds.

    check_metadata (naming.py) -> check_object: a module for each family of kinds -> check_change

All return everything wrong, in the words of kube-apiserver 1.36; `operations.py` makes one error of it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.apiserver import (
    autoscaler_validation,
    naming,
    network_validation,
    object_validation,
    pod_validation,
    quota_validation,
    service_validation,
    workload_validation,
)
from sandbox.apiserver.access import rbac_validation
from sandbox.apiserver.admission import configurations
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.status import FieldError

_PATH_SAFE = re.compile(r"[^/%]+")
_LABEL_KINDS = {"Service", "Namespace"}
_FREE_NAME_GROUPS = {"rbac.authorization.k8s.io"}
_STANDARD_FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
_DEFINITIONS = "apiextensions.k8s.io"


def check_metadata(resource: ResourceType, obj: Json) -> list[FieldError]:
    """Names, labels, annotations, owners and finalizers."""
    metadata = obj["metadata"]
    errors: list[FieldError] = []
    for field in ("generateName", "name"):
        if metadata.get(field):
            errors += _check_name(resource, metadata[field], f"metadata.{field}")
    if not metadata.get("name"):
        errors.append(FieldError.required("metadata.name", "name or generateName is required"))
    errors += naming.check_labels(metadata.get("labels", {}), "metadata.labels")
    for key in sorted(metadata.get("annotations", {})):
        wrong = naming.qualified(key.lower())
        errors += [FieldError.invalid("metadata.annotations", key, why) for why in wrong]
    errors += _check_owners(metadata.get("ownerReferences", ()))
    errors += _check_finalizers(resource, metadata.get("finalizers", ()))
    return errors


def _check_name(resource: ResourceType, name: str, field: str) -> Iterator[FieldError]:
    # What is generated goes on after the prefix, so the prefix may end in ways in which a name may not.
    shown = f"{name}a" if field.endswith("generateName") and name.endswith(("-", ".")) else name
    if resource.group in _FREE_NAME_GROUPS:
        if not _PATH_SAFE.fullmatch(name):
            wrong = "/" if "/" in name else "%"
            yield FieldError.invalid(field, name, f"may not contain '{wrong}'")
        return
    if resource.kind in _LABEL_KINDS:
        faults = ["must not contain dots"] if "." in name else naming.label(shown)
    else:
        faults = naming.subdomain(shown)
    yield from (FieldError.invalid(field, name, why) for why in faults)


def _check_owners(owners: Any) -> Iterator[FieldError]:
    for owner in owners:
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                yield FieldError.invalid(f"metadata.ownerReferences.{part}", "", "must not be empty")
    leading = [
        f"{owner.get('kind', '')}/{owner.get('name', '')}" for owner in owners if owner.get("controller")
    ]
    if len(leading) > 1:
        names = f'"true" in references for {" and ".join(leading)}'
        why = f"Only one reference can have Controller set to true. Found {names}"
        yield FieldError.invalid("metadata.ownerReferences", list(owners), why)


def _check_finalizers(resource: ResourceType, finalizers: Any) -> Iterator[FieldError]:
    for index, name in enumerate(finalizers):
        yield from (FieldError.invalid("metadata.finalizers", name, why) for why in naming.qualified(name))
        known = name in _STANDARD_FINALIZERS or "/" in name
        if not known and not resource.custom and resource.group != _DEFINITIONS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield FieldError.invalid(f"metadata.finalizers[{index}]", name, why)


def check_object(resource: ResourceType, obj: Json) -> list[FieldError]:
    """The rules of a built-in kind; custom kinds have their schema instead."""
    check = _CHECKS.get((resource.group, resource.kind))
    return list(check(obj)) if check else []


def check_change(resource: ResourceType, old: Json, new: Json) -> list[FieldError]:
    """What may not change on an update."""
    errors = list(_check_new_finalizers(old["metadata"], new["metadata"]))
    errors += [
        FieldError.invalid(path, after, "field is immutable")
        for path in _IMMUTABLE.get((resource.group, resource.kind), ())
        if (before := _at(old, path)) is not None and (after := _at(new, path)) != before
    ]
    changes = _CHANGES.get((resource.group, resource.kind))
    errors += changes(old, new) if changes else ()
    return errors + ([] if resource.custom else list(rbac_validation.check_change(old, new)))


def _check_new_finalizers(before: Json, after: Json) -> Iterator[FieldError]:
    added = [name for name in after.get("finalizers", ()) if name not in before.get("finalizers", ())]
    if added and "deletionTimestamp" in before:
        shown = ", ".join(f'"{name}"' for name in added)
        why = "no new finalizers can be added if the object is being deleted, found new finalizers"
        yield FieldError.forbidden("metadata.finalizers", f"{why} []string{{{shown}}}")


def _at(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


_CHECKS: dict[tuple[str, str], Callable[[Json], Iterator[FieldError]]] = {
    ("", "ConfigMap"): object_validation.check_config_map,
    ("", "Event"): object_validation.check_event,
    ("", "LimitRange"): quota_validation.check_limits,
    ("", "Pod"): pod_validation.check_pod,
    ("", "ResourceQuota"): quota_validation.check_quota,
    ("", "Secret"): object_validation.check_secret,
    ("", "Service"): service_validation.check,
    ("apps", "Deployment"): workload_validation.check_deployment,
    ("apps", "ReplicaSet"): workload_validation.check_replica_set,
    ("apps", "StatefulSet"): workload_validation.check_stateful_set,
    ("apps", "DaemonSet"): workload_validation.check_daemon_set,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaler_validation.check,
    ("coordination.k8s.io", "Lease"): object_validation.check_lease,
    ("discovery.k8s.io", "EndpointSlice"): object_validation.check_endpoint_slice,
    ("networking.k8s.io", "Ingress"): network_validation.check_ingress,
    ("networking.k8s.io", "NetworkPolicy"): network_validation.check_policy,
    ("policy", "PodDisruptionBudget"): object_validation.check_budget,
    ("scheduling.k8s.io", "PriorityClass"): object_validation.check_priority_class,
    **rbac_validation.CHECKS,
    **configurations.CHECKS,
}
_CHANGES: dict[tuple[str, str], Callable[[Json, Json], Iterator[FieldError]]] = {
    ("", "ConfigMap"): object_validation.check_frozen,
    ("", "ResourceQuota"): quota_validation.check_quota_change,
    ("", "Secret"): object_validation.check_frozen,
    ("", "Service"): service_validation.check_change,
    ("apps", "StatefulSet"): workload_validation.check_stateful_change,
    ("scheduling.k8s.io", "PriorityClass"): object_validation.check_priority_change,
}
_IMMUTABLE = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("", "Pod"): ("spec.nodeName",),
    ("", "Secret"): ("type",),
    ("scheduling.k8s.io", "PriorityClass"): ("preemptionPolicy",),
    ("discovery.k8s.io", "EndpointSlice"): ("addressType",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec.group", "spec.scope", "spec.names.kind"),
}
