"""The queue of keys: what has to be looked at, never why.

Informer listeners and timers add keys; workers take them, one worker to a key. Called by every control
loop. It stands apart from the informer because timers and retries add keys too, and because its promises
are easier to test alone.

    add / add_after / retry ──► waiting (FIFO, each key once) ──► get() ──► worker ──► done()
"""

import asyncio
import random
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY = 0.005
"""Seconds before the first retry of a key; doubled with each further one."""
LONGEST_RETRY = 30.0
"""Seconds between retries of a key that keeps failing."""


class KeyQueue(Generic[K]):
    """Keys that wait for a worker. All methods are to be called on the event loop.

    A key handed out by `get` is not handed out again before `done`. Added meanwhile, it is handed out once
    more after. Nothing is lost and nothing is queued twice.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._jitter = jitter

    def __len__(self) -> int:
        """How many keys wait for a worker right now."""
        return len(self._waiting) + len(self._again)

    def add(self, key: K) -> None:
        """Have the key handed out as soon as its turn comes."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key in so many seconds. One timer to a key: of two, the earlier stays."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        pending = self._timers.get(key)
        if pending is not None:
            if pending.when() <= loop.time() + seconds:
                return
            pending.cancel()
        self._timers[key] = loop.call_later(seconds, self._expire, key)

    async def get(self) -> K:
        """The key that has waited longest. The caller must call `done` with it, whatever happens."""
        key = await self._ready.get()
        self._waiting.discard(key)
        self._active.add(key)
        return key

    def done(self, key: K) -> None:
        """The worker has finished with the key."""
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def retry(self, key: K) -> float:
        """Add the key again after its own back-off: 5 ms doubled up to 30 s, less up to a quarter. Returns
        the seconds.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # 2**13 times the first delay is beyond the longest one; larger exponents would only make huge
        # numbers.
        seconds: float = min(FIRST_RETRY * 2 ** min(failures, 13), LONGEST_RETRY) * (1 - self._jitter() / 4)
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: K) -> None:
        """The key succeeded or is gone: its next retry starts from the shortest delay again."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Cancel all timers; keys that wait stay."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _expire(self, key: K) -> None:
        del self._timers[key]
        self.add(key)
