"""What was asked and what was written, for benchmarks and for oracles in tests.

every request -> Accounts.count -> GET /debug/requests
    every stored write -> Accounts.wrote -> GET /debug/writes
"""

import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace

import orjson

from sandbox.apiserver.requests import Call, Target
from sandbox.apiserver.resources import Json
from sandbox.apiserver.storage import Entry

_MAX_WRITES = 20_000


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
    writes: deque[Write] = field(default_factory=lambda: deque(maxlen=_MAX_WRITES))

    def count(self, call: Call) -> None:
        target = call.target
        what = f"{target.resource.plural}/{target.subresource}".rstrip("/")
        self.requests[call.user_agent, call.user.name, call.verb, what] += 1

    def wrote(self, call: Call, entry: Entry, *, gone: bool) -> None:
        obj = b"" if gone else entry.encoded
        target = replace(call.target, name=entry.key[1])
        write = Write(time.time(), call.user.name, call.user_agent, call.verb, target, entry.version, obj)
        self.writes.append(write)

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
