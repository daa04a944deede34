"""Lets Events go an hour after they were last written, as a real server does: nobody deletes them.

every stored Event -> wrote -> the order in which they are due -> sweep, now and then -> Collection.remove
"""

import asyncio
import time
from collections.abc import Callable

from sandbox.apiserver.resources import ResourceType
from sandbox.apiserver.storage import Entry, Key, Store

LIFETIME = 3_600.0
"""Seconds."""
EVENTS = "/events"
_PAUSE = 10.0


class Expiry:
    """`clock` tells seconds; it need not be the time of day."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._due: dict[Key, float] = {}

    def wrote(self, resource: ResourceType, entry: Entry, *, gone: bool) -> None:
        """Told of every stored write. All live equally long, so they are due in the order of their writes."""
        if resource.storage != EVENTS:
            return
        self._due.pop(entry.key, None)
        if not gone:
            self._due[entry.key] = self._clock() + LIFETIME

    def sweep(self) -> None:
        """Removes what is due."""
        now, events = self._clock(), self._store.collection(EVENTS)
        for key, due in list(self._due.items()):
            if due > now:
                return
            del self._due[key]
            entry = events.get(key)
            if entry is not None:
                events.remove(key, entry.obj)

    async def run(self) -> None:
        """Sweeps for ever."""
        while True:
            await asyncio.sleep(_PAUSE)
            self.sweep()
