"""An admission request as the handlers see it, and how it is read from what the API server sends. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.resources import Resource
from shared.types.meta import Json


class Operation(StrEnum):
    """What is done to the object."""

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
    """One request. `new` is None on DELETE, `old` on CREATE; both are as the API server sends them."""

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
