"""What the server serves: the table of built-in resources, and the catalogue that CRDs add to.

Used by every other module to get from a path (`apis/apps/v1 … deployments`) to the rules of a resource.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Json = dict[str, Any]

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class ScalePaths:
    """Where a kind keeps what `/scale` shows; paths are dotted without a leading dot."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = ""


@dataclass(frozen=True)
class PrinterColumn:
    """One `additionalPrinterColumns` entry of a CRD."""

    name: str
    type: str
    path: str
    priority: int = 0
    format: str = ""
    description: str = ""


@dataclass(frozen=True)
class ResourceType:
    """One served resource in one version. `storage` names the collection, which versions of a kind share."""

    group: str
    version: str
    plural: str
    kind: str
    definition: str = ""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    singular_name: str = ""
    storage_version: str = ""
    storage_group: str | None = None
    has_generation: bool = False
    unconditional_update: bool = True
    schema: Json | None = None
    scale: ScalePaths | None = None
    columns: tuple[PrinterColumn, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    custom: bool = False

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def qualified(self) -> str:
        """`deployments.apps`, as error texts name a resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def qualified_kind(self) -> str:
        """`Deployment.apps`, as error texts name a kind."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @cached_property
    def singular(self) -> str:
        return self.singular_name or self.kind.lower()

    @cached_property
    def storage(self) -> str:
        group = self.group if self.storage_group is None else self.storage_group
        return f"{group}/{self.plural}"

    @property
    def is_storage_version(self) -> bool:
        """Whether objects are kept in this very group and version."""
        return self.storage_version in ("", self.version) and self.storage_group is None

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


def _row(path: str, kind: str, definition: str, /, **options: Any) -> ResourceType:
    group, version, plural = path.split("/")
    for name in ("short_names", "categories", "subresources", "verbs"):
        if name in options:
            options[name] = tuple(options[name].split())
    return ResourceType(group, version, plural, kind, definition, **options)


_REVIEW = {"namespaced": False, "verbs": "create"}
_POD_SUBRESOURCES = "attach binding eviction exec log portforward proxy status"
_SELECTOR_SCALE = ScalePaths(selector="spec.selector")
_WORKLOAD = {"categories": "all", "has_generation": True}
_CLUSTER = {"namespaced": False}
_REGISTRATION = "admissionregistration.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io/v1"

BUILTINS: tuple[ResourceType, ...] = (
    _row("/v1/configmaps", "ConfigMap", "V1ConfigMap", short_names="cm"),
    _row("/v1/endpoints", "Endpoints", "V1Endpoints", short_names="ep"),
    _row("/v1/events", "Event", "CoreV1Event", short_names="ev"),
    _row("/v1/limitranges", "LimitRange", "V1LimitRange", short_names="limits"),
    _row(
        "/v1/namespaces", "Namespace", "V1Namespace", short_names="ns", subresources="finalize status",
        verbs="create delete get list patch update watch", **_CLUSTER,
    ),
    _row("/v1/nodes", "Node", "V1Node", short_names="no", subresources="status", **_CLUSTER),
    _row(
        "/v1/pods", "Pod", "V1Pod", short_names="po", categories="all", has_generation=True,
        subresources=_POD_SUBRESOURCES,
    ),
    _row(
        "/v1/resourcequotas", "ResourceQuota", "V1ResourceQuota", short_names="quota", subresources="status"
    ),
    _row("/v1/secrets", "Secret", "V1Secret"),
    _row("/v1/serviceaccounts", "ServiceAccount", "V1ServiceAccount", short_names="sa", subresources="token"),
    _row("/v1/services", "Service", "V1Service", short_names="svc", categories="all", subresources="status"),
    _row(
        "apps/v1/daemonsets", "DaemonSet", "V1DaemonSet", short_names="ds", subresources="status", **_WORKLOAD
    ),
    _row(
        "apps/v1/deployments", "Deployment", "V1Deployment", short_names="deploy",
        subresources="scale status", scale=_SELECTOR_SCALE, **_WORKLOAD,
    ),
    _row(
        "apps/v1/replicasets", "ReplicaSet", "V1ReplicaSet", short_names="rs", subresources="scale status",
        scale=_SELECTOR_SCALE, **_WORKLOAD,
    ),
    _row(
        "apps/v1/statefulsets", "StatefulSet", "V1StatefulSet", short_names="sts",
        subresources="scale status", scale=_SELECTOR_SCALE, **_WORKLOAD,
    ),
    _row("events.k8s.io/v1/events", "Event", "EventsV1Event", short_names="ev", storage_group=""),
    _row(
        "authentication.k8s.io/v1/selfsubjectreviews", "SelfSubjectReview", "V1SelfSubjectReview", **_REVIEW
    ),
    _row("authentication.k8s.io/v1/tokenreviews", "TokenReview", "V1TokenReview", **_REVIEW),
    _row(
        "authorization.k8s.io/v1/localsubjectaccessreviews", "LocalSubjectAccessReview",
        "V1LocalSubjectAccessReview", verbs="create",
    ),
    _row(
        "authorization.k8s.io/v1/selfsubjectaccessreviews", "SelfSubjectAccessReview",
        "V1SelfSubjectAccessReview", **_REVIEW,
    ),
    _row(
        "authorization.k8s.io/v1/selfsubjectrulesreviews", "SelfSubjectRulesReview",
        "V1SelfSubjectRulesReview", **_REVIEW,
    ),
    _row(
        "authorization.k8s.io/v1/subjectaccessreviews", "SubjectAccessReview", "V1SubjectAccessReview",
        **_REVIEW
    ),
    _row(
        "autoscaling/v2/horizontalpodautoscalers", "HorizontalPodAutoscaler", "V2HorizontalPodAutoscaler",
        short_names="hpa", categories="all", subresources="status",
    ),
    _row(
        "autoscaling/v1/horizontalpodautoscalers", "HorizontalPodAutoscaler", "V1HorizontalPodAutoscaler",
        short_names="hpa", categories="all", subresources="status", storage_version="v2",
    ),
    _row(
        "networking.k8s.io/v1/ingressclasses", "IngressClass", "V1IngressClass", has_generation=True,
        **_CLUSTER
    ),
    _row(
        "networking.k8s.io/v1/ingresses", "Ingress", "V1Ingress", short_names="ing", subresources="status",
        has_generation=True,
    ),
    _row(
        "networking.k8s.io/v1/networkpolicies", "NetworkPolicy", "V1NetworkPolicy", short_names="netpol",
        has_generation=True,
    ),
    _row(
        "policy/v1/poddisruptionbudgets", "PodDisruptionBudget", "V1PodDisruptionBudget", short_names="pdb",
        subresources="status", has_generation=True,
    ),
    _row(f"{_RBAC}/clusterrolebindings", "ClusterRoleBinding", "V1ClusterRoleBinding", **_CLUSTER),
    _row(f"{_RBAC}/clusterroles", "ClusterRole", "V1ClusterRole", **_CLUSTER),
    _row(f"{_RBAC}/rolebindings", "RoleBinding", "V1RoleBinding"),
    _row(f"{_RBAC}/roles", "Role", "V1Role"),
    _row(
        f"{_REGISTRATION}/mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
        "V1MutatingWebhookConfiguration", has_generation=True, categories="api-extensions", **_CLUSTER,
    ),
    _row(
        f"{_REGISTRATION}/validatingwebhookconfigurations", "ValidatingWebhookConfiguration",
        "V1ValidatingWebhookConfiguration", has_generation=True, categories="api-extensions", **_CLUSTER,
    ),
    _row(
        "apiextensions.k8s.io/v1/customresourcedefinitions", "CustomResourceDefinition",
        "V1CustomResourceDefinition", short_names="crd crds", categories="api-extensions",
        subresources="status", has_generation=True, unconditional_update=False, **_CLUSTER,
    ),
    _row(
        "scheduling.k8s.io/v1/priorityclasses", "PriorityClass", "V1PriorityClass", short_names="pc",
        has_generation=True, **_CLUSTER,
    ),
    _row("coordination.k8s.io/v1/leases", "Lease", "V1Lease", unconditional_update=False),
    _row("discovery.k8s.io/v1/endpointslices", "EndpointSlice", "V1EndpointSlice", has_generation=True),
)  # fmt: skip


class Catalog:
    """Which resources are served now. Built-ins are fixed; `crds.py` adds and removes the custom ones."""

    def __init__(self, builtins: Iterable[ResourceType] = BUILTINS) -> None:
        self._resources = {(r.group, r.version, r.plural): r for r in builtins}
        self.revision = 0

    def find(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._resources.get((group, version, plural))

    def storage_type(self, resource: ResourceType) -> ResourceType:
        """The version of `resource` that objects are kept in."""
        if resource.is_storage_version:
            return resource
        group = resource.group if resource.storage_group is None else resource.storage_group
        return self._resources[group, resource.storage_version or resource.version, resource.plural]

    def versions(self) -> dict[str, dict[str, list[ResourceType]]]:
        """Group -> version -> its resources by name; versions in the order of preference."""
        groups: dict[str, dict[str, list[ResourceType]]] = {}
        for resource in self._resources.values():
            groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        return groups

    def replace_group_kind(self, group: str, plural: str, types: Iterable[ResourceType]) -> None:
        """Serves exactly `types` for a CRD's group and plural; none of them stops serving it."""
        kept = {k: r for k, r in self._resources.items() if (r.group, r.plural) != (group, plural)}
        self._resources = kept | {(r.group, r.version, r.plural): r for r in types}
        self.revision += 1
