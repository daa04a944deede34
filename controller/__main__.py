"""`python -m controller`: settings, wiring, run until SIGTERM. The only module that knows all the others."""

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry

from controller.act import Actor
from controller.caches import Caches
from controller.hooks import Hooks
from controller.index import Key
from controller.metrics import MetricsProvider
from controller.metrics.measure import Measurer
from controller.observation import Options
from controller.observe import Observer
from controller.reconcile import Reconciler
from controller.rounds import Calls, RoundRunner
from controller.settings import Settings
from controller.stopwatches import Stopwatches
from controller.telemetry import Telemetry
from shared import logs, serving, settings
from shared.cluster import Cluster
from shared.errors import ConfigError
from shared.events import EventRecorder
from shared.leader import LeaderSettings, LeadershipLost, lead
from shared.names import EVENT_COMPONENT
from shared.queue import KeyQueue
from shared.serving import Site
from shared.types.metric import MetricProviderType

log = logging.getLogger(__name__)

_LAST_WORDS = 2.0
"""Seconds for Events at the end of the process."""


def main() -> int:
    """Run the controller; the exit code is 1 when it could not start or lost its Lease."""
    try:
        told = settings.load(Settings, sys.argv[1:], prog="controller")
        logs.configure(told.log_level)
        asyncio.run(_until_signalled(told))
    except (ConfigError, LeadershipLost) as problem:
        sys.stderr.write(f"controller: {problem}\n")
        return 1
    return 0


async def _until_signalled(told: Settings) -> None:
    running = asyncio.ensure_future(_run(told))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run(told: Settings) -> None:
    readiness = _Readiness()
    server = await serving.start(Site(told.host, told.port, ready=readiness.problem))
    try:
        async with await Cluster.connect(Path(told.kubeconfig) if told.kubeconfig else None) as cluster:
            if not told.enable_leader_election:
                await _control(told, cluster, readiness)
                return
            readiness.fine()  # a replica that waits for its turn is as it should be
            lease = LeaderSettings(
                name="flagger-leader-election",
                namespace=told.leader_election_namespace,
                identity=f"{socket.gethostname()}_{secrets.token_hex(4)}",
            )
            await lead(cluster, lease, lambda: _control(told, cluster, readiness))
    finally:
        await server.stop()


class _Readiness:
    """Not ready before the caches are filled: until then the controller knows nothing."""

    def __init__(self) -> None:
        self._problem: str | None = "the caches are not filled yet"

    def fine(self) -> None:
        self._problem = None

    def problem(self) -> str | None:
        return self._problem


async def _control(told: Settings, cluster: Cluster, readiness: _Readiness) -> None:
    async with Hooks(told.hook_tokens_file, told.event_webhook) as hooks:
        await control(told, Outside(cluster, hooks), readiness.fine)


@dataclass(frozen=True, slots=True)
class Outside:
    """What the control loop talks to. `providers` of metrics: by default those of `controller.metrics`."""

    cluster: Cluster
    hooks: Calls
    providers: Mapping[MetricProviderType, MetricsProvider] | None = None
    registry: CollectorRegistry = REGISTRY
    drain: float = Options().drain


async def control(told: Settings, outside: Outside, on_synced: Callable[[], None]) -> None:
    """Wire everything together and run it. Nothing is reconciled before every cache was filled."""
    cluster, hooks = outside.cluster, outside.hooks
    clock = asyncio.get_running_loop().time
    queue: KeyQueue[Key] = KeyQueue()
    telemetry = Telemetry(told.mesh_provider, outside.registry)
    caches = Caches(cluster, told.namespace, queue.add)
    stopwatches = Stopwatches(clock)
    caches.on_reroute(stopwatches.rerouted)
    recorder = EventRecorder(cluster, component=EVENT_COMPONENT)
    options = Options(
        provider=told.mesh_provider,
        selector_labels=_split(told.selector_labels),
        include_label_prefix=_split(told.include_label_prefix),
        drain=outside.drain,
    )
    measures = Measurer(cluster, caches.templates.cache, told.metrics_server, providers=outside.providers)
    async with measures as measurer:
        rounds = RoundRunner(hooks, measurer, on_done=queue.add, on_measured=telemetry.measured)
        reconciler = Reconciler(
            queue=queue,
            caches=caches,
            observer=Observer(
                caches, stopwatches, options, rounds=rounds.get, now=lambda: datetime.now(tz=UTC)
            ),
            actor=Actor(cluster, caches, rounds),
            rounds=rounds,
            stopwatches=stopwatches,
            recorder=recorder,
            telemetry=telemetry,
            clock=clock,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(caches.run())
                tasks.create_task(recorder.run())
                await caches.synced()
                on_synced()
                log.info("caches filled, reconciling", extra={"canaries": len(caches.canaries.cache)})
                await reconciler.run(told.threadiness)
        finally:
            await rounds.close()
            # Events that wait for company still go out, if that is quick.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await recorder.flush()


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


if __name__ == "__main__":
    sys.exit(main())
