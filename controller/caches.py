"""The informers of everything a Canary depends on, and which Canary each of their events wakes.

`observe` reads them, `act` lets them know what it wrote, `__main__` runs them.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from controller import projections
from controller.index import Index, Key
from controller.observation import Endpoints, Manifest, Serving, Workload
from controller.projections import Malformed, ServiceEndpoints
from controller.routers.traefik import parse_weights
from shared.cluster import Cluster
from shared.errors import ClusterError, RoutingError
from shared.informer import Informer
from shared.names import TRAEFIK_GROUPS, canary_name, primary_name
from shared.resources import (
    CANARIES,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    HPAS,
    METRIC_TEMPLATES,
    REPLICASETS,
    SERVICES,
    Resource,
    traefik_services,
)
from shared.types.canary import Canary
from shared.types.meta import Json

log = logging.getLogger(__name__)

T = TypeVar("T")

DISCOVERY_INTERVAL = 15.0
"""Seconds between two looks for Traefik's resources while the cluster serves none."""
_DISCOVERY_RETRY = 1.0


class Caches:
    """What the controller knows of the cluster. `wake` is told each Canary that an event concerns."""

    def __init__(self, cluster: Cluster, namespace: str, wake: Callable[[Key], None]) -> None:
        self._cluster = cluster
        self._namespace = namespace or None
        self._wake = wake
        self._rerouted: Callable[[Key], None] = lambda _key: None
        self._slices: defaultdict[Key, dict[str, int]] = defaultdict(dict)
        self._labelled: defaultdict[Key, set[Key]] = defaultdict(set)
        self._discovered = asyncio.Event()  # Traefik's resources are in the cache, or known to be absent
        self.index = Index()
        self.traefik_services: Resource | None = None
        self.canaries = self._informer(CANARIES, projections.canary)
        self.deployments = self._informer(DEPLOYMENTS, projections.workload)
        self.services = self._informer(SERVICES, projections.manifest)
        self.slices = self._informer(ENDPOINTSLICES, projections.slice_)
        self.autoscalers = self._informer(HPAS, projections.manifest)
        self.templates: Informer[Json] = self._informer(METRIC_TEMPLATES, projections.template)
        self.routes: Informer[Manifest] | None = None
        self.canaries.add_listener(self._on_canary)
        self.deployments.add_listener(self._waker("deployments"))
        self.deployments.add_listener(self._on_label)
        self.services.add_listener(self._waker("services"))
        self.autoscalers.add_listener(self._waker("horizontalpodautoscalers"))
        self.slices.add_listener(self._on_slice)

    def on_reroute(self, callback: Callable[[Key], None]) -> None:
        """Be told when the weights of a Canary's route change, whoever changed them."""
        self._rerouted = callback

    async def run(self) -> None:
        """Keep all caches up to date, forever."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._fixed():
                tasks.create_task(informer.run())
            tasks.create_task(self._run_routes())

    async def synced(self) -> None:
        """Return once every cache was filled; Traefik's only if the cluster serves it."""
        for informer in self._fixed():
            await informer.synced.wait()
        await self._discovered.wait()

    def endpoints(self, namespace: str, apex: str) -> Endpoints:
        """Ready endpoints behind the generated Services of an apex."""
        return Endpoints(
            primary=sum(self._slices.get((namespace, primary_name(apex)), {}).values()),
            canary=sum(self._slices.get((namespace, canary_name(apex)), {}).values()),
        )

    def strays(self, key: Key) -> Iterable[Workload]:
        """The Deployments that are labelled as this Canary's and that no Canary has (any more)."""
        return [
            self.deployments.cache[each]
            for each in self._labelled.get(key, ())
            if not self.index.concerned(("deployments", *each))
        ]

    async def serving(self, target: Workload) -> Serving | None:
        """The ReplicaSet of a target that serves, asked of the API server; None where it has none.

        Raises:
            ClusterError: it could not be asked.
        """
        found, _ = await self._cluster.list(REPLICASETS, target.namespace)
        return projections.serving(target, found)

    def claimed_by(self, key: Key, canary: Canary) -> str:
        """The name of an older Canary with the same target or apex; empty without one."""
        rivals = (self.canaries.cache.get(other) for other in self.index.rivals(key))
        older = [each for each in rivals if isinstance(each, Canary) and _age(each) < _age(canary)]
        return min(older, key=_age).metadata.name if older else ""

    def wrote(self, resource: Resource, written: Json) -> None:
        """Let the cache of a resource know the answer to a write, ahead of the watch."""
        for informer in (*self._fixed(), self.routes):
            if informer is not None and informer.resource == resource:
                informer.assimilate(written)

    def _informer(self, resource: Resource, project: Callable[[Json], T]) -> Informer[T]:
        return Informer(self._cluster, resource, project, namespace=self._namespace)

    def _fixed(self) -> Iterator[Informer[object]]:
        yield from (  # type: ignore[misc] # an Informer is only read here, whatever it holds
            self.canaries,
            self.deployments,
            self.services,
            self.slices,
            self.autoscalers,
            self.templates,
        )

    async def _run_routes(self) -> None:
        resource = await self._discover()
        routes = Informer(self._cluster, resource, projections.manifest, namespace=self._namespace)
        routes.add_listener(self._on_route)
        self.routes = routes
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(routes.run())
            await routes.synced.wait()
            self.traefik_services = resource
            self._discovered.set()
            for key in self.canaries.cache:
                self._wake(key)

    async def _discover(self) -> Resource:
        while True:
            try:
                for group in TRAEFIK_GROUPS:
                    if "traefikservices" in (await self._cluster.served(group) or {}):
                        return traefik_services(group)
            except ClusterError as error:
                log.warning("discovery failed, trying again", extra={"cause": str(error)})
                await asyncio.sleep(_DISCOVERY_RETRY)
                continue
            if not self._discovered.is_set():
                log.warning(
                    "the cluster serves no TraefikService; waiting for Traefik's CRDs to be installed"
                )
                self._discovered.set()
            await asyncio.sleep(DISCOVERY_INTERVAL)

    def _waker(
        self, plural: str
    ) -> Callable[[Key, Workload | Manifest | None, Workload | Manifest | None], None]:
        def woken(key: Key, _old: object, _new: object) -> None:
            for concerned in self.index.concerned((plural, *key)):
                self._wake(concerned)

        return woken

    def _on_canary(self, key: Key, _old: Canary | Malformed | None, new: Canary | Malformed | None) -> None:
        rivals = self.index.rivals(key)
        self.index.set(key, new if isinstance(new, Canary) else None)
        for concerned in {key, *rivals, *self.index.rivals(key)}:
            self._wake(concerned)

    def _on_label(self, key: Key, old: Workload | None, new: Workload | None) -> None:
        """Remember what is labelled; wake the Canary of a label that nobody has a right to (any more)."""
        if old is not None and old.canary:
            labelled = self._labelled[key[0], old.canary]
            labelled.discard(key)
            if not labelled:
                del self._labelled[key[0], old.canary]
        if new is not None and new.canary:
            self._labelled[key[0], new.canary].add(key)
            if not self.index.concerned(("deployments", *key)):
                self._wake((key[0], new.canary))

    def _on_slice(self, key: Key, old: ServiceEndpoints | None, new: ServiceEndpoints | None) -> None:
        namespace, name = key
        for view in (old, new):
            if view is not None:
                self._slices[namespace, view.service].pop(name, None)
        if new is not None:
            self._slices[namespace, new.service][name] = new.ready
        for service in {view.service for view in (old, new) if view is not None}:
            for concerned in self.index.concerned(("services", namespace, service)):
                self._wake(concerned)

    def _on_route(self, key: Key, old: Manifest | None, new: Manifest | None) -> None:
        for concerned in self.index.concerned(("traefikservices", *key)):
            if _weights(old) != _weights(new):
                self._rerouted(concerned)
            self._wake(concerned)


def _age(canary: Canary) -> tuple[datetime, str]:
    """What the older of two Canaries has less of. Names decide between those of the same second."""
    return canary.metadata.creation_timestamp or datetime.max.replace(tzinfo=UTC), canary.metadata.name


def _weights(route: Manifest | None) -> object:
    try:
        return parse_weights(route) if route is not None else None
    except RoutingError as unreadable:
        return str(unreadable)
