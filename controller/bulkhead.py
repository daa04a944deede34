"""Bulkheads: so many calls at a time to one address, so that a slow one holds up nobody else's.

Used by hooks and metrics. Apart because both need the same and neither owns it.
"""

import asyncio
from weakref import WeakValueDictionary


class Bulkhead:
    """At most `limit` calls at the same time to each address; further ones queue up."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def slot(self, address: str) -> asyncio.Semaphore:
        """To be held with `async with` during a call. Forgotten when no call holds or awaits it."""
        slot = self._slots.get(address)
        if slot is None:
            slot = self._slots[address] = asyncio.Semaphore(self._limit)
        return slot
