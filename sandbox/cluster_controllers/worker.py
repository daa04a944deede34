"""The loop around a decision: take a key, reconcile it, decide in one place what follows.

Run by `running.ClusterControllers`, a few workers for each control loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from shared.errors import ClusterError, Conflict
from shared.informer import Key
from shared.queue import KeyQueue

_log = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[float | None]]
"""One pass over a key; returns the seconds after which to look again, or None."""


async def together(*writes: Awaitable[None]) -> None:
    """Carry writes out side by side; when all have ended, raise the first error that one of them raised."""
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def work(name: str, queue: KeyQueue[Key], reconcile: Reconcile, workers: int = 4) -> None:
    """Reconcile the queue's keys for ever. Ends only by cancellation."""
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(_work(name, queue, reconcile))


async def _work(name: str, queue: KeyQueue[Key], reconcile: Reconcile) -> None:
    while True:
        key = await queue.get()
        fields = {"controller": name, "namespace": key[0], "object": key[1]}
        try:
            again = await reconcile(key)
        except Conflict:
            queue.retry(key)  # somebody else wrote: look again at what there is now
        except ClusterError as error:
            _log.warning("reconcile has to be repeated", extra={**fields, "error": str(error)})
            queue.retry(key)
        except Exception:  # noqa: BLE001 - one bad object must not end the loop for all others
            _log.exception("reconcile failed", extra=fields)
            queue.retry(key)
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
