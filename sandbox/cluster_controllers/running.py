"""All control loops of the cluster, in one task.

Started by the sandbox's daemon and by tests; a client of the API server like any other.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from sandbox.cluster_controllers.deployment import DeploymentController
from sandbox.cluster_controllers.endpointslice import EndpointSliceController
from sandbox.cluster_controllers.garbage_collector import GarbageCollector
from sandbox.cluster_controllers.hpa import AutoscalerController
from sandbox.cluster_controllers.inventory import CLUSTER_ROLES, SERVICE_ACCOUNTS, Inventory
from sandbox.cluster_controllers.namespace import NamespaceController
from sandbox.cluster_controllers.namespace_content import (
    NamespaceContentController,
    default_account,
    root_certificates,
)
from sandbox.cluster_controllers.replicaset import ReplicaSetController
from sandbox.cluster_controllers.role_aggregation import RoleAggregationController
from sandbox.cluster_controllers.view import View
from sandbox.cluster_controllers.worker import work
from shared.cluster import Cluster
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import CONFIGMAPS, DEPLOYMENTS, ENDPOINTSLICES, HPAS, PODS, REPLICASETS, SERVICES


class ControlLoop(Protocol):
    """What every control loop has: keys to look at, and one pass over a key."""

    queue: KeyQueue[Key]

    async def reconcile(self, key: Key) -> float | None:
        """One pass; returns the seconds after which to look again, or None."""


ACCOUNTS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "endpointslice-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-cert-publisher",
    "service-account-controller",
)
"""Service accounts in kube-system under which the loops of a real cluster write: webhooks tell them by
name.
"""


class ClusterControllers:
    """The control loops over one cluster.

    `accounts` are connections under the names of ACCOUNTS; `cluster` reads for all loops, and stands in where
    there is none. `authority` is what pods trust the API server by, in PEM.
    """

    def __init__(
        self, cluster: Cluster, authority: str, accounts: Mapping[str, Cluster] | None = None
    ) -> None:
        def of(account: str) -> Cluster:
            return (accounts or {}).get(account, cluster)

        self.synced = asyncio.Event()
        """Set once the loops have seen the cluster and work."""
        self._inventory = Inventory(of("generic-garbage-collector"))
        self._views = {
            resource: View(cluster, resource)
            for resource in (
                DEPLOYMENTS,
                REPLICASETS,
                PODS,
                SERVICES,
                ENDPOINTSLICES,
                HPAS,
                CLUSTER_ROLES,
            )
        }
        deployments, sets, pods, services, slices, autoscalers, roles = self._views.values()
        self._loops: dict[str, ControlLoop] = {
            "deployment": DeploymentController(of("deployment-controller"), deployments, sets, pods),
            "replicaset": ReplicaSetController(of("replicaset-controller"), sets, pods),
            "endpointslice": EndpointSliceController(of("endpointslice-controller"), services, pods, slices),
            "autoscaler": AutoscalerController(of("horizontal-pod-autoscaler"), autoscalers, deployments),
            "garbage-collector": GarbageCollector(of("generic-garbage-collector"), self._inventory),
            "namespace": NamespaceController(of("namespace-controller"), self._inventory),
            "default-account": NamespaceContentController(
                of("service-account-controller"), self._inventory, SERVICE_ACCOUNTS, default_account()
            ),
            "root-certificates": NamespaceContentController(
                of("root-ca-cert-publisher"), self._inventory, CONFIGMAPS, root_certificates(authority)
            ),
            "role-aggregation": RoleAggregationController(of("clusterrole-aggregation-controller"), roles),
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
