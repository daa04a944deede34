"""EndpointSlices: for each Service with a selector, where its pods listen and which of them are ready.

`slices` is pure; `EndpointSliceController` makes the cluster's equal to it as soon as a pod's state changes.
Source: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sandbox.cluster_controllers.objects import (
    ACTIVE_PHASES,
    is_ready,
    is_terminating,
    key_of,
    owner_reference,
)
from sandbox.cluster_controllers.view import View
from shared.cluster import Cluster
from shared.errors import NotFound
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import ENDPOINTSLICES, PODS, SERVICES
from shared.types.meta import Json

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"

Ports = tuple[tuple[str, str, int], ...]
"""(name, protocol, number) of each port that a Service's pods are reached at."""


def selected(service: Json, pods: Iterable[Json]) -> list[Json]:
    """The Service's pods that have an address and have not finished."""
    selector = service["spec"].get("selector") or {}
    return [
        pod
        for pod in pods
        if selector.items() <= (pod["metadata"].get("labels") or {}).items()
        and (pod.get("status") or {}).get("podIP")
        and pod["status"].get("phase", "") in ACTIVE_PHASES
    ]


def slices(service: Json, pods: Iterable[Json]) -> list[Json]:
    """The slices of a Service: one, unless its pods use different numbers for the same named port."""
    alike: dict[Ports, list[Json]] = defaultdict(list)
    for pod in selected(service, pods):
        alike[_ports(service, pod)].append(pod)
    if not alike:
        alike[_ports(service, None)] = []
    return [_slice(service, index, ports, alike[ports]) for index, ports in enumerate(sorted(alike))]


def _ports(service: Json, pod: Json | None) -> Ports:
    ports: list[tuple[str, str, int]] = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = port.get("targetPort") or port["port"]
        if isinstance(number, str):
            number = _named_port(pod, number, protocol)
        if number:
            ports.append((port.get("name", ""), protocol, number))
    return tuple(ports)


def _named_port(pod: Json | None, name: str, protocol: str) -> int:
    for container in pod["spec"]["containers"] if pod else ():
        for port in container.get("ports") or ():
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return 0


def _slice(service: Json, index: int, ports: Ports, pods: Sequence[Json]) -> Json:
    metadata = service["metadata"]
    # The name is computed, not drawn: a slice whose creation was not seen is found again instead of made
    # twice.
    suffix = hashlib.sha256(f"{metadata['uid']}/{index}".encode()).hexdigest()[:5]
    return {
        "apiVersion": ENDPOINTSLICES.api_version,
        "kind": ENDPOINTSLICES.kind,
        "metadata": {
            "name": f"{metadata['name']}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": {
                **(metadata.get("labels") or {}),
                SERVICE_LABEL: metadata["name"],
                MANAGER_LABEL: MANAGER,
            },
            "ownerReferences": [owner_reference(SERVICES, service)],
        },
        "addressType": "IPv4",
        "ports": [{"name": name, "protocol": protocol, "port": number} for name, protocol, number in ports],
        "endpoints": [
            _endpoint(service, pod) for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
        ],
    }


def _endpoint(service: Json, pod: Json) -> Json:
    serving, terminating = is_ready(pod), is_terminating(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Json = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": published or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": PODS.kind,
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "uid": pod["metadata"]["uid"],
        },
    }
    if pod["spec"].get("nodeName"):
        endpoint["nodeName"] = pod["spec"]["nodeName"]
    return endpoint


def _patch(current: Json, wanted: Json) -> Json:
    patch = {
        name: wanted[name] for name in ("endpoints", "ports") if (current.get(name) or []) != wanted[name]
    }
    if current["metadata"].get("labels") != wanted["metadata"]["labels"]:
        gone = dict.fromkeys(current["metadata"].get("labels") or {})
        patch["metadata"] = {"labels": {**gone, **wanted["metadata"]["labels"]}}
    return patch


class EndpointSliceController:
    """Makes the cluster's slices equal to the computed ones."""

    def __init__(self, cluster: Cluster, services: View, pods: View, existing: View) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._services = services
        self._pods = pods
        self._slices = existing
        services.add_listener(self._on_service)
        pods.add_listener(self._on_pod)
        existing.add_listener(self._on_slice)

    def _on_service(self, old: Json | None, new: Json | None) -> None:
        self.queue.add(key_of(new or old or {}))

    def _on_pod(self, old: Json | None, new: Json | None) -> None:
        versions = [pod for pod in (old, new) if pod is not None]
        for service in self._services.in_namespace(versions[0]["metadata"]["namespace"]):
            selector = (service["spec"].get("selector") or {}).items()
            if any(selector <= (pod["metadata"].get("labels") or {}).items() for pod in versions):
                self.queue.add(key_of(service))

    def _on_slice(self, old: Json | None, new: Json | None) -> None:
        metadata = (new or old or {})["metadata"]
        labels = metadata.get("labels") or {}
        if labels.get(MANAGER_LABEL) == MANAGER and SERVICE_LABEL in labels:
            self.queue.add((metadata["namespace"], labels[SERVICE_LABEL]))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over a Service. Slices of a Service that is gone are the garbage collector's."""
        service = self._services.get(key)
        if service is None or is_terminating(service) or not service["spec"].get("selector"):
            return None
        present = {
            each["metadata"]["name"]: each
            for each in self._slices.live(service["metadata"]["uid"])
            if (each["metadata"].get("labels") or {}).get(MANAGER_LABEL) == MANAGER
        }
        for wanted in slices(service, self._pods.in_namespace(key[0])):
            await self._write(present.pop(wanted["metadata"]["name"], None), wanted)
        for surplus in present.values():
            await self._delete(surplus)
        return None

    async def _write(self, current: Json | None, wanted: Json) -> None:
        if current is None:
            self._slices.wrote(await self._cluster.create(ENDPOINTSLICES, wanted))
            return
        patch = _patch(current, wanted)
        if patch:
            namespace, name = key_of(wanted)
            self._slices.wrote(await self._cluster.patch(ENDPOINTSLICES, name, namespace, patch))

    async def _delete(self, surplus: Json) -> None:
        namespace, name = key_of(surplus)
        try:
            await self._cluster.delete(ENDPOINTSLICES, name, namespace, uid=surplus["metadata"]["uid"])
        except NotFound:
            return  # somebody was faster
        self._slices.doom(surplus)
