"""What a client asks for: path and query, parsed once into a `Call`.

/apis/{group}/{version}/namespaces/{namespace}/{resource}/{name}/{subresource}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import yaml

from sandbox.apiserver import protobuf
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.status import bad_request, method_not_allowed, no_such_path, unsupported_media_type

_READABLE = (
    "", "application/json", "application/yaml", "application/octet-stream", "text/plain",
    "application/apply-patch+yaml", "application/apply-patch+json",
)  # fmt: skip
_NAMESPACE_SUBRESOURCES = ("finalize", "status")


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated client."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()

    @property
    def info(self) -> Json:
        """As reviews show it."""
        parts = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        return {name: value for name, value in parts.items() if value}


@dataclass(frozen=True, slots=True)
class Target:
    """The resource, object or subresource that a path names."""

    resource: ResourceType
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a resource. `warnings` is filled while it is served and sent with the answer."""

    method: str
    target: Target
    query: Mapping[str, str]
    user: User
    user_agent: str = ""
    accept: str = ""
    content_type: str = ""
    body: bytes = b""
    warnings: list[str] = field(default_factory=list)

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun", "") == "All"

    @property
    def field_validation(self) -> str:
        return self.query.get("fieldValidation") or "Warn"

    @property
    def field_manager(self) -> str:
        """The name given, else the first word of the client's own."""
        return self.query.get("fieldManager") or self.user_agent.partition("/")[0] or "unknown"

    @property
    def watches(self) -> bool:
        return self.method == "GET" and is_true(self.query.get("watch", ""))

    @property
    def verb(self) -> str:
        """As Kubernetes names what is done: get, list, watch, create, update, patch, delete,
        deletecollection.
        """
        whole = not self.target.name
        match self.method:
            case "GET" | "HEAD":
                return "watch" if self.watches else "list" if whole else "get"
            case "POST":
                return "create"
            case "PUT":
                return "update"
            case "PATCH":
                return "patch"
            case "DELETE":
                return "deletecollection" if whole else "delete"
        raise method_not_allowed()


def is_true(text: str) -> bool:
    return text.lower() in ("1", "true", "t")


def parse_path(catalog: Catalog, path: str) -> Target:
    """Raises an ApiError (404) for a path that names nothing served."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, version, rest = "", *_split(parts[1:])
    elif parts[0] == "apis" and len(parts) > 1:
        group, version, rest = parts[1], *_split(parts[2:])
    else:
        raise no_such_path()
    namespace = ""
    match rest:
        case ["namespaces", space, plural, *_] if plural not in _NAMESPACE_SUBRESOURCES:
            namespace, rest = space, rest[2:]
    match rest:
        case [plural]:
            name = subresource = ""
        case [plural, name]:
            subresource = ""
        case [plural, name, subresource]:
            pass
        case _:
            raise no_such_path()
    resource = catalog.find(group, version, plural)
    if resource is None or bool(namespace) > resource.namespaced:
        raise no_such_path()
    if subresource and subresource not in resource.subresources:
        raise no_such_path()
    return Target(resource, namespace, name, subresource)


def _split(parts: list[str]) -> tuple[str, list[str]]:
    if not parts:
        raise no_such_path()
    return parts[0], parts[1:]


def parse_body(call: Call, kind: str) -> Json:
    """The object in a request's body. Raises an ApiError (400)."""
    if call.content_type == protobuf.CONTENT_TYPE:
        return protobuf.decode(call.body)
    if call.content_type not in _READABLE:
        accepted = ", ".join(sorted(filter(None, _READABLE)))
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        )
    text = call.body.decode(errors="replace")
    try:
        obj = yaml.load(text, yaml.CSafeLoader) if "yaml" in call.content_type else orjson.loads(call.body)
    except (orjson.JSONDecodeError, yaml.YAMLError) as error:
        why = f"json parse error: {error} ({text[:100]})"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {why}"
        ) from error
    if not isinstance(obj, dict):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): it is not an object"
        )
    return obj
