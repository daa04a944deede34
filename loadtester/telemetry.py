"""The load tester's own counters, served at /metrics.

Apart from the server because background counts too. Labels are bounded: never a command, never a Canary's
name.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

from loadtester.commands import Outcome
from loadtester.payload import Task


class Telemetry:
    """Counters of one load tester, registered with the registry that its /metrics shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._commands = Counter(
            "loadtester_commands",
            "Commands that ended, by task type and outcome (succeeded, failed, timeout, not_started)",
            ["type", "outcome"],
            registry=registry,
        )
        self.running = Gauge("loadtester_commands_running", "Commands that run now", registry=registry)

    def count(self, task: Task, outcome: Outcome | None) -> None:
        """Count one command; None = it could not be started."""
        if outcome is None:
            word = "not_started"
        elif outcome.code is None:
            word = "timeout"
        else:
            word = "succeeded" if outcome.succeeded else "failed"
        self._commands.labels(task.type, word).inc()
