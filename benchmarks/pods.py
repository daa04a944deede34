"""What the Deployment and EndpointSlice controllers write, without pods: all are ready after a second.

    Deployment, Service ──informers──► queue(application) ─► EndpointSlices, then the Deployment's status

Applications are told apart by the label `app` alone. Tests have a stand-in of their own whose pods can be
held back and crash; this one does nothing but keep up with a thousand Canaries.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from benchmarks.objects import NAMESPACE
from shared.cluster import Cluster
from shared.informer import Informer
from shared.queue import KeyQueue
from shared.resources import DEPLOYMENTS, ENDPOINTSLICES, SERVICES
from shared.types.meta import Json

Key = tuple[str, str]
_WORKERS = 8
_STARTUP = 1.0
"""Seconds until a change shows: what pods take at the least."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is read of a Deployment."""

    generation: int
    replicas: int
    told: tuple[int, int]
    """Observed generation and available replicas, as its status has them."""


class Pods:
    """Keeps EndpointSlices and statuses as if pods were there."""

    def __init__(self, cluster: Cluster) -> None:
        self.started = asyncio.Event()
        """While it is not set, nothing becomes ready."""
        self.started.set()
        self._cluster = cluster
        self._queue: KeyQueue[Key] = KeyQueue()
        self._behind: defaultdict[Key, set[str]] = defaultdict(set)
        self._written: dict[Key, int] = {}
        self.deployments = Informer(cluster, DEPLOYMENTS, _deployed)
        self._services = Informer(cluster, SERVICES, _selected)
        self.deployments.add_listener(lambda key, _old, _new: self._queue.add_after(key, _STARTUP))
        self._services.add_listener(self._on_service)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.deployments.run())
            tasks.create_task(self._services.run())
            for _ in range(_WORKERS):
                tasks.create_task(self._work())

    def replicas(self, app: str) -> int:
        """How many replicas an application's own Deployment asks for."""
        return self.deployments.cache[NAMESPACE, app].replicas

    def _on_service(self, key: Key, old: str | None, new: str | None) -> None:
        namespace, name = key
        if old:
            self._behind[namespace, old].discard(name)
        if new:
            self._behind[namespace, new].add(name)
            self._queue.add_after((namespace, new), _STARTUP)

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            await self.started.wait()
            try:
                await self._settle(key)
            finally:
                self._queue.done(key)

    async def _settle(self, key: Key) -> None:
        seen = self.deployments.cache.get(key)
        for service in sorted(self._behind[key]):
            await self._write_slice((key[0], service), seen.replicas if seen is not None else 0)
        if seen is None or seen.told == (seen.generation, seen.replicas):
            return
        status = {
            "observedGeneration": seen.generation,
            "replicas": seen.replicas,
            "updatedReplicas": seen.replicas,
            "readyReplicas": seen.replicas,
            "availableReplicas": seen.replicas,
        }
        await self._cluster.patch(DEPLOYMENTS, key[1], key[0], {"status": status}, subresource="status")

    async def _write_slice(self, service: Key, ready: int) -> None:
        if self._written.get(service) == ready:
            return
        namespace, name = service
        endpoints = [
            {"addresses": [f"10.0.0.{number + 1}"], "conditions": {"ready": True}} for number in range(ready)
        ]
        if service in self._written:
            await self._cluster.patch(ENDPOINTSLICES, f"{name}-1", namespace, {"endpoints": endpoints})
        else:
            labels = {"kubernetes.io/service-name": name}
            body = {
                "apiVersion": ENDPOINTSLICES.api_version,
                "kind": ENDPOINTSLICES.kind,
                "metadata": {"name": f"{name}-1", "namespace": namespace, "labels": labels},
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": [{"name": "http", "port": 9898, "protocol": "TCP"}],
            }
            await self._cluster.create(ENDPOINTSLICES, body)
        self._written[service] = ready


def _deployed(obj: Json) -> Deployed:
    status = obj.get("status") or {}
    told = (status.get("observedGeneration", 0), status.get("availableReplicas", 0))
    return Deployed(obj["metadata"]["generation"], obj["spec"]["replicas"], told)


def _selected(obj: Json) -> str:
    selector: dict[str, str] = obj["spec"].get("selector") or {}
    return selector.get("app", "")
