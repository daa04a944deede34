"""Which address answers for a host name: Services and their ready endpoints, as the cluster has them now.

Called by the proxy for every request. Apart from it because looking up needs no I/O: informers feed it,
`resolve` only reads.

    Services, EndpointSlices ──informers──► Directory ◄──resolve(host, port)── Proxy
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

Key = tuple[str, str]
"""Namespace and name."""

INGRESS: Key = ("traefik", "traefik")
"""The Service that gets every host name that is not a Service's own, as a cluster's load balancer would."""
INGRESS_PORT = 80
SERVICE_LABEL = "kubernetes.io/service-name"
SHORT_NAME_LABELS = 2


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect to."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why nothing answers for a name: 502 = no such thing, 503 = nothing of it is ready."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """Port numbers of a Service, each with the name under which EndpointSlices list it."""

    names: dict[int, str]


@dataclass(frozen=True, slots=True)
class Slice:
    """What is read of an EndpointSlice: the ready addresses and the port behind each port name."""

    service: Key
    ports: dict[str, int]
    ready: tuple[str, ...]


def project_service(body: dict[str, Any]) -> ServicePorts:
    """The part of a Service that is kept."""
    return ServicePorts({port["port"]: port.get("name", "") for port in body["spec"].get("ports") or ()})


def project_slice(body: dict[str, Any]) -> Slice:
    """The part of an EndpointSlice that is kept. An endpoint of unknown readiness counts as ready, as the
    API says.
    """
    metadata = body["metadata"]
    ready = (
        address
        for endpoint in body.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    )
    return Slice(
        service=(metadata["namespace"], (metadata.get("labels") or {}).get(SERVICE_LABEL, "")),
        ports={port.get("name") or "": port["port"] for port in body.get("ports") or () if port.get("port")},
        ready=tuple(ready),
    )


class Directory:
    """The Services of the cluster; `service_changed` and `slice_changed` are informer listeners."""

    def __init__(self) -> None:
        self._services: dict[Key, ServicePorts] = {}
        self._slices: dict[Key, dict[Key, Slice]] = {}
        self._turns: dict[Key, int] = {}

    def service_changed(self, key: Key, _: ServicePorts | None, new: ServicePorts | None) -> None:
        if new is None:
            self._services.pop(key, None)
            self._turns.pop(key, None)
        else:
            self._services[key] = new

    def slice_changed(self, key: Key, old: Slice | None, new: Slice | None) -> None:
        if old is not None:
            self._slices.get(old.service, {}).pop(key, None)
        if new is not None:
            self._slices.setdefault(new.service, {})[key] = new

    def resolve(self, host: str, port: int) -> Address | Unreachable:
        """The next address of what the name stands for, in turn."""
        literal = _loopback(host)
        if literal is not None:
            return Address(literal, port)
        service = self._service(host)
        if service is None:
            return self._endpoint(INGRESS, INGRESS_PORT)
        return self._endpoint(service, port)

    def _service(self, host: str) -> Key | None:
        """The Service that a name means: SERVICE.NAMESPACE, also with .svc and the cluster's domain behind
        it.
        """
        labels = host.rstrip(".").lower().removesuffix(".cluster.local").split(".")
        qualified = len(labels) == SHORT_NAME_LABELS + 1 and labels[-1] == "svc"
        if not qualified and len(labels) != SHORT_NAME_LABELS:
            return None
        name, namespace = labels[:SHORT_NAME_LABELS]
        # "example.com" looks like SERVICE.NAMESPACE too: without .svc it is one only if the namespace is in
        # use.
        if qualified or any(known == namespace for known, _ in self._services):
            return namespace, name
        return None

    def _endpoint(self, key: Key, port: int) -> Address | Unreachable:
        service = self._services.get(key)
        title = f"Service {key[1]} in namespace {key[0]}"
        if service is None:
            return Unreachable(502, f"there is no {title}")
        if port not in service.names:
            return Unreachable(502, f"{title} has no port {port}, only {', '.join(map(str, service.names))}")
        addresses = [
            Address(ip, part.ports[service.names[port]])
            for part in self._slices.get(key, {}).values()
            if service.names[port] in part.ports
            for ip in part.ready
        ]
        if not addresses:
            return Unreachable(503, f"{title} has no ready endpoints")
        turn = self._turns.get(key, -1) + 1
        self._turns[key] = turn
        return addresses[turn % len(addresses)]


def _loopback(host: str) -> str | None:
    """The address, where the host is this machine itself written as an address or as localhost."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        return host if ipaddress.ip_address(host).is_loopback else None
    except ValueError:
        return None
