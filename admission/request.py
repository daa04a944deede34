"""An admission request as the handlers see it, and how it is read from what the API server sends. Pure.

    bytes ──► read: Envelope (who, what, which object) ──► open: Request (with both objects)

In two steps, because the two objects are nearly all of a request's bytes and most requests need neither. Only
where our label is in the bytes, they are most likely needed, and all is read at once.
`server` reads, `handlers` opens; `response` echoes the uid.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

from shared.errors import BadReview
from shared.names import CANARY_LABEL, TRAEFIK_GROUPS
from shared.resources import (
    ALERT_PROVIDERS,
    CANARIES,
    DEPLOYMENTS,
    HPAS,
    METRIC_TEMPLATES,
    SERVICES,
    Resource,
    traefik_services,
)
from shared.types.meta import Json

S = TypeVar("S")
T = TypeVar("T")

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
SCALE = "scale"

_RESOURCES = {
    (resource.group, resource.version, resource.plural): resource
    for resource in (
        *(CANARIES, METRIC_TEMPLATES, ALERT_PROVIDERS),
        *(DEPLOYMENTS, SERVICES, HPAS, *map(traefik_services, TRAEFIK_GROUPS)),
    )
}
"""What can be under review. Anything else was sent here by mistake: the failurePolicy decides."""
_LABEL = CANARY_LABEL.encode()
_ABSENT: Any = None
_NULL = msgspec.Raw(b"null")
_LONGEST_REASON = 300


class Operation(StrEnum):
    """What is done to the object. CONNECT is not one: nothing that is under review can be connected to."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks the API server."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `new` is None on DELETE, `old` on CREATE; both are as the API server sends them, though
    perhaps without managed fields."""

    uid: str
    operation: Operation
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    dry_run: bool
    received: datetime
    new: Json | None
    old: Json | None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request whose objects have not been looked at."""

    uid: str
    operation: Operation
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    dry_run: bool
    body: bytes
    """All of it, as it came."""
    _new: object
    _old: object

    def open(self, received: datetime) -> Request:
        """The request with its objects.

        Raises:
            BadReview: an object is missing, is none, or is of another kind than the request says.
        """
        deleted, created = self.operation is Operation.DELETE, self.operation is Operation.CREATE
        new = None if deleted else self._object(self._new, "object", {})
        kept = _kept(self._old, self._new, new)
        old = None if created else self._object(self._old, "oldObject", kept)
        named = _name(new or old or {}, self.name)
        return Request(
            uid=self.uid,
            operation=self.operation,
            resource=self.resource,
            subresource=self.subresource,
            namespace=self.namespace,
            name=named,
            user=self.user,
            dry_run=self.dry_run,
            received=received,
            new=new,
            old=old,
        )

    def _object(self, found: object, where: str, kept: Json) -> Json:
        if isinstance(found, _Governed):
            found = _tried(found.whole, kept, f"request.{where}")
        elif isinstance(found, msgspec.Raw):
            found = _tried(_ANYTHING.decode, found, f"request.{where}")
        if not isinstance(found, dict):
            raise BadReview(f"request.{where}: an object is needed for {self.operation}")
        expected = _kind(self.resource, self.subresource)
        kind = (found.get("apiVersion"), found.get("kind"))
        if kind != expected:
            raise BadReview(f"request.{where}: is a {_shown(kind)}, the request says {_shown(expected)}")
        return found


class _Kind(msgspec.Struct, frozen=True):
    version: str
    kind: str
    group: str = ""


class _Plural(msgspec.Struct, frozen=True):
    version: str
    resource: str
    group: str = ""


class _User(msgspec.Struct, frozen=True, gc=False):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] | None = None
    extra: dict[str, tuple[str, ...]] | None = None


class _Governed(msgspec.Struct, frozen=True, rename="camel"):
    """An object that is most likely needed. Managed fields, a third of it, are not: nobody reads them."""

    api_version: Any = None
    kind: Any = None
    metadata: dict[str, msgspec.Raw] | None = None
    spec: msgspec.Raw = _NULL
    status: msgspec.Raw = _NULL

    def whole(self, kept: Json) -> Json:
        """As JSON. `kept` are the parts that were read before."""
        decode = _ANYTHING.decode
        found = {key: decode(raw) for key, raw in (self.metadata or {}).items() if key != "managedFields"}
        obj: Json = {"apiVersion": self.api_version, "kind": self.kind, "metadata": found, **kept}
        if "spec" not in kept and self.spec != _NULL:
            obj["spec"] = decode(self.spec)
        if "status" not in kept and self.status != _NULL:
            obj["status"] = decode(self.status)
        return obj


def _kept(old: object, new: object, read: Json | None) -> Json:
    """What of the old object is in the new one, `read`, as it was: parsed once, and found equal at once."""
    if read is None or not isinstance(old, _Governed) or not isinstance(new, _Governed):
        return {}
    same = {"spec": old.spec == new.spec, "status": old.status == new.status}
    return {name: read[name] for name, is_same in same.items() if is_same and name in read}


class _Request(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    uid: str
    kind: _Kind
    resource: _Plural
    operation: str
    user_info: _User
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    dry_run: bool | None = None
    object: T = _ABSENT
    old_object: T = _ABSENT


class _Review(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    kind: str
    api_version: str
    request: _Request[T]


_WITHOUT_OBJECTS = msgspec.json.Decoder(_Review[msgspec.Raw])
_WITH_OBJECTS = msgspec.json.Decoder(_Review[_Governed | None])
_ANYTHING = msgspec.json.Decoder()


def read(body: bytes) -> Envelope:
    """The request in an AdmissionReview; its objects are only checked for being JSON.

    Of a key that is there twice the last one counts, as in the API server.

    Raises:
        BadReview: it cannot be read, or is about something that is not reviewed here.
    """
    decoder: msgspec.json.Decoder[Any] = _WITH_OBJECTS if _LABEL in body else _WITHOUT_OBJECTS
    review: _Review[Any] = _tried(decoder.decode, body, f"the body is no {KIND}")
    if (review.api_version, review.kind) != (API_VERSION, KIND):
        what = _shown((review.api_version, review.kind))
        raise BadReview(f"the body is a {what}, only {API_VERSION} {KIND} is understood")
    if not review.request.uid:
        raise BadReview("request.uid is empty")
    return _envelope(review.request, body)


def _tried(read: Callable[[S], T], what_is_read: S, what: str) -> T:
    try:
        return read(what_is_read)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReview(f"{what}: {str(error)[:_LONGEST_REASON]}") from error
    except RecursionError as error:
        raise BadReview(f"{what}: nested too deeply") from error


def parse(body: bytes, received: datetime) -> Request:
    """The request in an AdmissionReview, with its objects.

    Raises:
        BadReview: it cannot be read, or is about something that is not reviewed here.
    """
    return read(body).open(received)


def _envelope(request: _Request[Any], body: bytes) -> Envelope:
    said = request.resource
    resource = _RESOURCES.get((said.group, said.version, said.resource))
    if resource is None:
        what = f"{said.resource}.{said.version}.{said.group}"
        raise BadReview(f"request.resource: {what[:_LONGEST_REASON]} is not reviewed here")
    kind, expected = request.kind, _kind(resource, request.sub_resource)
    if (f"{kind.group}/{kind.version}" if kind.group else kind.version, kind.kind) != expected:
        raise BadReview(f"request.kind: {_shown((kind.version, kind.kind))} is not a {_shown(expected)}")
    operation = _OPERATIONS.get(request.operation)
    if operation is None:
        known = ", ".join(Operation)
        raise BadReview(f"request.operation: {request.operation[:_LONGEST_REASON]!r} is none of {known}")
    user = request.user_info
    return Envelope(
        uid=request.uid,
        operation=operation,
        resource=resource,
        subresource=request.sub_resource,
        namespace=request.namespace,
        name=request.name,
        user=User(user.username, user.uid, user.groups or (), user.extra or {}),
        dry_run=bool(request.dry_run),
        body=body,
        _new=request.object,
        _old=request.old_object,
    )


_OPERATIONS: Mapping[str, Operation] = {operation.value: operation for operation in Operation}


def _kind(resource: Resource, subresource: str) -> tuple[str, str]:
    """apiVersion and kind of the objects of a request."""
    return ("autoscaling/v1", "Scale") if subresource == SCALE else (resource.api_version, resource.kind)


def _name(obj: Json, said: str) -> str:
    """The object's name. It may be in the object alone: on CREATE with `generateName`, and where many are
    deleted together."""
    metadata: Any = obj.get("metadata")
    name = said or (metadata.get("name") if isinstance(metadata, dict) else "")
    return name if isinstance(name, str) else ""


def _shown(kind: tuple[object, object]) -> str:
    return f"{kind[0]} {kind[1]}"[:_LONGEST_REASON]
