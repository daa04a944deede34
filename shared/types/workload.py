"""What is read of the cluster's own objects: Deployments, Services, EndpointSlices, autoscalers.

Shapes for the type checker only: the API server has validated these objects, and informers keep projections
of them that are a tenth of the size, so nothing is parsed or copied here.
"""

from typing import Literal, NotRequired, TypedDict

from shared.types.meta import Json


class OwnerReference(TypedDict):
    """Whose object it is."""

    apiVersion: str
    kind: str
    name: str
    uid: str
    controller: NotRequired[bool]


class Metadata(TypedDict):
    """Metadata of an object that is stored."""

    name: str
    namespace: str
    uid: str
    resourceVersion: str
    generation: NotRequired[int]
    deletionTimestamp: NotRequired[str]
    labels: NotRequired[dict[str, str]]
    annotations: NotRequired[dict[str, str]]
    ownerReferences: NotRequired[list[OwnerReference]]


class LabelSelector(TypedDict):
    """Which pods; `matchExpressions` are left to the API server."""

    matchLabels: NotRequired[dict[str, str]]


class WorkloadCondition(TypedDict):
    """One fact about a Deployment."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: NotRequired[str]
    message: NotRequired[str]
    lastUpdateTime: NotRequired[str]
    lastTransitionTime: NotRequired[str]


class DeploymentSpec(TypedDict):
    """What is to run. `template` stays JSON: it is hashed and copied whole."""

    selector: LabelSelector
    template: Json
    replicas: int
    paused: NotRequired[bool]
    minReadySeconds: NotRequired[int]
    progressDeadlineSeconds: NotRequired[int]
    revisionHistoryLimit: NotRequired[int]
    strategy: NotRequired[Json]


class DeploymentStatus(TypedDict, total=False):
    """What runs. Zeros are left out."""

    observedGeneration: int
    replicas: int
    updatedReplicas: int
    availableReplicas: int
    conditions: list[WorkloadCondition]


class Deployment(TypedDict):
    """apps/v1."""

    metadata: Metadata
    spec: DeploymentSpec
    status: NotRequired[DeploymentStatus]


class ServicePort(TypedDict):
    """A port of a Service."""

    port: int
    name: NotRequired[str]
    protocol: NotRequired[str]
    targetPort: NotRequired[int | str]
    appProtocol: NotRequired[str]


class ServiceSpec(TypedDict):
    """Which pods a name stands for."""

    ports: NotRequired[list[ServicePort]]
    selector: NotRequired[dict[str, str]]
    type: NotRequired[str]
    clusterIP: NotRequired[str]


class Service(TypedDict):
    """v1."""

    metadata: Metadata
    spec: ServiceSpec


class EndpointConditions(TypedDict, total=False):
    """Missing `ready` means ready."""

    ready: bool
    serving: bool
    terminating: bool


class Endpoint(TypedDict):
    """A pod's addresses."""

    addresses: list[str]
    conditions: NotRequired[EndpointConditions]


class EndpointSlice(TypedDict):
    """discovery.k8s.io/v1; the label kubernetes.io/service-name names the Service."""

    metadata: Metadata
    endpoints: NotRequired[list[Endpoint] | None]


class HorizontalPodAutoscaler(TypedDict):
    """autoscaling/v2. `spec` stays JSON: it is copied whole for the primary."""

    metadata: Metadata
    spec: Json
