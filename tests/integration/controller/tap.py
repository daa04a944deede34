"""Between the controller and the API server: counts what it sends, remembers what it writes, and breaks it.

Cluster ──► Tap ──► Exchange (HTTP) or MemoryExchange
             │
             └── faults: after the k-th write the process is dead, or the write gets a 409, or it is
                 applied and the connection breaks before the answer
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from shared.errors import ClusterUnavailable, Conflict
from shared.exchange import Request
from shared.types.meta import Json
from tests.integration.controller.memory import Place, place_of


class Crash(BaseException):
    """The process is gone: nothing of it runs on, nothing that it would have written is written."""


class Fault(StrEnum):
    """What happens to a write."""

    CRASH = "crash"  # it is applied, and then the process is dead
    CONFLICT = "conflict"  # it gets a 409
    RESET = "reset"  # it is applied, and then the connection breaks


Faults = Callable[[int], Fault | None]
"""What happens to the n-th write, counted from 1."""


def none(_: int) -> Fault | None:
    """All is well."""
    return None


def only(number: int, fault: Fault) -> Faults:
    """One write goes wrong."""
    return lambda n: fault if n == number else None


def every(number: int, fault: Fault) -> Faults:
    """Each so many-th write goes wrong."""
    return lambda n: fault if n % number == 0 else None


@dataclass(frozen=True)
class Sent:
    """A write of the controller. `version` is the resourceVersion that it led to."""

    method: str
    place: Place
    body: Any
    version: int

    def __str__(self) -> str:
        what = f"{self.place.plural}/{self.place.subresource}".rstrip("/")
        return f"{self.method} {what} {self.place.name or self.body['metadata']['name']}"


class Wire(Protocol):
    """What a Tap stands before."""

    @property
    def server(self) -> str: ...

    async def send(self, request: Request) -> Json: ...

    def lines(self, request: Request) -> AsyncGenerator[bytes]: ...

    async def close(self) -> None: ...


@dataclass
class Record:
    """What the controller sent, over all its lives."""

    requests: Counter[str] = field(default_factory=Counter)
    """Requests that are no watches, by method and resource."""
    watches: int = 0
    writes: list[Sent] = field(default_factory=list)
    tried: int = 0
    """Writes, those that failed included."""

    @property
    def total(self) -> int:
        """Requests that are no watches."""
        return self.requests.total()


class Tap:
    """An exchange with a record and faults."""

    def __init__(self, wire: Wire, record: Record, faults: Faults = none) -> None:
        self._wire = wire
        self._record = record
        self._faults = faults
        self._dead = False

    @property
    def server(self) -> str:
        return self._wire.server

    async def send(self, request: Request) -> Json:
        if self._dead:
            raise Crash
        place = place_of(request.path)
        what = f"{place.plural}/{place.subresource}".rstrip("/") or "discovery"
        self._record.requests[f"{request.method} {what}"] += 1
        if request.method == "GET":
            return await self._wire.send(request)
        self._record.tried += 1
        fault = self._faults(self._record.tried)
        if fault is Fault.CONFLICT:
            raise Conflict(f"{request.what}: injected")
        answer = await self._wire.send(request)
        version = int(answer["metadata"]["resourceVersion"])
        self._record.writes.append(Sent(request.method, place, request.body, version))
        if fault is Fault.CRASH:
            self._dead = True
            raise Crash
        if fault is Fault.RESET:
            raise ClusterUnavailable(f"{request.what}: injected, after it was applied")
        return answer

    def lines(self, request: Request) -> AsyncGenerator[bytes]:
        self._record.watches += 1
        return self._wire.lines(request)

    async def close(self) -> None:
        await self._wire.close()
