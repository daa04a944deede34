"""Rounds of checks, run in the background: hooks are called and metrics measured while Canaries are decided.

    RunChecks ─► start ─► one task per Canary ─► check ─► Result ─► judge ─┬─ passed ─► the next check
                                                                           └─ not ─► done ─► on_done(key)

`act` starts a round, `observe` reads what there is of it. Nothing here decides anything but whether the rest
of a round still matters. A round's tasks wait for others; only bulkheads bound how many they are at a server.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Protocol

from controller.decision import CallHooks, Event, RunChecks
from controller.hooks import Answer
from controller.judge import VerdictKind, judge
from controller.observation import Check, CheckKind, Failure, Result, Round
from shared.errors import InvalidSpec, ManySeries, MetricsUnavailable, NoData
from shared.types.canary import Canary, HookType, Metric, Webhook

log = logging.getLogger(__name__)

Key = tuple[str, str]

_MOST_TOLD = 1000
"""Hooks that are told something at the same time; what comes on top is dropped and logged."""


class Calls(Protocol):
    """What calls hooks; `controller.hooks.Hooks` is one."""

    event_webhook: str

    def call(
        self, hook: Webhook, canary: Canary, about: dict[str, str] | None = None
    ) -> Coroutine[None, None, Answer]:
        """See `Hooks.call`."""


class Measures(Protocol):
    """What is asked for metrics; `Measurer` is one."""

    def measure(self, canary: Canary, metric: Metric) -> Awaitable[float]:
        """See `Measurer.measure`."""


@dataclass(slots=True)
class _Running:
    round: Round
    task: asyncio.Task[object]


class RoundRunner:
    """The rounds of every Canary, at most one each.

    `on_done` is called with the key when a round ends; `on_measured` with each value.
    """

    def __init__(
        self,
        hooks: Calls,
        measurer: Measures,
        *,
        on_done: Callable[[Key], None],
        on_measured: Callable[[Canary, str, float], None],
    ) -> None:
        self._hooks = hooks
        self._measurer = measurer
        self._on_done = on_done
        self._on_measured = on_measured
        self._running: dict[Key, _Running] = {}
        self._telling: set[asyncio.Task[object]] = set()

    def start(self, key: Key, canary: Canary, asked: RunChecks) -> None:
        """Begin a round. One that is under way for the same state goes on; any other is dropped."""
        running = self._running.get(key)
        if running is not None and running.round.id == asked.id and not running.round.done:
            return
        self.cancel(key)
        begun = asyncio.create_task(self._run(key, canary, asked))
        self._running[key] = _Running(Round(asked.id, done=False), begun)

    def get(self, key: Key) -> Round | None:
        """The round at hand, under way or done."""
        running = self._running.get(key)
        return running.round if running is not None else None

    def cancel(self, key: Key) -> None:
        """Drop the round at hand: it was used up, or is about something that is no more."""
        if (running := self._running.pop(key, None)) is not None:
            running.task.cancel()

    def notify(self, canary: Canary, called: CallHooks) -> None:
        """Call the hooks of a type in order; the first that fails ends it, and only the log knows."""
        hooks = [hook for hook in canary.spec.analysis.webhooks if hook.type is called.type]
        if hooks:
            self._tell(self._call_all(hooks, canary))

    def announce(self, canary: Canary, event: Event) -> None:
        """Tell an event to the Canary's event hooks, or else to the controller's own; nobody waits."""
        hooks = [hook for hook in canary.spec.analysis.webhooks if hook.type is HookType.EVENT]
        if not hooks and self._hooks.event_webhook:
            hooks = [Webhook(type=HookType.EVENT, name="event-webhook", url=self._hooks.event_webhook)]
        about = {
            "eventMessage": event.message,
            "eventType": event.type.value,
            "timestamp": str(time.time_ns() // 1_000_000),
        }
        for hook in hooks:
            self._tell(self._call_logged(hook, canary, about))

    @property
    def telling(self) -> int:
        """How many hooks are being told something."""
        return len(self._telling)

    async def close(self) -> None:
        """Drop every round and whatever is being told."""
        tasks = {running.task for running in self._running.values()} | self._telling
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: Key, canary: Canary, asked: RunChecks) -> None:
        running = self._running[key]  # this very round: the task starts after `start` has returned
        for check in asked.checks:
            result = await self._ask(check, canary)
            running.round = replace(running.round, results=(*running.round.results, result))
            if judge(result, canary).kind is not VerdictKind.PASSED:
                break
        running.round = replace(running.round, done=True)
        self._on_done(key)

    async def _ask(self, check: Check, canary: Canary) -> Result:
        try:
            if check.kind is CheckKind.METRIC:
                return await self._measure(check, canary)
            answer = await self._hooks.call(canary.spec.analysis.webhooks[check.index], canary)
            return Result(check, failure=answer.failure, message=answer.message)
        except Exception:  # a bug in one check must not leave its Canary waiting for the round forever
            log.exception("a check ended unexpectedly", extra={"check": check.name})
            return Result(check, failure=Failure.UNAVAILABLE, message="internal error, see the log")

    async def _measure(self, check: Check, canary: Canary) -> Result:
        metric = canary.spec.analysis.metrics[check.index]
        try:
            value = await self._measurer.measure(canary, metric)
        except NoData as error:
            return Result(check, failure=Failure.NO_DATA, message=str(error))
        except ManySeries as error:
            return Result(check, failure=Failure.MANY_SERIES, message=str(error))
        except MetricsUnavailable as error:
            return Result(check, failure=Failure.UNAVAILABLE, message=str(error))
        except InvalidSpec as error:
            return Result(check, failure=Failure.BAD_QUERY, message=str(error))
        self._on_measured(canary, metric.name, value)
        return Result(check, value=value)

    def _tell(self, call: Coroutine[None, None, object]) -> None:
        if len(self._telling) >= _MOST_TOLD:
            call.close()
            log.warning("too many hooks are being told something, one is left out")
            return
        task = asyncio.create_task(call)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _call_all(self, hooks: list[Webhook], canary: Canary) -> None:
        for hook in hooks:
            answer = await self._call_logged(hook, canary, {})
            if answer.failure is not None:
                return

    async def _call_logged(self, hook: Webhook, canary: Canary, about: dict[str, str]) -> Answer:
        answer = await self._hooks.call(hook, canary, about)
        if answer.failure is not None:
            log.warning("a hook failed", extra={"hook": hook.name, "cause": answer.message})
        return answer
