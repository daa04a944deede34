"""The Services that a Canary makes, and how meshes and gateways are to route to them.

`spec.service` of a Canary. Much of it is for routers of other products and is taken as it comes, so that
existing manifests apply; that is why it has a file of its own.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.types.meta import CustomMetadata, Json, Wire
from shared.types.scalars import Flag, LabelName, Name, Port, ServiceName, TargetPort, Text, Texts


class TrafficDistribution(StrEnum):
    """Which endpoints a Service prefers."""

    CLOSE = "PreferClose"
    SAME_ZONE = "PreferSameZone"
    SAME_NODE = "PreferSameNode"


class UnmanagedMetadata(Wire):
    """Keys that others own on the generated Services and that are left alone."""

    labels: Texts = ()
    """Label keys."""
    annotations: Texts = ()
    """Annotation keys."""


class Rewrite(Wire):
    """How the request's URL is rewritten."""

    uri: Text | None = None
    """Path to put in its place."""
    authority: Text | None = None
    """Host to put in its place."""
    type: Text | None = None
    """ReplaceFullPath or ReplacePrefixMatch. Gateway API only."""


class Service(Wire):
    """The apex Service, and with it the primary's and the canary's: <name>, <name>-primary, <name>-canary."""

    name: ServiceName | None = None
    """Name of the apex Service. Default: the target's name."""
    port: Port
    """Port of the Services."""
    port_name: LabelName = "http"
    """Name of the port."""
    target_port: TargetPort = 0
    """Container port, by number or name. Default: the same as port."""
    app_protocol: Name | None = None
    """Application protocol of the port."""
    traffic_distribution: TrafficDistribution | None = None
    """Which endpoints to prefer."""
    port_discovery: Flag = False
    """Add the other ports of the target's containers."""
    headless: Flag = False
    """Make Services without a cluster IP."""
    apex: CustomMetadata | None = None
    """Metadata of the apex Service and of the TraefikService."""
    primary: CustomMetadata | None = None
    """Metadata of the primary's Service."""
    canary: CustomMetadata | None = None
    """Metadata of the canary's Service."""
    unmanaged_metadata: UnmanagedMetadata | None = None
    """Keys on the Services that are somebody else's."""
    timeout: Text | None = None
    """Request timeout. Not used with Traefik."""
    backend_timeout: Text | None = None
    """Timeout of one attempt. Gateway API only."""
    gateways: Texts = ()
    """Istio gateways. Not used with Traefik."""
    gateway_refs: Annotated[tuple[Json, ...], Field(max_length=32)] = ()
    """Parents of the HTTPRoute. Gateway API only."""
    hosts: Texts = ()
    """Host names of the route. Not used with Traefik."""
    delegation: Flag = False
    """Leave hosts and gateways out of the VirtualService. Istio only."""
    traffic_policy: Json | None = None
    """Traffic policy of the DestinationRules. Istio only."""
    match: Annotated[tuple[Json, ...], Field(max_length=64)] = ()
    """Request matches of the route. Not used with Traefik."""
    rewrite: Rewrite | None = None
    """URL rewrite. Not used with Traefik."""
    retries: Json | None = None
    """Retries of the route. Not used with Traefik."""
    headers: Json | None = None
    """Header changes of the route. Not used with Traefik."""
    mirror: Annotated[tuple[Json, ...], Field(max_length=32)] = ()
    """Request mirrors of the route. Gateway API only."""
    cors_policy: Json | None = None
    """Cross-origin policy of the route. Istio only."""
    mesh_name: Name | None = None
    """Name of the App Mesh."""
    backends: Texts = ()
    """App Mesh backends."""

    @property
    def effective_target_port(self) -> int | str:
        """The container port: as given, else the Service's own."""
        return self.target_port or self.port
