"""OpenAPI, as far as kubectl reads it: what `explain` shows, the queries a kind takes, how lists merge.

    schemas of the catalogue (builtin_schema.py, CRDs) + descriptions.py -> a v3 document per group version

The older v2 has no more than its frame here: clients ask for it where v3 does not know a kind, to learn that
v2 does not either.
"""

import re
from functools import lru_cache
from typing import Any

from sandbox.apiserver import descriptions, gotypes
from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.schema import INT_OR_STRING

PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_QUERIES = ("dryRun", "fieldManager", "fieldValidation")
_DEFINITION = re.compile(r"([A-Za-z]*?)(V\d+(?:alpha\d+|beta\d+)?)([A-Z]\w*)")
_ANY_INT = {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}
_SHARED: dict[str, tuple[str, Json]] = {
    "int-or-string": ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", _ANY_INT),
    "quantity": (
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        {"oneOf": [{"type": "string"}, {"type": "number"}]},
    ),
}
_VERSION = "v1.36.2"


def v2() -> Json:
    """`/openapi/v2`."""
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": _VERSION}, "paths": {}}


def v2_protobuf() -> bytes:
    """The same in protobuf: fields 1 (swagger), 2 (info) and 8 (paths)."""
    info = _text(1, "Kubernetes") + _text(2, _VERSION)
    return _text(1, "2.0") + bytes([2 << 3 | 2, len(info)]) + info + bytes([8 << 3 | 2, 0])


def _text(number: int, text: str) -> bytes:
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def index(catalog: Catalog) -> Json:
    """`/openapi/v3`: where the document of each group and version is. The hash makes clients cache well."""
    paths: Json = {}
    for group, versions in catalog.versions().items():
        for version in versions:
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={catalog.revision}"}
    return {"paths": paths}


def document(catalog: Catalog, name: str) -> Json | None:
    """The document of `api/v1` or `apis/{group}/{version}`."""
    _, _, group_version = name.partition("/")
    group, _, version = group_version.rpartition("/")
    resources = catalog.versions().get(group, {}).get(version)
    if resources is None:
        return None
    paths: Json = {}
    schemas = _Schemas()
    for resource in resources:
        paths |= _paths(resource, f"/{name}")
        schemas.add(resource)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": _VERSION},
        "paths": paths,
        "components": {"schemas": schemas.found},
    }


class _Schemas:
    """The schemas of a document: those of its kinds, and the types that they refer to."""

    def __init__(self) -> None:
        self.found: Json = {}

    def add(self, resource: ResourceType) -> None:
        schema = resource.schema if resource.schema is not None else definition_schema(resource.definition)
        self.found[_schema_name(resource)] = {
            **self._described(schema),
            "x-kubernetes-group-version-kind": [_kind(resource)],
        }

    def _described(self, schema: Json) -> Json:
        """A structural schema in plain OpenAPI v3, with what its fields are for where it is a named type."""
        converted = {name: value for name, value in schema.items() if name != gotypes.DEFINITION}
        about = descriptions.of(schema.get(gotypes.DEFINITION, ""))
        if about.text:
            converted["description"] = about.text
        if about.required:
            converted["required"] = list(about.required)
        if "properties" in schema:
            converted["properties"] = {
                name: self._inner(inner, about.fields.get(name, ""))
                for name, inner in schema["properties"].items()
            }
        for name in ("items", "additionalProperties"):
            if isinstance(schema.get(name), dict):
                converted[name] = self._inner(schema[name])
        return converted

    def _inner(self, schema: Json, text: str = "") -> Json:
        """A field or item: a reference where its type has a name."""
        told = {"description": text} if text else {k: schema[k] for k in ("description",) if k in schema}
        if schema.get(INT_OR_STRING):
            if "description" in schema or "anyOf" in schema:
                return {**_ANY_INT, **told}
            name, shared = _SHARED[schema.get("format", "int-or-string")]
            self.found[name] = shared
            return _reference(name) | told
        definition = schema.get(gotypes.DEFINITION, "")
        if not definition:
            return self._described(schema) | told
        name = _type_name(definition)
        if name not in self.found:
            self.found[name] = {}  # present from here on, for types that contain themselves
            self.found[name] = self._described(definition_schema(definition))
        return _reference(name) | told


def _reference(name: str) -> Json:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}


@lru_cache(maxsize=1024)
def _type_name(definition: str) -> str:
    found = _DEFINITION.fullmatch(definition)
    assert found is not None, "types are named by group, version and kind"
    group, version, kind = found.groups()
    return f"io.k8s.api.{group.lower() or 'meta'}.{version.lower()}.{kind}"


def _schema_name(resource: ResourceType) -> str:
    domain = (
        ".".join(reversed(resource.group.split(".")))
        if "." in resource.group
        else f"io.k8s.api.{resource.group or 'core'}"
    )
    return f"{domain}.{resource.version}.{resource.kind}"


def _kind(resource: ResourceType) -> Json:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _paths(resource: ResourceType, prefix: str) -> Json:
    collection = (
        f"{prefix}/namespaces/{{namespace}}/{resource.plural}"
        if resource.namespaced
        else f"{prefix}/{resource.plural}"
    )
    return {
        collection: {"post": _operation(resource, "post")},
        f"{collection}/{{name}}": {
            method: _operation(resource, method) for method in ("get", "put", "patch", "delete")
        },
    }


def _operation(resource: ResourceType, action: str) -> Json:
    schema: Any = {"$ref": f"#/components/schemas/{_schema_name(resource)}"}
    queries = _QUERIES if action in ("post", "put", "patch") else ()
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in queries
        ],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
    }
