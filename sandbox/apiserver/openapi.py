"""OpenAPI v3, as far as kubectl reads it: what `explain` shows, the queries a kind takes, how lists merge."""

from functools import lru_cache

from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.schema import INT_OR_STRING

_QUERIES = ("dryRun", "fieldManager", "fieldValidation")


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
    for resource in resources:
        paths |= _paths(resource, f"/{name}")
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": paths,
        "components": {"schemas": {_schema_name(resource): _schema(resource) for resource in resources}},
    }


def _schema_name(resource: ResourceType) -> str:
    domain = (
        ".".join(reversed(resource.group.split(".")))
        if "." in resource.group
        else f"io.k8s.api.{resource.group or 'core'}"
    )
    return f"{domain}.{resource.version}.{resource.kind}"


def _kind(resource: ResourceType) -> Json:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _schema(resource: ResourceType) -> Json:
    schema = resource.schema if resource.schema is not None else definition_schema(resource.definition)
    return {**_v3(schema), "x-kubernetes-group-version-kind": [_kind(resource)]}


@lru_cache(maxsize=1)
def _int_or_string() -> Json:
    return {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}


def _v3(schema: Json) -> Json:
    """A structural schema in plain OpenAPI v3."""
    if schema.get(INT_OR_STRING):
        return {**_int_or_string(), **{name: schema[name] for name in ("description",) if name in schema}}
    converted = dict(schema)
    if "properties" in schema:
        converted["properties"] = {name: _v3(inner) for name, inner in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            converted[name] = _v3(schema[name])
    return converted


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
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_schema_name(resource)}"}}}
    queries = _QUERIES if action in ("post", "put", "patch") else ()
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in queries
        ],
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
    }
