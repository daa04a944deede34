"""What the webhooks know of the cluster: Canaries, MetricTemplates and AlertProviders, as compact JSON.

    informers ──► Shelf (by namespace) ──► rules        pending: Canaries that were let through a moment ago
        └───────► owners (by target)   ──► pinning

`handlers` reads it, `__main__` runs it. Canaries are known by what decides about their target, so that one
which cannot be read as a whole still protects it.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from cachetools import TTLCache

from admission.governed import Governed
from shared.cluster import Cluster
from shared.errors import ClusterUnavailable, NotFound
from shared.informer import Informer, Key
from shared.names import CANARY_LABEL
from shared.resources import ALERT_PROVIDERS, CANARIES, DEPLOYMENTS, METRIC_TEMPLATES, Resource
from shared.types.canary import Phase
from shared.types.meta import Json

PENDING_SECONDS = 5.0
"""How long a Canary that was let through counts as being there; the watch brings it in a fraction of that."""
MOST_PENDING = 1000
ASK_SECONDS = 0.5
"""For one question to the API server, which itself waits for our answer."""
STALE_SECONDS = 600.0
"""So long a process answers from what it last saw, while it cannot reach the API server that asks it."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_PHASES = {phase.value: phase for phase in Phase}


@dataclass(frozen=True, slots=True)
class Known:
    """An object as it is kept."""

    body: bytes
    """JSON without what no rule reads."""
    governed: Governed | None = None
    """Of a Canary, unless not even its target can be read."""
    created: str = ""


class Caches:
    """Filled and kept up to date by `run`."""

    def __init__(self, cluster: Cluster, on_miss: Callable[[], None] = lambda: None) -> None:
        self._cluster = cluster
        self._on_miss = on_miss
        self._canaries = Informer(cluster, CANARIES, canary)
        self._shelves = {
            informer.resource: _Shelf(informer)
            for informer in (
                self._canaries,
                Informer(cluster, METRIC_TEMPLATES, plain),
                Informer(cluster, ALERT_PROVIDERS, plain),
            )
        }
        self._owners: defaultdict[Key, set[Key]] = defaultdict(set)
        self._pending: TTLCache[Key, Known] = TTLCache(MOST_PENDING, PENDING_SECONDS)
        self._claimed: TTLCache[Key, bool] = TTLCache(MOST_PENDING, PENDING_SECONDS)
        self._absent: TTLCache[Key, bool] = TTLCache(MOST_PENDING, PENDING_SECONDS)
        self._canaries.add_listener(self._on_canary)

    async def run(self) -> None:
        """Keep all caches up to date, forever."""
        async with asyncio.TaskGroup() as tasks:
            for shelf in self._shelves.values():
                tasks.create_task(shelf.informer.run())

    async def synced(self) -> None:
        """Return once every cache was filled."""
        for shelf in self._shelves.values():
            await shelf.informer.synced.wait()

    def problem(self) -> str | None:
        """Why nothing can be answered from here; None while it can."""
        for resource, shelf in self._shelves.items():
            if not shelf.informer.synced.is_set():
                return f"the cache of {resource.plural} is not filled yet"
            if (age := self.age(resource)) > STALE_SECONDS:
                return f"{resource.plural} were last heard of {age:.0f} s ago: {shelf.informer.failure}"
        return None

    @property
    def resources(self) -> Iterable[Resource]:
        """What is cached."""
        return self._shelves.keys()

    def age(self, resource: Resource) -> float:
        """Seconds since the API server was last heard about the resource."""
        return asyncio.get_running_loop().time() - self._shelves[resource].informer.last_seen

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """An object of a cached resource, without managed fields; None if there is none."""
        key = namespace, name
        known = self._pending.get(key) if resource is CANARIES else None
        known = known or self._shelves[resource].informer.cache.get(key)
        return _loaded(known.body) if known is not None else None

    def list(self, resource: Resource, namespace: str) -> list[Json]:
        """All objects of a cached resource in a namespace (empty: in all), without managed fields."""
        shelf = self._shelves[resource]
        keys = shelf.keys.get(namespace, ()) if namespace else shelf.informer.cache
        found = {key: shelf.informer.cache[key].body for key in keys}
        if resource is CANARIES:
            pending = self._pending.items()
            found |= {key: known.body for key, known in pending if namespace in ("", key[0])}
        return [_loaded(body) for body in found.values()]

    def count(self, resource: Resource, namespace: str) -> int:
        """How many objects of a cached resource a namespace has."""
        return len(self._shelves[resource].keys.get(namespace, ()))

    def remember(self, obj: Json) -> None:
        """A Canary was let through: the next request may come before the watch tells of it."""
        known = canary(obj)
        metadata = obj["metadata"]
        if metadata.get("name"):
            self._pending[metadata.get("namespace", ""), metadata["name"]] = known
            if known.governed is not None:
                self._claimed[known.governed.namespace, known.governed.target] = True

    def concerned(self, namespace: str, target: str) -> bool:
        """Whether some Canary may have the Deployment as its target."""
        return (namespace, target) in self._owners or (namespace, target) in self._claimed

    async def owner(self, namespace: str, target: str, label: str | None) -> Governed | None:
        """The Canary whose target that is; of several the oldest, which is the one that acts.

        `label` is the Canary that the Deployment's own label names: where it is not known, the API server is
        asked, for it may be newer than the cache.

        Raises:
            ClusterError: the API server could not be asked.
        """
        keys = self._owners.get((namespace, target))
        if keys:
            cache = self._canaries.cache
            return min((cache[key] for key in keys), key=lambda known: known.created).governed
        names = {key[1] for key, known in self._pending.items() if _claims(known, namespace, target)}
        for name in names | ({label} if label else set()):
            found = await self._asked(namespace, name)
            if found is not None and found.target == target:
                return found
        return None

    async def named(self, namespace: str, name: str) -> Governed | None:
        """The Canary of that name.

        Raises:
            ClusterError: the API server could not be asked.
        """
        known = self._canaries.cache.get((namespace, name))
        return known.governed if known is not None else await self._asked(namespace, name)

    async def _asked(self, namespace: str, name: str) -> Governed | None:
        """From the API server itself. That there is none is remembered for a moment."""
        key = namespace, name
        if key in self._absent:
            return None
        known = self._canaries.cache.get(key)
        if known is not None:
            return known.governed
        self._on_miss()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                found = await self._cluster.get(CANARIES, name, namespace)
        except TimeoutError as error:
            raise ClusterUnavailable(f"Canary {namespace}/{name} was not read in time") from error
        except NotFound:
            self._absent[key] = True
            self._pending.pop(key, None)
            return None
        self._canaries.assimilate(found)
        return canary(found).governed

    def _on_canary(self, key: Key, old: Known | None, new: Known | None) -> None:
        self._pending.pop(key, None)
        self._absent.pop(key, None)
        for known in (old, new):
            if known is None or known.governed is None:
                continue
            target = key[0], known.governed.target
            if known is new:
                self._owners[target].add(key)
            else:
                self._owners[target].discard(key)
                if not self._owners[target]:
                    del self._owners[target]


class _Shelf:
    """One resource by namespace."""

    def __init__(self, informer: Informer[Known]) -> None:
        self.informer = informer
        self.keys: defaultdict[str, set[Key]] = defaultdict(set)
        informer.add_listener(self._changed)

    def _changed(self, key: Key, _: Known | None, new: Known | None) -> None:
        if new is not None:
            self.keys[key[0]].add(key)
            return
        self.keys[key[0]].discard(key)
        if not self.keys[key[0]]:
            del self.keys[key[0]]


def canary(obj: Json) -> Known:
    """A Canary as it is kept."""
    return Known(_body(obj), _governed(obj), str(_part(obj, "metadata").get("creationTimestamp") or ""))


def plain(obj: Json) -> Known:
    """An object of another resource as it is kept."""
    return Known(_body(obj))


def label_of(obj: Json | None) -> str | None:
    """Which Canary the object says that it belongs to."""
    name = _part(_part(obj or {}, "metadata"), "labels").get(CANARY_LABEL)
    return name if isinstance(name, str) and name else None


def _governed(obj: Json) -> Governed | None:
    metadata, spec = _part(obj, "metadata"), _part(obj, "spec")
    ref = _part(spec, "targetRef")
    target = ref.get("name")
    if ref.get("kind", DEPLOYMENTS.kind) != DEPLOYMENTS.kind or not isinstance(target, str) or not target:
        return None
    return Governed(
        namespace=sys.intern(_text(metadata, "namespace")),
        name=sys.intern(_text(metadata, "name")),
        uid=_text(metadata, "uid"),
        target=sys.intern(target),
        apex=sys.intern(_text(_part(spec, "service"), "name") or target),
        autoscaler=sys.intern(_text(_part(spec, "autoscalerRef"), "name")),
        phase=_PHASES.get(_text(_part(obj, "status"), "phase"), Phase.NONE),
        suspended=spec.get("suspend") is True,
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def _body(obj: Json) -> bytes:
    metadata = {key: value for key, value in _part(obj, "metadata").items() if key != "managedFields"}
    annotations = _part(metadata, "annotations")
    metadata["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    kept: Json = {**obj, "metadata": metadata, "status": {"phase": _text(_part(obj, "status"), "phase")}}
    # orjson's result keeps the 4 KiB buffer it was written to; the copy is as long as the JSON.
    return bytes(memoryview(orjson.dumps(kept)))


def _loaded(body: bytes) -> Json:
    obj: Json = orjson.loads(body)
    return obj


def _claims(known: Known, namespace: str, target: str) -> bool:
    governed = known.governed
    return governed is not None and (governed.namespace, governed.target) == (namespace, target)


def _part(obj: Json, name: str) -> dict[str, Any]:
    part = obj.get(name)
    return part if isinstance(part, dict) else {}


def _text(obj: Json, name: str) -> str:
    text = obj.get(name)
    return text if isinstance(text, str) else ""
