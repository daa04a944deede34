"""What a client asks for: path and query, parsed once into a `Call`.

/apis/{group}/{version}/namespaces/{namespace}/{resource}/{name}/{subresource}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.status import method_not_allowed, no_such_path

_NAMESPACE_SUBRESOURCES = ("finalize", "status")


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated client."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def info(self) -> Json:
        """As reviews show it."""
        extra = {key: list(values) for key, values in self.extra.items()}
        parts = {"username": self.name, "uid": self.uid, "groups": list(self.groups), "extra": extra}
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
        return self.method == "GET" and not self.target.name and is_set(self.query, "watch")

    @property
    def verb(self) -> str:
        """As Kubernetes names what is done: get, list, watch, create, update, patch, delete,
        deletecollection.
        """
        whole = not self.target.name
        match self.method:
            case "GET":
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


def media_type(header: str) -> str:
    """The media type of a Content-Type header; one that cannot be read is left as it is."""
    media, *parameters = header.split(";")
    if all(parameter.strip(" =").count("=") == 1 for parameter in parameters if parameter.strip()):
        return media.strip().lower()
    return header


def is_set(query: Mapping[str, str], name: str) -> bool:
    """A switch: on unless it says otherwise, even without a value."""
    return name in query and query[name].lower() not in ("0", "false")


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
