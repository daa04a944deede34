"""What was asked and what was written, for benchmarks and for oracles in tests.

every request -> Accounts.count -> GET /debug/requests
    every stored write -> Accounts.wrote -> GET /debug/writes
"""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

import orjson

from sandbox.apiserver.requests import Call, Target
from sandbox.apiserver.resources import Json
from sandbox.apiserver.storage import Entry

_MAX_WRITES = 20_000
_MAX_BYTES = 64 * 1024 * 1024
"""Of the objects that writes left."""
_MAX_ASKERS = 10_000
_OTHERS = ("", "", "", "")


@dataclass(frozen=True, slots=True)
class Write:
    """One write that was stored. `obj` is what it left, as JSON (empty: gone); `at` is Unix time."""

    at: float
    user: str
    user_agent: str
    verb: str
    target: Target
    version: int
    obj: bytes


@dataclass(slots=True)
class Accounts:
    """Counts of requests since the start, and the last writes."""

    requests: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    writes: deque[Write] = field(default_factory=deque)
    _bytes: int = 0

    def count(self, call: Call) -> None:
        target = call.target
        what = f"{target.resource.plural}/{target.subresource}".rstrip("/")
        asker = (call.user_agent, call.user.name, call.verb, what)
        known = asker in self.requests or len(self.requests) < _MAX_ASKERS
        self.requests[asker if known else _OTHERS] += 1

    def wrote(self, call: Call, entry: Entry, *, gone: bool) -> None:
        obj = b"" if gone else entry.encoded
        asked = call.target
        target = Target(asked.resource, asked.namespace, entry.key[1], asked.subresource)
        write = Write(time.time(), call.user.name, call.user_agent, call.verb, target, entry.version, obj)
        self.writes.append(write)
        self._bytes += len(obj)
        while len(self.writes) > _MAX_WRITES or self._bytes > _MAX_BYTES:
            self._bytes -= len(self.writes.popleft().obj)

    def request_report(self) -> Json:
        names = ("userAgent", "user", "verb", "resource")
        return {
            "requests": [
                {**dict(zip(names, key, strict=True)), "count": n} for key, n in self.requests.items()
            ]
        }

    def write_report(self, *, after: int, objects: bool) -> Json:
        """Writes with a resourceVersion above `after`, oldest first."""
        return {"writes": [_shown(write, objects=objects) for write in self.writes if write.version > after]}


def _shown(write: Write, *, objects: bool) -> Json:
    target = write.target
    shown: Json = {
        "time": write.at,
        "userAgent": write.user_agent,
        "user": write.user,
        "verb": write.verb,
        "resource": target.resource.plural,
        "subresource": target.subresource,
        "namespace": target.namespace,
        "name": target.name,
        "resourceVersion": str(write.version),
    }
    return {**shown, "object": orjson.loads(write.obj or b"null")} if objects else shown
