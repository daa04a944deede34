"""What a control loop sees: the informer's cache and, on top of it, this process's own writes.

A cache lags behind by a few milliseconds. A loop that looked only there would create the same pod twice.
Every loop reads through a View and tells it what it wrote; the informer's events then take over, newest
resourceVersion first.

    informer event ─┐
    wrote, doomed  ─┴─► objects, by owner and by namespace ─► loops
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from sandbox.cluster_controllers.objects import controller_reference, is_terminating, key_of
from shared.cluster import Cluster
from shared.informer import Informer, Key
from shared.resources import Resource
from shared.types.meta import Json

_UNSEEN_SECONDS = 5.0

Listener = Callable[[Json | None, Json | None], None]


def without_managed_fields(obj: Json) -> Json:
    """The projection for loops: whole objects but for who wrote which field, which is half of their size."""
    obj["metadata"].pop("managedFields", None)
    return obj


class View:
    """Objects of one resource in all namespaces, as of the latest event or own write."""

    def __init__(self, cluster: Cluster, resource: Resource) -> None:
        self.informer: Informer[Json] = Informer(cluster, resource, without_managed_fields)
        self.informer.add_listener(self._on_event)
        self._objects: dict[Key, Json] = {}
        self._by_owner: dict[str, set[Key]] = defaultdict(set)
        self._by_namespace: dict[str, set[Key]] = defaultdict(set)
        self._doomed: set[str] = set()
        self._listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Have `listener(old, new)` called after each change that the server reports; None stands for

        absent."""
        self._listeners.append(listener)

    def get(self, key: Key) -> Json | None:
        """One object."""
        return self._objects.get(key)

    def in_namespace(self, namespace: str) -> list[Json]:
        """Every object of a namespace, terminating ones included."""
        return self._read(self._by_namespace.get(namespace, ()))

    def owned_by(self, uid: str) -> list[Json]:
        """What an owner controls, terminating ones included."""
        return self._read(self._by_owner.get(uid, ()))

    def live(self, uid: str) -> list[Json]:
        """What an owner controls, less what has been deleted."""
        return [each for each in self.owned_by(uid) if not self.is_doomed(each)]

    def is_doomed(self, obj: Json) -> bool:
        """Whether the object has been deleted, by anyone, or by us a moment ago."""
        return is_terminating(obj) or obj["metadata"]["uid"] in self._doomed

    def wrote(self, obj: Json) -> None:
        """The server's answer to a write of ours."""
        key, version = key_of(obj), obj["metadata"].get("resourceVersion", "")
        self._store(key, without_managed_fields(obj))
        # An object that is created and deleted across a gap in the watch never shows up in an event: forget
        # it then.
        asyncio.get_running_loop().call_later(_UNSEEN_SECONDS, self._forget_unseen, key, version)

    def doom(self, obj: Json) -> None:
        """We have deleted the object."""
        if key_of(obj) in self._objects:
            self._doomed.add(obj["metadata"]["uid"])

    def _read(self, keys: Iterable[Key]) -> list[Json]:
        return [self._objects[key] for key in sorted(keys)]

    def _on_event(self, key: Key, _old: Json | None, new: Json | None) -> None:
        known = self._objects.get(key)
        if new is None:
            if known is not None and _old is not None and known["metadata"]["uid"] == _old["metadata"]["uid"]:
                self._drop(key)
        elif known is None or _version(new) >= _version(known):
            self._store(key, new)
        else:
            return
        for listener in self._listeners:
            listener(known, new)

    def _store(self, key: Key, obj: Json) -> None:
        if key in self._objects:
            self._unindex(key)
        self._objects[key] = obj
        self._by_namespace[key[0]].add(key)
        reference = controller_reference(obj)
        if reference is not None:
            self._by_owner[reference["uid"]].add(key)

    def _unindex(self, key: Key) -> None:
        self._by_namespace[key[0]].discard(key)
        reference = controller_reference(self._objects[key])
        if reference is not None:
            self._by_owner[reference["uid"]].discard(key)
            if not self._by_owner[reference["uid"]]:
                del self._by_owner[reference["uid"]]

    def _drop(self, key: Key) -> None:
        self._unindex(key)
        self._doomed.discard(self._objects.pop(key)["metadata"]["uid"])

    def _forget_unseen(self, key: Key, version: str) -> None:
        known = self._objects.get(key)
        if known is None or key in self.informer.cache or known["metadata"].get("resourceVersion") != version:
            return
        self._drop(key)
        for listener in self._listeners:
            listener(known, None)


def _version(obj: Json) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)
