"""All control loops of the cluster, in one task.

Started by the sandbox's daemon and by tests; a client of the API server like any other.
"""

import asyncio
from typing import Protocol

from sandbox.cluster_controllers.deployment import DeploymentController
from sandbox.cluster_controllers.endpointslice import EndpointSliceController
from sandbox.cluster_controllers.garbage_collector import GarbageCollector
from sandbox.cluster_controllers.hpa import AutoscalerController
from sandbox.cluster_controllers.inventory import Inventory
from sandbox.cluster_controllers.namespace import NamespaceController
from sandbox.cluster_controllers.replicaset import ReplicaSetController
from sandbox.cluster_controllers.view import View
from sandbox.cluster_controllers.worker import work
from shared.cluster import Cluster
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import DEPLOYMENTS, ENDPOINTSLICES, HPAS, PODS, REPLICASETS, SERVICES


class ControlLoop(Protocol):
    """What every control loop has: keys to look at, and one pass over a key."""

    queue: KeyQueue[Key]

    async def reconcile(self, key: Key) -> float | None:
        """One pass; returns the seconds after which to look again, or None."""


class ClusterControllers:
    """The control loops over one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.synced = asyncio.Event()
        """Set once the loops have seen the cluster and work."""
        self._inventory = Inventory(cluster)
        self._views = {
            resource: View(cluster, resource)
            for resource in (DEPLOYMENTS, REPLICASETS, PODS, SERVICES, ENDPOINTSLICES, HPAS)
        }
        deployments, sets, pods, services, slices, autoscalers = self._views.values()
        self._loops: dict[str, ControlLoop] = {
            "deployment": DeploymentController(cluster, deployments, sets, pods),
            "replicaset": ReplicaSetController(cluster, sets, pods),
            "endpointslice": EndpointSliceController(cluster, services, pods, slices),
            "autoscaler": AutoscalerController(cluster, autoscalers, deployments),
            "garbage-collector": GarbageCollector(cluster, self._inventory),
            "namespace": NamespaceController(cluster, self._inventory),
        }

    async def run(self) -> None:
        """Run all loops for ever. Ends only by cancellation."""
        try:
            async with asyncio.TaskGroup() as group:
                for view in self._views.values():
                    group.create_task(view.informer.run())
                group.create_task(self._inventory.run())
                for view in self._views.values():
                    await view.informer.synced.wait()
                # Only now: a loop that knows half of the pods would create the other half again.
                for name, loop in self._loops.items():
                    group.create_task(work(name, loop.queue, loop.reconcile))
                self.synced.set()
        finally:
            for loop in self._loops.values():
                loop.queue.close()
