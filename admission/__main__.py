"""`python -m admission`: settings, wiring, run until SIGTERM. The only module that knows all the others."""

import asyncio
import logging
import signal
import sys
from functools import partial
from pathlib import Path

import uvloop
from prometheus_client import REGISTRY, CollectorRegistry

from admission.caches import Caches
from admission.gatherer import ClusterGatherer
from admission.handlers import Handlers
from admission.listener import Door, Listener
from admission.registration import Registration, hosts, register, settle
from admission.rules.rule import Options
from admission.server import Reviews
from admission.settings import Settings
from admission.telemetry import Telemetry
from certs.rotate import Place
from certs.serving import ServingCertificate
from shared import logs, serving, settings
from shared.cluster import Cluster
from shared.errors import ClusterError, ConfigError
from shared.serving import Site

log = logging.getLogger(__name__)


def main() -> int:
    """Run the webhooks; the exit code is 1 when they could not start."""
    try:
        told = settings.load(Settings, sys.argv[1:], prog="admission")
        logs.configure(told.log_level)
        uvloop.run(_until_signalled(told))
    except (ConfigError, ClusterError) as problem:
        sys.stderr.write(f"admission: {problem}\n")
        return 1
    return 0


async def _until_signalled(told: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with await Cluster.connect(Path(told.kubeconfig) if told.kubeconfig else None) as cluster:
        await Admission(told, cluster).run(stop)


class Admission:
    """The process, wired together."""

    def __init__(self, told: Settings, cluster: Cluster, registry: CollectorRegistry = REGISTRY) -> None:
        self._told = told
        self._cluster = cluster
        self._registry = registry
        telemetry = Telemetry(registry)
        self._caches = Caches(cluster, telemetry.missed)
        for resource in self._caches.resources:
            telemetry.staleness(resource.plural, partial(self._caches.age, resource))
        self._certificate = self._certified()
        options = Options(told.mesh_provider, told.controller_username)
        gatherer = ClusterGatherer(cluster, self._caches)
        self._reviews = Reviews(Handlers(self._caches, gatherer, options, telemetry), telemetry)
        door = Door(told.host, told.port, self._certificate.context)
        self._listener = Listener(door, self._reviews, telemetry.connections)
        self._registered = not told.webhook_url

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until `stop` is set, and then for as long as clients need to learn to go elsewhere.

        Raises:
            ConfigError: a port or an address cannot be used.
            ClusterError: the webhooks could not be registered.
        """
        told = self._told
        probes = await serving.start(
            Site(told.host, told.probe_port, ready=self.problem, registry=self._registry)
        )
        # The first two never end by themselves: all of it ends with the first error.
        work = asyncio.gather(self._caches.run(), self._certificate.run(), self._begin(probes.port))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
            log.info("leaving", extra={"seconds": told.drain.total_seconds()})
            await self._listener.leave(told.drain.total_seconds())
        finally:
            stopped.cancel()
            work.cancel()
            await self._listener.stop()
            await probes.stop()
            await asyncio.gather(work, return_exceptions=True)

    def problem(self) -> str | None:
        """Why the API server should ask another replica; None while it may ask this one."""
        if self._reviews.leaving:
            return "about to end"
        problem = self._caches.problem() or self._certificate.problem()
        return problem or (None if self._registered else "the webhooks are not registered yet")

    async def _begin(self, probes: int) -> None:
        if not self._registered:
            await settle(self._cluster, self._told.namespace)
        # Not before: who knows nothing allows everything.
        await self._caches.synced()
        await self._certificate.loaded.wait()
        self._listener.start()
        log.info("answering", extra={"port": self._listener.port, "probes": probes})
        if not self._registered:
            await self._register()

    async def _register(self) -> None:
        told = self._told
        registration = Registration(told.webhook_url, told.namespace, told.controller_username)
        await register(self._cluster, registration, self._certificate)
        self._registered = True
        log.info("webhooks registered", extra={"url": told.webhook_url})

    def _certified(self) -> ServingCertificate:
        told = self._told
        if told.cert_dir:
            return ServingCertificate.from_folder(self._cluster, Path(told.cert_dir), registry=self._registry)
        place = Place(told.namespace, told.secret_name, hosts(told.namespace, told.webhook_url))
        return ServingCertificate.from_secret(self._cluster, place, registry=self._registry)


if __name__ == "__main__":
    sys.exit(main())
