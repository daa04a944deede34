"""Watches: what one client is sent, from the changes of a collection.

    current state or history -> changes that concern the selection -> lines of JSON, with bookmarks in between

An object that stops matching the selection is DELETED to the watcher, one that starts matching is ADDED.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import orjson

from sandbox.apiserver import status
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.selectors import Selection
from sandbox.apiserver.storage import Collection, Entry, Event, EventType, Store, Subscription

_INITIAL_EVENTS_END = {"annotations": {"k8s.io/initial-events-end": "true"}}


@dataclass(frozen=True, slots=True)
class View:
    """How entries are shown to a client. `form` names the encoding: watchers of one form share lines."""

    form: str
    encode: Callable[[Entry], bytes]


@dataclass(frozen=True, slots=True)
class Watch:
    """One request to watch. Times are seconds; `version` is None to begin with the current state."""

    resource: ResourceType
    namespace: str
    selection: Selection
    view: View
    version: int | None
    timeout: float
    bookmark_interval: float | None
    initial_events_end: bool = False


async def stream(store: Store, watch: Watch) -> AsyncIterator[bytes]:
    """Chunks of event lines, until the timeout, or until the watcher is too slow to go on."""
    collection = store.collection(watch.resource.storage)
    subscription = collection.subscribe()
    try:
        first, failed = _first_chunk(store, collection, watch)
        if first:
            yield first
        if not failed:
            async for chunk in _follow(store, subscription, watch):
                yield chunk
    finally:
        collection.unsubscribe(subscription)


def _first_chunk(store: Store, collection: Collection, watch: Watch) -> tuple[bytes, bool]:
    """What is sent at once, and whether the watch ends with it."""
    if watch.version is None:
        entries = [e for e in collection.select(watch.namespace) if watch.selection.matches(e.obj)]
        lines = [_line("ADDED", watch.view.encode(entry)) for entry in entries]
        if watch.initial_events_end:
            lines.append(_bookmark(watch.resource, store.version, _INITIAL_EVENTS_END))
        return b"".join(lines), False
    if watch.version > store.version:
        return _line("ERROR", orjson.dumps(status.too_new(watch.version, store.version).status)), True
    events = collection.since(watch.version)
    if events is None:
        gone = status.expired(watch.version, collection.compacted).status
        return _line("ERROR", orjson.dumps(gone)), True
    return b"".join(filter(None, (_event_line(event, watch) for event in events))), False


async def _follow(store: Store, subscription: Subscription, watch: Watch) -> AsyncIterator[bytes]:
    deadline = time.monotonic() + watch.timeout
    interval = watch.bookmark_interval or watch.timeout
    next_bookmark = time.monotonic() + interval
    while not subscription.ended:
        now = time.monotonic()
        if now >= deadline:
            return
        if watch.bookmark_interval and now >= next_bookmark:
            next_bookmark = now + interval
            yield _bookmark(watch.resource, subscription.complete_up_to(store.version))
        try:
            async with asyncio.timeout(min(deadline, next_bookmark) - now):
                events = await subscription.take()
        except TimeoutError:
            continue
        chunk = b"".join(filter(None, (_event_line(event, watch) for event in events)))
        if chunk:
            yield chunk


def _event_line(event: Event, watch: Watch) -> bytes:
    """The line for one event, empty where it does not concern the watch."""
    if watch.namespace and event.entry.key[0] != watch.namespace:
        return b""
    kind = _kind_for_selection(event, watch.selection) if watch.selection else event.type
    if kind is None:
        return b""
    cached = event.lines.get((kind, watch.view.form))
    if cached is None:
        cached = _line(kind, watch.view.encode(event.entry))
        event.lines[kind, watch.view.form] = cached
    return cached


def _kind_for_selection(event: Event, selection: Selection) -> EventType | None:
    before = event.previous is not None and selection.matches(event.previous.obj)
    if event.type is EventType.DELETED:
        return EventType.DELETED if before else None
    after = selection.matches(event.entry.obj)
    if before and after:
        return EventType.MODIFIED
    if after:
        return EventType.ADDED
    return EventType.DELETED if before else None


def _line(kind: str, obj: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + obj + b"}\n"


def _bookmark(resource: ResourceType, version: int, metadata: Json | None = None) -> bytes:
    obj = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(version), "creationTimestamp": None, **(metadata or {})},
    }
    return _line("BOOKMARK", orjson.dumps(obj))
