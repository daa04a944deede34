"""Canary: which workload to roll out, behind which Service, and how to tell whether a revision is good.

The object that the product turns on. Its parts are imported from here; files beside it hold the long ones.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from shared.names import GROUP, VERSION, canary_name, primary_name
from shared.types.analysis import (
    Analysis,
    RequestMatch,
    SameSite,
    SessionAffinity,
    Strategy,
    StringMatch,
)
from shared.types.checks import Alert, AlertSeverity, HookType, Metric, ThresholdRange, Webhook
from shared.types.meta import Json, ObjectMeta, ObjectRef, Wire
from shared.types.problems import parse
from shared.types.scalars import RULES, Address, Between, Flag, Name, Query, Whole
from shared.types.service import Service, TrafficDistribution
from shared.types.status import CanaryStatus, Condition, Phase

__all__ = [
    "Alert",
    "AlertSeverity",
    "Analysis",
    "AutoscalerRef",
    "Canary",
    "CanarySpec",
    "CanaryStatus",
    "Condition",
    "HookType",
    "Metric",
    "Phase",
    "Provider",
    "RequestMatch",
    "SameSite",
    "Service",
    "SessionAffinity",
    "Strategy",
    "StringMatch",
    "TargetRef",
    "ThresholdRange",
    "TrafficDistribution",
    "Webhook",
    "parse_canary",
]


class Provider(StrEnum):
    """Who routes. All of Flagger's, so that its manifests apply; the controller says which it can run."""

    APISIX = "apisix"
    APPMESH = "appmesh"
    APPMESH_V1BETA2 = "appmesh:v1beta2"
    CONTOUR = "contour"
    GATEWAY_API_V1 = "gatewayapi:v1"
    GATEWAY_API_V1BETA1 = "gatewayapi:v1beta1"
    GLOO = "gloo"
    ISTIO = "istio"
    KNATIVE = "knative"
    KUBERNETES = "kubernetes"
    KUMA = "kuma"
    LINKERD = "linkerd"
    NGINX = "nginx"
    OSM = "osm"
    SKIPPER = "skipper"
    SMI_V1ALPHA1 = "smi:v1alpha1"
    SMI_V1ALPHA2 = "smi:v1alpha2"
    SMI_V1ALPHA3 = "smi:v1alpha3"
    TRAEFIK = "traefik"


class TargetRef(ObjectRef):
    """The workload."""

    kind: Literal["DaemonSet", "Deployment", "Service"]
    """Kind of the workload."""


class ScalerReplicas(Wire):
    """Bounds of the primary's autoscaler."""

    min_replicas: Annotated[Whole, Between(1, 2**31 - 1)] | None = None
    """Fewest pods of the primary. Default: as the autoscaler has it."""
    max_replicas: Annotated[Whole, Between(1, 2**31 - 1)] | None = None
    """Most pods of the primary. Default: as the autoscaler has it."""


class AutoscalerRef(ObjectRef):
    """The workload's autoscaler, of which the primary gets a copy."""

    kind: Literal["HorizontalPodAutoscaler", "ScaledObject"]
    """Kind of the autoscaler."""
    primary_scaler_queries: Annotated[dict[Name, Query], Field(max_length=64)] = Field(default_factory=dict)
    """Queries of the primary's triggers, by trigger name. KEDA only."""
    primary_scaler_replicas: ScalerReplicas | None = None
    """Other bounds for the primary."""


class IngressRef(ObjectRef):
    """An Ingress."""

    kind: Literal["Ingress"]
    """Kind of the object."""


class RouteRef(ObjectRef):
    """An APISIX route."""

    kind: Literal["ApisixRoute"]
    """Kind of the object."""


class UpstreamRef(ObjectRef):
    """A Gloo upstream."""

    kind: Literal["Upstream"]
    """Kind of the object."""
    namespace: Name | None = None
    """Namespace of the upstream. Default: the Canary's own."""


def _service_optional(schema: Json) -> None:
    """Knative's Canaries have no service, and are to apply, although the controller refuses them."""
    schema["required"].remove("service")
    rule = "has(self.service) || self.targetRef.kind == 'Service'"
    schema[RULES] = [{"rule": rule, "message": "service must be set", "reason": "FieldValueRequired"}]


class CanarySpec(Wire):
    """What to roll out and how."""

    model_config = ConfigDict(json_schema_extra=_service_optional)

    provider: Provider | None = None
    """Who routes. Default: as the controller was started."""
    metrics_server: Address | None = None
    """Prometheus to measure with. Default: as the controller was started."""
    target_ref: TargetRef
    """The workload that is rolled out."""
    autoscaler_ref: AutoscalerRef | None = None
    """The workload's autoscaler."""
    ingress_ref: IngressRef | None = None
    """The workload's Ingress. NGINX and Skipper only."""
    route_ref: RouteRef | None = None
    """The workload's route. APISIX only."""
    upstream_ref: UpstreamRef | None = None
    """The workload's upstream. Gloo only."""
    service: Service
    """The Services to make."""
    analysis: Analysis
    """How a new revision is analysed."""
    progress_deadline_seconds: Annotated[Whole, Between(1, 2**31 - 1)] = 600
    """Seconds within which the workload has to become ready, else it is rolled back."""
    skip_analysis: Flag = False
    """Promote new revisions without analysis."""
    revert_on_deletion: Flag = False
    """When the Canary is deleted, put the workload back as it was without it."""
    suspend: Flag = False
    """Leave the Canary as it is until this is taken back."""

    @property
    def apex_name(self) -> str:
        """Name of the apex Service and of the TraefikService."""
        return self.service.name or self.target_ref.name

    @property
    def primary_service_name(self) -> str:
        """Name of the primary's Service."""
        return primary_name(self.apex_name)

    @property
    def canary_service_name(self) -> str:
        """Name of the canary's Service."""
        return canary_name(self.apex_name)


class Canary(Wire):
    """A workload that is rolled out progressively: each new revision gets traffic in steps, and is promoted
    only when it does well."""

    api_version: str = f"{GROUP}/{VERSION}"
    kind: str = "Canary"
    metadata: ObjectMeta
    spec: CanarySpec
    """What to roll out and how."""
    status: CanaryStatus = CanaryStatus()
    """What was done. Written by the controller."""


def parse_canary(obj: Json) -> Canary:
    """The Canary that a JSON object is.

    Raises:
        InvalidSpec: with every problem.
    """
    return parse(Canary, obj)
