"""The objects, in memory, with one global resourceVersion and a history for watches.

    write -> Entry (object + version, encoded at most once) -> Event -> history ring -> every Subscription

Stored objects are never changed in place: a write stores a new dict. So readers, watches and the write log
may hold on to what they were given for as long as they like.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from sandbox.apiserver.resources import Json

Key = tuple[str, str]
"""Namespace ("" for cluster-wide resources) and name."""


def fresh(obj: Json) -> Json:
    """A copy that may be changed at every depth."""
    copy: Json = orjson.loads(orjson.dumps(obj))
    return copy


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(slots=True, eq=False)
class Entry:
    """An object as stored: `obj` is not to be changed."""

    key: Key
    obj: Json
    version: int
    _encoded: bytes = b""

    @property
    def encoded(self) -> bytes:
        if not self._encoded:
            self._encoded = orjson.dumps(self.obj)
        return self._encoded


@dataclass(slots=True, eq=False)
class Event:
    """One change. `lines` caches what watches send for it: each form is encoded once for all of them."""

    type: EventType
    entry: Entry
    previous: Entry | None
    lines: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @property
    def version(self) -> int:
        return self.entry.version


class Subscription:
    """The events of a collection that one watcher has not yet taken; once `ended`, there will be no more."""

    LIMIT = 20_000

    def __init__(self) -> None:
        self._pending: list[Event] = []
        self._wakeup = asyncio.Event()
        self.ended = False

    def push(self, event: Event) -> None:
        if len(self._pending) >= self.LIMIT:
            self.end()
        else:
            self._pending.append(event)
            self._wakeup.set()

    def end(self) -> None:
        """No more events: the watcher is too slow, or what it watches is no longer served."""
        self.ended = True
        self._wakeup.set()

    def complete_up_to(self, version: int) -> int:
        """The version up to which everything was taken, given the store's current one."""
        return self._pending[0].version - 1 if self._pending else version

    async def take(self) -> list[Event]:
        """Waits for at least one event, then returns all there are."""
        await self._wakeup.wait()
        self._wakeup.clear()
        taken, self._pending = self._pending, []
        return taken


def _in_order(entries: dict[Key, Entry], namespace: str) -> list[Entry]:
    keys = [key for key in entries if key[0] == namespace] if namespace else list(entries)
    return [entries[key] for key in sorted(keys, key="/".join)]


class Collection:
    """All objects of one kind."""

    def __init__(self, next_version: Callable[[], int], history: int, compacted: int) -> None:
        self._next_version = next_version
        self._history: deque[Event] = deque(maxlen=history)
        self._subscriptions: set[Subscription] = set()
        self.entries: dict[Key, Entry] = {}
        self.compacted = compacted
        """Changes up to and including this version are no longer in the history."""

    @property
    def watchers(self) -> int:
        return len(self._subscriptions)

    def get(self, key: Key) -> Entry | None:
        return self.entries.get(key)

    def select(self, namespace: str = "") -> list[Entry]:
        """Entries in the order of their keys, of one namespace or ("") of all."""
        return _in_order(self.entries, namespace)

    def at(self, version: int, namespace: str = "") -> list[Entry] | None:
        """What `select` returned at an earlier version; None where history does not reach back so far."""
        events = self.since(version)
        if events is None:
            return None
        if not events:
            return self.select(namespace)
        entries = dict(self.entries)
        for event in reversed(events):
            if event.previous is None:
                del entries[event.entry.key]
            else:
                entries[event.entry.key] = event.previous
        return _in_order(entries, namespace)

    def put(self, key: Key, obj: Json) -> Entry:
        """Stores `obj`, which becomes the store's: it gets its resourceVersion here."""
        previous = self.entries.get(key)
        entry = self._stamp(key, obj)
        self.entries[key] = entry
        self._publish(Event(EventType.MODIFIED if previous else EventType.ADDED, entry, previous))
        return entry

    def remove(self, key: Key, last: Json) -> Entry:
        """Drops the object; `last` is its final state, which watchers are shown."""
        previous = self.entries.pop(key)
        entry = self._stamp(key, {**last, "metadata": dict(last["metadata"])})
        self._publish(Event(EventType.DELETED, entry, previous))
        return entry

    def since(self, version: int) -> list[Event] | None:
        """The changes after `version`, or None where history no longer reaches back so far."""
        if version < self.compacted:
            return None
        found: list[Event] = []
        for event in reversed(self._history):
            if event.version <= version:
                break
            found.append(event)
        return found[::-1]

    def subscribe(self) -> Subscription:
        subscription = Subscription()
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def end_watches(self) -> None:
        for subscription in self._subscriptions:
            subscription.end()

    def compact(self, version: int) -> None:
        self._history.clear()
        self.compacted = version

    def _stamp(self, key: Key, obj: Json) -> Entry:
        version = self._next_version()
        obj["metadata"]["resourceVersion"] = str(version)
        return Entry(key, obj, version)

    def _publish(self, event: Event) -> None:
        if len(self._history) == self._history.maxlen:
            self.compacted = self._history[0].version
        self._history.append(event)
        for subscription in self._subscriptions:
            subscription.push(event)


class Store:
    """Every collection, and the version counter they share. `history` changes are kept for each."""

    def __init__(self, history: int = 4_000) -> None:
        self.version = 1
        self._history = history
        self._collections: dict[str, Collection] = {}
        self._dropped: dict[str, int] = {}

    def collection(self, storage: str) -> Collection:
        if storage not in self._collections:
            compacted = self._dropped.get(storage, 1)
            self._collections[storage] = Collection(self._next, self._history, compacted)
        return self._collections[storage]

    def drop(self, storage: str) -> None:
        """Forgets an empty collection whose kind is no longer served, and ends its watches."""
        collection = self._collections.pop(storage, None)
        if collection is not None:
            self._dropped[storage] = self.version
            collection.end_watches()

    def end_watches(self) -> None:
        for collection in self._collections.values():
            collection.end_watches()

    def compact(self) -> None:
        """Forgets all history, as a long time would: watches from an older version are told so (410)."""
        for collection in self._collections.values():
            collection.compact(self.version)

    def __iter__(self) -> Iterator[tuple[str, Collection]]:
        return iter(self._collections.items())

    def _next(self) -> int:
        self.version += 1
        return self.version
