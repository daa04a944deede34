"""An API server as a dictionary: what a `Cluster` sends is answered in this process, on the loop's own clock.

For the tests that need thousands of runs, or hours in milliseconds. It keeps to what the controller
relies on:
versions, generations, conflicts, the status subresource, merge patches, ordered watches. `latency` passes
before and after each request, an exchange's own `lag` before its watches tell.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from shared.errors import AlreadyExists, ClusterUnavailable, Conflict, NotFound
from shared.exchange import Request
from shared.types.meta import Json

WITH_STATUS = ("deployments", "replicasets", "canaries")
"""Resources whose status only the subresource writes."""


@dataclass(frozen=True)
class Place:
    """What a path names; `name` is empty for a collection."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str


def place_of(path: str) -> Place:
    """Read a path such as /apis/apps/v1/namespaces/test/deployments/podinfo/scale."""
    root, *parts = path.strip("/").split("/")
    group = parts.pop(0) if root == "apis" else ""
    version = parts.pop(0) if parts else ""
    namespace = ""
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    plural, name, subresource = [*parts, "", "", ""][:3]
    return Place(group, version, plural, namespace, name, subresource)


@dataclass(frozen=True)
class Told:
    """A line of every watch."""

    version: int
    plural: str
    namespace: str
    at: float
    line: bytes


class Admission(Protocol):
    """What webhooks make of a write: the object to store (None: as it is), or an error."""

    def __call__(self, place: Place, old: Json | None, new: Json | None) -> Json | None: ...


def admit_all(place: Place, old: Json | None, new: Json | None) -> Json | None:
    """No webhooks."""
    del place, old
    return new


@dataclass
class MemoryApi:
    """The store. `latency` is in seconds."""

    latency: float = 0.001
    kinds: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Which plurals a (group, version) serves, for discovery and for 404s of resources without a CRD."""
    admit: Admission = admit_all
    """Asked about the writes of people."""
    down: bool = False
    """Whether exchanges that were given a lag, be it none, get no answer."""
    _objects: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    _watchers: set[asyncio.Event] = field(default_factory=set)
    _versions: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _newest: int = 0

    def serve(self, group: str, version: str, *plurals: str) -> None:
        """Have these resources."""
        self.kinds.setdefault((group, version), set()).update(plurals)

    def exchange(self, lag: Mapping[str, float] | None = None, *, person: bool = False) -> "MemoryExchange":
        """A connection whose watches are so many seconds late, by plural; of a person, or of a controller."""
        return MemoryExchange(self, lag, person)

    def go_down(self) -> None:
        """Break all watches and answer nothing, until `down` is taken back."""
        self.down = True
        for news in self._watchers:
            news.set()

    def answer(self, request: Request, *, person: bool = False) -> Json:
        """Carry one request out. `person`: whoever asks is asked about at admission."""
        admit = self.admit if person else admit_all
        place = place_of(request.path)
        if not place.plural:
            return self._discover(place)
        if place.plural not in self.kinds.get((place.group, place.version), set()):
            raise NotFound(f"{request.what}: the server could not find the requested resource")
        match request.method:
            case "GET":
                return self._found(place, request) if place.name else self._list(place)
            case "POST":
                return self._create(place, request.body, admit)
            case "PATCH" | "PUT":
                return self._change(place, request, admit)
            case _:
                return self._delete(place, request, admit)

    def reachable(self, lag: Mapping[str, float] | None) -> None:
        """Raise for an exchange that cannot reach us."""
        if self.down and lag is not None:
            raise ClusterUnavailable("memory: Connection refused")

    async def watch(self, request: Request, lag: Mapping[str, float] | None) -> AsyncGenerator[bytes]:
        """The lines after the version that the request names, until the server goes down."""
        place, after = place_of(request.path), int(request.query["resourceVersion"])
        news, done = asyncio.Event(), 0
        self._watchers.add(news)
        clock = asyncio.get_running_loop().time
        try:
            while True:
                self.reachable(lag)
                while done < len(self.told):
                    told = self.told[done]
                    done += 1
                    here = place.namespace in ("", told.namespace) and place.plural == told.plural
                    if here and told.version > after:
                        if (left := told.at + (lag or {}).get(told.plural, 0.0) - clock()) > 0:
                            await asyncio.sleep(left)
                        yield told.line
                news.clear()
                await news.wait()
        finally:
            self._watchers.discard(news)

    def _discover(self, place: Place) -> Json:
        versions = sorted(version for group, version in self.kinds if group == place.group)
        if not versions:
            raise NotFound(f"no group {place.group}")
        if place.version:
            names = sorted(self.kinds[place.group, place.version])
            return {"resources": [{"name": name} for name in names]}
        return {
            "versions": [{"version": version} for version in versions],
            "preferredVersion": {"version": versions[0]},
        }

    def _found(self, place: Place, request: Request) -> Json:
        found = self._objects.get((place.plural, place.namespace, place.name))
        if found is None:
            raise NotFound(f'{request.what}: {place.plural} "{place.name}" not found')
        return found

    def _list(self, place: Place) -> Json:
        items = [
            obj
            for (plural, namespace, _), obj in sorted(self._objects.items(), key=lambda entry: entry[0])
            if plural == place.plural and place.namespace in ("", namespace)
        ]
        return {"items": items, "metadata": {"resourceVersion": str(self._newest)}}

    def _create(self, place: Place, body: Json, admit: Admission) -> Json:
        name = body["metadata"]["name"]
        key = (place.plural, place.namespace, name)
        if key in self._objects:
            raise AlreadyExists(f'{place.plural} "{name}" already exists')
        obj = orjson.loads(orjson.dumps(body))
        obj["metadata"] |= {"namespace": place.namespace, "uid": f"uid-{self._newest + 1}", "generation": 1}
        if place.plural in WITH_STATUS:
            obj.pop("status", None)
        return self._store("ADDED", key, admit(place, None, obj) or obj)

    def _change(self, place: Place, request: Request, admit: Admission) -> Json:
        old, body = self._found(place, request), request.body
        observed = (body.get("metadata") or {}).get("resourceVersion")
        if observed and observed != old["metadata"]["resourceVersion"]:
            raise Conflict(f"{request.what}: the object has been modified")
        new = merged(old, body) if request.method == "PATCH" else orjson.loads(orjson.dumps(body))
        if place.subresource == "status":
            new = {**old, "status": new.get("status", {})}
        elif place.plural in WITH_STATUS:
            new = {key: value for key, value in new.items() if key != "status"}
            new |= {"status": old["status"]} if "status" in old else {}
        kept = {key: old["metadata"][key] for key in ("uid", "generation", "resourceVersion")}
        new["metadata"] = {**new["metadata"], **kept}
        if new == old:
            return old
        new = admit(place, old, new) or new
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1
        return self._store("MODIFIED", (place.plural, place.namespace, place.name), new)

    def _delete(self, place: Place, request: Request, admit: Admission) -> Json:
        old = self._found(place, request)
        admit(place, old, None)
        key = (place.plural, place.namespace, place.name)
        self._store("DELETED", key, {**old, "metadata": dict(old["metadata"])})
        del self._objects[key]
        return {}

    def _store(self, kind: str, key: tuple[str, str, str], obj: Json) -> Json:
        self._newest = next(self._versions)
        obj["metadata"]["resourceVersion"] = str(self._newest)
        self._objects[key] = obj
        line = orjson.dumps({"type": kind, "object": obj})
        at = asyncio.get_running_loop().time()
        self.told.append(Told(self._newest, key[0], key[1], at, line))
        for news in self._watchers:
            news.set()
        return obj


def merged(there: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@dataclass
class MemoryExchange:
    """As much of `shared.exchange.Exchange` as a Cluster uses."""

    api: MemoryApi
    lag: Mapping[str, float] | None
    person: bool = False
    server: str = "memory"

    async def send(self, request: Request) -> Json:
        await asyncio.sleep(self.api.latency)
        self.api.reachable(self.lag)
        answer = orjson.dumps(self.api.answer(request, person=self.person))
        await asyncio.sleep(self.api.latency)
        parsed: Json = orjson.loads(answer)
        return parsed

    def lines(self, request: Request) -> AsyncGenerator[bytes]:
        return self.api.watch(request, self.lag)

    async def close(self) -> None:
        """Nothing is open."""
