"""A whole small cluster in this process: the sandbox's API server, control loops and kubelet, and caches.

It is the sandbox's own server alone: a real one refuses EndpointSlices with loopback addresses.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.apiserver import ApiServer, Config
from sandbox.cluster_controllers.running import ClusterControllers
from sandbox.connections import Connections
from sandbox.kubelet.kubelet import Kubelet, KubeletSettings
from shared.cluster import Cluster
from shared.informer import Informer
from shared.resources import DEPLOYMENTS, ENDPOINTSLICES, NAMESPACES, PODS, REPLICASETS, SERVICES, Resource
from tests.waiting import eventually

Json = dict[str, Any]

WATCHED = (DEPLOYMENTS, REPLICASETS, PODS, SERVICES, ENDPOINTSLICES, NAMESPACES)
PROBE: Json = {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1}


@dataclass(frozen=True)
class Node:
    """The cluster as a test sees it. Namespace test exists."""

    cluster: Cluster
    kubelet: Kubelet
    state: Path
    caches: dict[Resource, Informer[Json]]

    def all(self, resource: Resource) -> list[Json]:
        return list(self.caches[resource].cache.values())

    def get(self, resource: Resource, name: str = "podinfo") -> Json:
        """An empty object while there is none."""
        return self.caches[resource].cache.get(("test", name), {})

    def pods(self, tag: str = "") -> list[Json]:
        """Pods that are not being deleted, of one tag or all."""
        live = [each for each in self.all(PODS) if "deletionTimestamp" not in each["metadata"]]
        return [each for each in live if each["spec"]["containers"][0]["image"].endswith(tag)]

    def ready_addresses(self) -> set[str]:
        """The ready endpoints of all Services."""
        endpoints = [each for found in self.all(ENDPOINTSLICES) for each in found["endpoints"] or ()]
        return {each["addresses"][0] for each in endpoints if each["conditions"]["ready"]}

    def rolled_out(self, name: str = "podinfo") -> bool:
        """What `kubectl rollout status` waits for."""
        found = self.get(DEPLOYMENTS, name)
        status, wanted = found.get("status") or {}, found.get("spec", {}).get("replicas", 0)
        seen = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
        names = ("replicas", "updatedReplicas", "availableReplicas")
        return seen and all(status.get(each, 0) == wanted for each in names)

    async def until(self, fact: Callable[[], object]) -> None:
        await eventually(fact)

    async def deploy(self, tag: str, **spec: Any) -> None:
        """Create podinfo and its Service."""
        await self.cluster.create(DEPLOYMENTS, podinfo(tag, **spec))
        await self.cluster.create(SERVICES, service())

    async def set_image(self, tag: str) -> None:
        container = {"name": "podinfod", "image": f"stefanprodan/podinfo:{tag}"}
        await self.patch(container)

    async def patch(self, container: Json) -> None:
        """Change the container of podinfo, by its position."""
        found = await self.cluster.get(DEPLOYMENTS, "podinfo", "test")
        changed = found["spec"]["template"]["spec"]["containers"][0] | container
        body = {"spec": {"template": {"spec": {"containers": [changed]}}}}
        await self.cluster.patch(DEPLOYMENTS, "podinfo", "test", body)

    async def scale(self, replicas: int) -> None:
        await self.cluster.patch(
            DEPLOYMENTS, "podinfo", "test", {"spec": {"replicas": replicas}}, subresource="scale"
        )


def podinfo(tag: str, *, container: Json | None = None, **spec: Any) -> Json:
    """A Deployment of podinfo that ends quickly when it is told to."""
    template_container = {
        "name": "podinfod",
        "image": f"stefanprodan/podinfo:{tag}",
        "command": ["./podinfo", "--port=9898", "--shutdown-delay=0.1"],
        "ports": [{"name": "http", "containerPort": 9898}],
        "readinessProbe": PROBE,
    } | (container or {})
    template = {"metadata": {"labels": {"app": "podinfo"}}, "spec": {"containers": [template_container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "podinfo"}}, "template": template} | spec,
    }


def service() -> Json:
    """podinfo's Service, port 80 to the port called http."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "selector": {"app": "podinfo"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


@asynccontextmanager
async def running(state: Path) -> AsyncIterator[Node]:
    """The cluster, from an empty state to no process left."""
    server = ApiServer(Config(state=state))
    await server.start()
    # Tests that run side by side, and a sandbox beside them, must not share addresses.
    network = f"127.{64 + os.getpid() % 64}.{os.getpid() // 64 % 256}.0/24"
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(await Cluster.connect(state / "kubeconfig"))
        connections = Connections(server, state / "parts", stack)
        kubelet = await connections.kubelet(
            KubeletSettings(state, network=network, first_backoff=0.3, stop_seconds=0.5)
        )
        controllers = await connections.controllers()
        caches = {resource: Informer(cluster, resource, lambda obj: obj) for resource in WATCHED}
        parts: list[Kubelet | ClusterControllers | Informer[Json]] = [kubelet, controllers, *caches.values()]
        tasks = [asyncio.create_task(each.run()) for each in parts]
        for each in parts:
            await each.synced.wait()
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test"}}
        await cluster.create(NAMESPACES, namespace)
        yield Node(cluster, kubelet, state, caches)
        await kubelet.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await server.stop()
