"""A cache of one resource that follows the API server, and tells listeners what changed.

Run as one task for each resource that a process reads. It holds projections, never whole objects. The loop
is kept thin (`run`) above one listing (`_relist`) and one watch (`_follow`), because loops are hard to
test.

    list ──► diff with the cache ──► watch from its resourceVersion ──► event by event ──► cache, listeners
      ▲                                        │
      └────────────── 410 Gone ────────────────┘      anything else: back off, watch again from the same place
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from shared.cluster import Cluster
from shared.errors import ClusterError, ClusterUnavailable, Gone
from shared.resources import Resource
from shared.types.meta import Json

T = TypeVar("T")

Key = tuple[str, str]
"""(namespace, name); the namespace of cluster-wide objects is empty."""

FIRST_BACKOFF = 0.8
LONGEST_BACKOFF = 30.0
LASTING_WATCH = 1.0
"""Seconds after which the end of a watch is no sign of trouble."""
STALE_LISTS = 10
"""So many lists in a row that are older than what was seen are not a lagging server but a restored one."""

_KNOWN = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
_log = logging.getLogger(__name__)


class Informer(Generic[T]):
    """The objects of one resource (in one namespace, with certain labels, of one name, or all), each as
    `project` makes it. A role that allows one name alone lets an informer of that name list and watch.

    A projection that raises leaves the object as it was known before, and is logged: one bad object harms
    only itself.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        project: Callable[[Json], T],
        *,
        namespace: str | None = None,
        label_selector: str = "",
        name: str = "",
    ) -> None:
        self.cache: dict[Key, T] = {}
        self.synced = asyncio.Event()
        """Set once the first list is in the cache and its listeners have been called."""
        self.last_seen = 0.0
        """When the server last showed us the present (list, event or bookmark), in seconds of the loop's
        clock.
        """
        self.failure: ClusterError | None = None
        """Why the cache cannot follow right now; None while it does."""
        self._cluster = cluster
        self._resource = resource
        self._project = project
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = f"metadata.name={name}" if name else ""
        self._listeners: list[Callable[[Key, T | None, T | None], None]] = []
        self._version = ""
        """Where to watch from; empty: list first."""
        self._newest = -1
        """The newest resourceVersion seen, as a number: nothing older is ever taken."""
        self._ahead: dict[Key, int] = {}
        """What was written by ourselves and not yet seen in the watch, with its resourceVersion."""
        self._stale_lists = 0
        self._watching_since: float | None = None

    def add_listener(self, listener: Callable[[Key, T | None, T | None], None]) -> None:
        """Have `listener(key, old, new)` called after each change of the cache; None stands for absent."""
        self._listeners.append(listener)

    @property
    def resource(self) -> Resource:
        """What this is a cache of."""
        return self._resource

    def assimilate(self, written: Json) -> None:
        """Take the server's answer to a write of ours ahead of the watch: a process sees its own writes."""
        key, number = _key(written), _number(written["metadata"].get("resourceVersion"))
        if number is None or number <= max(self._newest, self._ahead.get(key, -1)):
            return
        projected = self._projected(key, written)
        if projected is not None:
            self._ahead[key] = number
            self._store(key, projected)

    async def run(self) -> None:
        """Follow for ever. Ends only by cancellation."""
        clock = asyncio.get_running_loop().time
        delay = FIRST_BACKOFF
        while True:
            self._watching_since = None
            try:
                if not self._version:
                    await self._relist()
                self.failure = None
                self._watching_since = clock()
                await self._follow()
            except Gone as error:
                _log.info("place in the watch is lost, listing again", extra=self._fields(error))
                self._version = ""
            except ClusterError as error:
                self.failure = error
                _log.warning("cannot follow a resource", extra=self._fields(error))
            # A watch that lasted is normal life, and the next one begins at once. Whatever ends early may
            # be a storm.
            if self._watching_since is not None and clock() - self._watching_since >= LASTING_WATCH:
                delay = FIRST_BACKOFF
                continue
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, LONGEST_BACKOFF)

    async def _relist(self) -> None:
        """Make the cache equal to a fresh list; objects that are missing from it were deleted."""
        fresh: dict[Key, T] = {}
        version = ""
        selectors = {"labelSelector": self._label_selector, "fieldSelector": self._field_selector}
        query = {key: value for key, value in selectors.items() if value}
        async with aclosing(self._cluster.pages(self._resource, self._namespace, query=query)) as pages:
            async for items, version in pages:  # noqa: B007 - that of the last page
                for item in items:
                    key = _key(item)
                    projected = self._projected(key, item)
                    if projected is not None:
                        fresh[key] = projected
        self._refuse_older(version)
        number = _number(version)
        # A write of ours may have overtaken the list: what it made of an object is the newer truth.
        self._ahead = {key: at for key, at in self._ahead.items() if number is not None and at > number}
        for key in self.cache.keys() - fresh.keys() - self._ahead.keys():
            self._delete(key)
        for key, projected in fresh.items():
            if key not in self._ahead:
                self._store(key, projected)
        self._seen(version)
        self.synced.set()

    async def _follow(self) -> None:
        """One watch, until it ends."""
        watch = self._cluster.watch(
            self._resource,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        async with aclosing(watch) as events:
            async for kind, item in events:
                version = item["metadata"].get("resourceVersion", "")
                number = _number(version)
                # A stream is ordered: what is not newer than our place in it is a duplicate, or out of order.
                if kind in ("ADDED", "MODIFIED", "DELETED") and (number is None or number > self._newest):
                    self._take(kind, item, number)
                elif kind not in _KNOWN:
                    _log.warning(
                        "watch sent an event of an unknown type", extra={"type": kind, **self._fields()}
                    )
                    continue
                self._seen(version or self._version)

    def _take(self, kind: str, item: Json, number: int | None) -> None:
        key = _key(item)
        ahead = self._ahead.get(key)
        if ahead is not None and number is not None:
            if number >= ahead:
                del self._ahead[key]
            if number <= ahead:
                return
        if kind == "DELETED":
            self._delete(key)
            return
        projected = self._projected(key, item)
        if projected is not None:
            self._store(key, projected)

    def _projected(self, key: Key, item: Json) -> T | None:
        """The projection, or what was known before if it cannot be made: that is not the same as deleted."""
        try:
            return self._project(item)
        except Exception:  # noqa: BLE001 - whatever one object does to its projection, the others go on
            _log.exception("object cannot be read", extra={"object": "/".join(key), **self._fields()})
            return self.cache.get(key)

    def _store(self, key: Key, new: T) -> None:
        old = self.cache.get(key)
        if old != new:  # many updates touch nothing that the projection keeps
            self.cache[key] = new
            self._tell(key, old, new)

    def _delete(self, key: Key) -> None:
        old = self.cache.pop(key, None)
        if old is not None:
            self._tell(key, old, None)

    def _tell(self, key: Key, old: T | None, new: T | None) -> None:
        for listener in self._listeners:
            try:
                listener(key, old, new)
            except Exception:  # noqa: BLE001 - a listener's bug must not stop the cache for all others
                _log.exception("listener failed", extra={"object": "/".join(key), **self._fields()})

    def _seen(self, version: str) -> None:
        """The server has shown us everything up to this resourceVersion."""
        self.last_seen = asyncio.get_running_loop().time()
        number = _number(version)
        if number is None or number >= self._newest:
            self._version = version
            self._newest = self._newest if number is None else number

    def _refuse_older(self, version: str) -> None:
        """Raise for a list that is older than what was seen: an API server that lags behind another."""
        number = _number(version)
        if number is None or number >= self._newest:
            self._stale_lists = 0
            return
        self._stale_lists += 1
        if self._stale_lists < STALE_LISTS:
            raise ClusterUnavailable(
                f"the list is at {version}, older than {self._newest}, which was seen before"
            )
        _log.warning("the cluster's store went back in time, starting over", extra=self._fields())
        self._stale_lists, self._newest = 0, number
        self._ahead.clear()

    def _fields(self, error: ClusterError | None = None) -> Json:
        named = {"resource": self._resource.plural, "namespace": self._namespace or ""}
        return named | ({"error": str(error)} if error else {})


def _key(item: Json) -> Key:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _number(version: str | None) -> int | None:
    """A resourceVersion as a number; None for the servers whose versions are not comparable."""
    return int(version) if version and version.isascii() and version.isdecimal() else None
