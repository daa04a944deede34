"""One pass over one Canary: observe, decide, act. The only place that says what follows from an outcome."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller import status as statuses
from controller.act import Actor
from controller.caches import Caches
from controller.decide import decide
from controller.decision import Decision, Event, EventType
from controller.index import Key
from controller.observe import Observer
from controller.phases.initialization import unsettled
from controller.projections import Malformed
from controller.rounds import RoundRunner
from controller.stopwatches import Stopwatches
from controller.telemetry import Telemetry
from shared.errors import ClusterError, Conflict, Forbidden, Invalid, NotFound
from shared.events import EventRecorder
from shared.logs import canary_context
from shared.queue import KeyQueue
from shared.resources import CANARIES
from shared.types.canary import Canary
from shared.types.meta import Json, ObjectMeta

log = logging.getLogger(__name__)

FREE_AGAIN = 30.0
"""Seconds until another try to free what carries a Canary's label without being its target."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Works the queue off. One key is never in two hands."""

    queue: KeyQueue[Key]
    caches: Caches
    observer: Observer
    actor: Actor
    rounds: RoundRunner
    stopwatches: Stopwatches
    recorder: EventRecorder
    telemetry: Telemetry
    clock: Callable[[], float]

    async def run(self, workers: int) -> None:
        """Reconcile whatever the queue hands out, with that many workers, forever."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            token = canary_context.set(f"{key[1]}.{key[0]}")
            try:
                await self._pass(key)
            except Exception:
                log.exception("reconcile failed unexpectedly")
                self.queue.retry(key)
            finally:
                canary_context.reset(token)
                self.queue.done(key)

    async def _pass(self, key: Key) -> None:
        canary = self.caches.canaries.cache.get(key)
        if canary is None:
            await self._forget(key)
        elif isinstance(canary, Malformed):
            await self._report(canary)
        else:
            started = self.clock()
            await self._reconcile(key, canary)
            self.telemetry.passed(canary, self.clock() - started)

    async def _reconcile(self, key: Key, canary: Canary) -> None:
        seen = self.observer.observe(key, canary)
        try:
            if unsettled(seen):
                seen = replace(seen, serving=await self.observer.serving(seen))
            decision = decide(seen)
            await self.actor.act(key, canary, decision)
        except Conflict as conflict:
            # Somebody else wrote first; the watch brings the newer object and with it the next pass.
            log.debug("observing again", extra={"cause": str(conflict)})
            self.queue.retry(key)
            return
        except (Forbidden, Invalid, NotFound) as refused:
            await self._refused(key, canary, refused)
            return
        except ClusterError as error:
            log.warning("the API server could not be reached, trying again", extra={"cause": str(error)})
            self.queue.retry(key)
            return
        self._after(key, canary, decision)
        if not await self.actor.free(key):
            self.queue.add_after(key, FREE_AGAIN)

    def _after(self, key: Key, canary: Canary, decision: Decision) -> None:
        self.queue.forget(key)
        for event in decision.events:
            self._tell(canary.metadata, event)
            self.rounds.announce(canary, event)
        if decision.judged:
            self.stopwatches.judged(key)
            self.rounds.cancel(key)
        if decision.requeue_after is not None:
            self.queue.add_after(key, max(0.0, decision.requeue_after))
        self.telemetry.decided(canary, decision)
        log.debug("reconciled", extra={"reason": decision.reason, "requeue_after": decision.requeue_after})

    async def _refused(self, key: Key, canary: Canary, error: ClusterError) -> None:
        """The API server said no to a write: said on the Canary, once, and tried again with back-off."""
        self.queue.retry(key)
        status = statuses.blocked(canary.status, type(error).__name__, str(error), self.observer.now())
        if status == canary.status:
            return
        log.warning("the API server refused a write", extra={"cause": str(error)})
        try:
            await self.actor.write_status(canary.metadata, canary.status, status)
        except ClusterError as also_refused:
            log.warning("nor could the status be written", extra={"cause": str(also_refused)})
            return
        self._tell(canary.metadata, Event(str(error), EventType.WARNING))

    async def _report(self, malformed: Malformed) -> None:
        """An object that got past admission and cannot be read: say why on it, and leave it alone."""
        old = malformed.readable_status()
        status = statuses.blocked(old, "InvalidSpec", malformed.problems, self.observer.now())
        if status == old:
            return
        try:
            await self.actor.write_status(malformed.metadata, old, status)
        except ClusterError as refused:
            log.warning("an invalid Canary could not be told so", extra={"cause": str(refused)})
            self.queue.retry((malformed.metadata.namespace, malformed.metadata.name))
            return
        self._tell(malformed.metadata, Event(malformed.problems, EventType.WARNING))

    def _tell(self, about: ObjectMeta, event: Event) -> None:
        level = logging.INFO if event.type is EventType.NORMAL else logging.WARNING
        log.log(level, event.message)
        reference: Json = {
            "apiVersion": CANARIES.api_version,
            "kind": CANARIES.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
            "resourceVersion": about.resource_version,
        }
        self.recorder.record(reference, event.type.value, event.message, hold=event.hold)

    async def _forget(self, key: Key) -> None:
        """The Canary is gone: nothing of it is kept, and its target is nobody's again."""
        self.stopwatches.forget(key)
        self.rounds.cancel(key)
        self.telemetry.forget(key)
        if await self.actor.free(key):
            self.queue.forget(key)
        else:
            self.queue.retry(key)
