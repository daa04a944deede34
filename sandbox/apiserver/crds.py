"""CustomResourceDefinitions: is one valid, what does it serve, and the status that says so.

    CRD written -> check -> with_status (names accepted, established) -> served_types -> catalogue

Called by `operations.py` for writes of the CRD resource.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.apiserver import schema_rules
from sandbox.apiserver.builtin_schema import metadata_schema
from sandbox.apiserver.lifecycle import timestamp
from sandbox.apiserver.resources import Json, PrinterColumn, ResourceType, ScalePaths
from sandbox.apiserver.schema import INT_OR_STRING, PRESERVE
from sandbox.apiserver.status import FieldError

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a CRD that is deleted until its objects are gone."""

_STRING: Json = {"type": "string"}
_FORBIDDEN_IN_SCHEMA = ("$ref", "definitions", "dependencies", "patternProperties", "id", "uniqueItems")
_AGE = PrinterColumn("Age", "date", ".metadata.creationTimestamp")


def check(obj: Json) -> list[FieldError]:
    """What a real API server would refuse a definition for."""
    return list(_check(obj["metadata"].get("name", ""), obj.get("spec", {})))


def _check(name: str, spec: Json) -> Iterator[FieldError]:
    group, names, versions = spec.get("group", ""), spec.get("names", {}), spec.get("versions") or []
    if not group:
        yield FieldError.required("spec.group")
    for part in ("plural", "kind"):
        if not names.get(part):
            yield FieldError.required(f"spec.names.{part}")
    if name != f"{names.get('plural', '')}.{group}":
        yield FieldError.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield FieldError.unsupported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [version.get("name") for version in versions]
        yield FieldError.invalid(
            "spec.versions", shown, "must have exactly one version marked as storage version"
        )
    for index, version in enumerate(versions):
        where = f"spec.versions[{index}].schema.openAPIV3Schema"
        schema = version.get("schema", {}).get("openAPIV3Schema")
        if schema is None:
            yield FieldError.required(where, "schemas are required")
        else:
            yield from _check_root(schema, where)
            # As the real one: a single schema counts as that of all versions.
            shared = "spec.validation.openAPIV3Schema" if len(versions) == 1 else where
            yield from schema_rules.faults(schema, shared)


def _check_root(schema: Json, path: str) -> Iterator[FieldError]:
    if schema.get("type") != "object":
        yield FieldError.invalid(f"{path}.type", schema.get("type", ""), "must be object at the root")
    yield from _check_structure(schema, path, root=True)


def _check_structure(schema: Json, path: str, *, root: bool = False) -> Iterator[FieldError]:
    """The rules of structural schemas: every value has a type, and arrays say what they hold."""
    if not schema.get("type") and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        where = "at the root" if root else "for specified object fields"
        yield FieldError.required(f"{path}.type", f"must not be empty {where}")
    for word in _FORBIDDEN_IN_SCHEMA:
        if word in schema:
            yield FieldError.forbidden(f"{path}.{word}", f"{word} is not supported")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield FieldError.forbidden(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        yield FieldError.required(f"{path}.items", "must be specified")
    for name, inner in schema.get("properties", {}).items():
        if not (root and name == "metadata"):
            yield from _check_structure(inner, f"{path}.properties[{name}]")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from _check_structure(schema[word], f"{path}.{word}")


def prepare(obj: Json, taken: set[str]) -> None:
    """Sets a draft's status. `taken` are the plurals and kinds that others of its group use."""
    spec = obj["spec"]
    wanted = (spec["names"]["plural"], spec["names"]["kind"])
    clash = next((name for name in wanted if name in taken), None)
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    stored = obj.get("status", {}).get("storedVersions", [])
    before = {condition["type"]: condition for condition in obj.get("status", {}).get("conditions", ())}
    reasons = (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    )
    if clash:
        problem = f'"{clash}" is already in use'
        reasons = (
            ("NamesAccepted", "NamesConflict", problem),
            ("Established", "NotAccepted", "not all names are accepted"),
        )
    obj["status"] = {
        "conditions": [
            _condition(before.get(kind), kind, reason, text, good=not clash) for kind, reason, text in reasons
        ],
        "acceptedNames": {} if clash else spec["names"],
        "storedVersions": stored if storage in stored else [*stored, storage],
    }
    finalizers = obj["metadata"].setdefault("finalizers", [])
    if "deletionTimestamp" not in obj["metadata"] and CLEANUP_FINALIZER not in finalizers:
        finalizers.append(CLEANUP_FINALIZER)


def _condition(before: Json | None, kind: str, reason: str, message: str, *, good: bool) -> Json:
    status = "True" if good else "False"
    if before and before["status"] == status:
        return before
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": timestamp(),
        "reason": reason,
        "message": message,
    }


def served_types(obj: Json) -> list[ResourceType]:
    """The resources that an established definition serves, the version clients should prefer first."""
    established = any(
        c["type"] == "Established" and c["status"] == "True" for c in obj["status"]["conditions"]
    )
    versions = [version for version in obj["spec"]["versions"] if version.get("served")]
    ranked = sorted(versions, key=lambda version: _version_rank(version["name"]), reverse=True)
    return [_served_type(obj["spec"], version) for version in ranked] if established else []


def _version_rank(name: str) -> tuple[int, int, int]:
    """GA before beta before alpha, then the higher number: v1 > v1beta2 > v1beta1 > v1alpha1."""
    stage = 0 if "alpha" in name else 1 if "beta" in name else 2
    numbers = [int(part) for part in "".join(c if c.isdigit() else " " for c in name).split()] or [0]
    return stage, numbers[0], numbers[-1]


def _served_type(spec: Json, version: Json) -> ResourceType:
    names, subresources = spec["names"], version.get("subresources", {})
    storage = next(other["name"] for other in spec["versions"] if other.get("storage"))
    return ResourceType(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        singular_name=names.get("singular", ""),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames", ())),
        categories=tuple(names.get("categories", ())),
        subresources=tuple(name for name in ("status", "scale") if name in subresources),
        storage_version=storage,
        unconditional_update=False,
        schema=_whole_schema(version["schema"]["openAPIV3Schema"]),
        scale=_scale(subresources.get("scale")),
        columns=_columns(version),
        selectable_fields=tuple(f["jsonPath"].lstrip(".") for f in version.get("selectableFields", ())),
        custom=True,
    )


def _whole_schema(schema: Json) -> Json:
    whole = {"apiVersion": _STRING, "kind": _STRING, "metadata": metadata_schema()}
    return {**schema, "properties": {**schema.get("properties", {}), **whole}}


def _scale(paths: Any) -> ScalePaths | None:
    if paths is None:
        return None
    selector = paths.get("labelSelectorPath", "")
    return ScalePaths(
        paths["specReplicasPath"].lstrip("."), paths["statusReplicasPath"].lstrip("."), selector.lstrip(".")
    )


def _columns(version: Json) -> tuple[PrinterColumn, ...]:
    declared = version.get("additionalPrinterColumns")
    if not declared:
        return (_AGE,)
    return tuple(
        PrinterColumn(
            c["name"],
            c["type"],
            c["jsonPath"],
            c.get("priority", 0),
            c.get("format", ""),
            c.get("description", ""),
        )
        for c in declared
    )
