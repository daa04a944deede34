"""How hard the API server may be pushed, and when a failed request is worth another try.

Used by shared/cluster.py alone. Pure but for the sleep in `Pace.turn`; apart so that the policy can be read
and tested without sockets.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus

from shared.errors import ClusterError

FIRST_DELAY = 0.1
"""Seconds before the first retry of a request; doubled with each further one."""
LONGEST_DELAY = 5.0
NO_ANSWER = 0
"""As a failure's status."""
SLOW_PHASE = 5.0
"""Seconds after a pause during which requests still go out one by one."""
SPACING = 0.05
"""Seconds between two requests in the slow phase: at most 20 a second after the server asked for mercy."""

_urgent: ContextVar[bool] = ContextVar("urgent", default=False)


@contextlib.contextmanager
def urgent() -> Iterator[None]:
    """Requests inside pass the queue that forms after a 429. For what protects users: taking traffic off a
    canary.
    """
    token = _urgent.set(True)
    try:
        yield
    finally:
        _urgent.reset(token)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. `unsent`: the server cannot have seen the request."""

    error: ClusterError
    status: int = NO_ANSWER
    retry_after: float | None = None
    unsent: bool = False


def retry_delay(failure: Failure, method: str, attempt: int) -> float | None:
    """Seconds until the next attempt (`attempt` counts from 0), or None when there should be none.

    A write is repeated only when it was certainly not carried out: never sent, or turned away with 429 or
    with Retry-After. A write that got a 500 or lost its connection may have been applied; whoever asked
    must read back.
    """
    broken = failure.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    throttled = failure.status == HTTPStatus.TOO_MANY_REQUESTS
    turned_away = throttled or (broken and failure.retry_after is not None)
    readable = method == "GET" and (broken or failure.status == NO_ANSWER)
    if not (failure.unsent or turned_away or readable):
        return None
    delay: float = min(FIRST_DELAY * 2 ** min(attempt, 10), LONGEST_DELAY) * random.uniform(0.75, 1.25)
    return max(delay, failure.retry_after or 0.0)


class Pace:
    """After a 429 all requests of this process wait together, and then go out spaced."""

    def __init__(self) -> None:
        self._pause_ends = 0.0
        self._slow_ends = 0.0
        self._next_slot = 0.0

    def throttled(self, retry_after: float) -> None:
        """The server answered 429 and asked for so many seconds of rest."""
        self._pause_ends = max(self._pause_ends, asyncio.get_running_loop().time() + retry_after)
        self._slow_ends = self._pause_ends + SLOW_PHASE

    async def turn(self) -> None:
        """Wait until it is this request's turn. At once in normal times, and always at once for urgent
        requests.
        """
        now = asyncio.get_running_loop().time()
        slot = max(now, self._pause_ends, self._next_slot)
        if _urgent.get() or (slot == now and now >= self._slow_ends):
            return
        self._next_slot = slot + SPACING
        await asyncio.sleep(slot - now)
