"""Commands that run on after their hook was answered: the load itself.

Called by the server for tasks of type `cmd`. A rollout hook fires at every analysis tick, so the same
command of the same Canary is not started again while it runs.
"""

import asyncio
import logging
from enum import StrEnum

from loadtester.commands import CommandNotStarted, Limits, run
from loadtester.payload import Task
from loadtester.telemetry import Telemetry
from shared.logs import canary_context

log = logging.getLogger(__name__)


class Admitted(StrEnum):
    """What became of a task that was handed over."""

    STARTED = "started"
    RUNNING = "already running"
    FULL = "full"


class Background:
    """At most `capacity` commands at once; `stop` ends them all."""

    def __init__(self, limits: Limits, telemetry: Telemetry, capacity: int) -> None:
        self._limits = limits
        self._telemetry = telemetry
        self._capacity = capacity
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}

    def start(self, task: Task) -> Admitted:
        """Start the command, unless it runs already or there are too many."""
        key = (task.canary, task.command)
        if key in self._running:
            return Admitted.RUNNING
        if len(self._running) >= self._capacity:
            return Admitted.FULL
        running = asyncio.create_task(self._run(task))
        self._running[key] = running
        running.add_done_callback(lambda _: self._running.pop(key))
        return Admitted.STARTED

    async def stop(self) -> None:
        """End every command and wait until it is gone."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, task: Task) -> None:
        canary_context.set(task.canary)
        log.info("command started", extra={"command": task.command})
        try:
            with self._telemetry.running.track_inprogress():
                outcome = await run(task.argv, self._limits)
        except CommandNotStarted as error:
            self._telemetry.count(task, None)
            log.error("command not started", extra={"command": task.command, "error": str(error)})
            return
        self._telemetry.count(task, outcome)
        output = {"output": outcome.output} if task.log_output or not outcome.succeeded else {}
        level = logging.INFO if outcome.succeeded else logging.ERROR
        log.log(level, "command ended", extra={"command": task.command, "code": outcome.code, **output})
