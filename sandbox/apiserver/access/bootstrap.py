"""Roles and bindings that every cluster starts with, for the resources that are served here.

Rules are those of kube-apiserver 1.36; https://kubernetes.io/docs/reference/access-authn-authz/rbac/ tells
what they are for. Two differences: the control loops here patch where the real ones update, so they may; and
nodes are bound to `system:node`, since there is no node authorizer. Rules that `view`, `edit` and `admin`
collect from other roles are filled in by a control loop, as in any cluster.

Called by `server.py` at its start.
"""

from collections.abc import Iterator

from sandbox.apiserver.access.rbac import GROUP, MASTERS
from sandbox.apiserver.resources import Json

_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_ALL = "create delete deletecollection get list patch update watch"
_AGGREGATE = f"{GROUP}/aggregate-to-"
_CONFIG = "configmaps secrets serviceaccounts services"
_SCALED = (
    "daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale"
)
_STATUSES = "daemonsets/status deployments/status replicasets/status statefulsets/status"
_HEALTH = "/healthz /livez /readyz /version /version/"
_EVENTS = ("core events.k8s.io", "events", "create patch update")

Rules = tuple[tuple[str, ...], ...]
"""Each: API groups, resources and verbs; or URLs and verbs. Words are apart by spaces, `core` is the group
without a name.
"""

_PEOPLE: dict[str, Rules] = {
    "cluster-admin": (("*", "*", "*"), ("*", "*")),
    "system:aggregate-to-admin": (
        ("authorization.k8s.io", "localsubjectaccessreviews", "create"),
        (GROUP, "rolebindings roles", _ALL),
    ),
    "system:aggregate-to-edit": (
        ("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", _READ),
        ("core", "serviceaccounts", "impersonate"),
        ("core", "pods pods/attach pods/exec pods/portforward pods/proxy", _WRITE),
        ("core", "pods/eviction", "create"),
        ("core", f"{_CONFIG} services/proxy", _WRITE),
        ("core", "serviceaccounts/token", "create"),
        ("core events.k8s.io", "events", _WRITE),
        ("apps", f"{_SCALED} deployments/rollback", _WRITE),
        ("autoscaling", "horizontalpodautoscalers", _WRITE),
        ("policy", "poddisruptionbudgets", _WRITE),
        ("networking.k8s.io", "ingresses networkpolicies", _WRITE),
        ("coordination.k8s.io", "leases", _ALL),
    ),
    "system:aggregate-to-view": (
        ("core", "configmaps endpoints pods serviceaccounts services services/status", _READ),
        ("core", "namespaces/status pods/log pods/status", _READ),
        ("core", "namespaces", _READ),
        ("core", "limitranges resourcequotas resourcequotas/status", _READ),
        ("core events.k8s.io", "events", _READ),
        ("discovery.k8s.io", "endpointslices", _READ),
        ("apps", f"controllerrevisions {_SCALED} {_STATUSES}", _READ),
        ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", _READ),
        ("policy", "poddisruptionbudgets poddisruptionbudgets/status", _READ),
        ("networking.k8s.io", "ingresses ingresses/status networkpolicies", _READ),
    ),
    "system:discovery": ((f"/api /api/* /apis /apis/* /openapi /openapi/* {_HEALTH}", "get"),),
    "system:public-info-viewer": ((_HEALTH, "get"),),
    "system:basic-user": (
        ("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
        ("authentication.k8s.io", "selfsubjectreviews", "create"),
    ),
    "system:auth-delegator": (
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    ),
}
_MACHINES: dict[str, Rules] = {
    "system:kube-controller-manager": (("*", "*", "list watch"), ("core", "serviceaccounts/token", "create")),
    "system:kube-scheduler": (
        ("core", "nodes pods", _READ),
        ("core", "pods/binding bindings", "create"),
        ("core", "pods/status", "patch update"),
        _EVENTS,
    ),
    "system:node": (
        ("core", "services pods configmaps secrets serviceaccounts", _READ),
        ("core", "nodes", "create get list patch update watch"),
        ("core", "pods", "create delete"),
        ("core", "nodes/status pods/status", "patch update"),
        ("core", "serviceaccounts/token pods/eviction", "create"),
        ("coordination.k8s.io", "leases", "create delete get patch update"),
        _EVENTS,
    ),
    "system:node-proxier": (
        ("core", "endpoints services", "list watch"),
        ("core", "nodes", _READ),
        ("discovery.k8s.io", "endpointslices", "list watch"),
        _EVENTS,
    ),
}
_CONTROLLERS: dict[str, Rules] = {
    "clusterrole-aggregation-controller": ((GROUP, "clusterroles", f"escalate patch update {_READ}"),),
    "deployment-controller": (
        ("apps", "deployments", f"patch update {_READ}"),
        ("apps", "deployments/status deployments/finalizers", "patch update"),
        ("apps", "replicasets", f"create delete patch update {_READ}"),
        ("core", "pods", f"update {_READ}"),
        _EVENTS,
    ),
    "replicaset-controller": (
        ("apps", "replicasets", f"update {_READ}"),
        ("apps", "replicasets/status replicasets/finalizers", "patch update"),
        ("core", "pods", "create delete list patch watch"),
        _EVENTS,
    ),
    "endpointslice-controller": (
        ("core", "nodes pods services", _READ),
        ("core", "services/finalizers", "update"),
        ("discovery.k8s.io", "endpointslices", f"create delete patch update {_READ}"),
        _EVENTS,
    ),
    "horizontal-pod-autoscaler": (
        ("autoscaling", "horizontalpodautoscalers", _READ),
        ("autoscaling", "horizontalpodautoscalers/status", "patch update"),
        ("*", "*/scale", "get patch update"),
        ("core", "pods", "list watch"),
        _EVENTS,
    ),
    "generic-garbage-collector": (("*", "*", f"delete patch update {_READ}"), _EVENTS),
    "service-account-controller": (("core", "serviceaccounts", "create"), _EVENTS),
    "root-ca-cert-publisher": (("core", "configmaps", "create update"), _EVENTS),
    "namespace-controller": (
        ("core", "namespaces", f"delete {_READ}"),
        ("core", "namespaces/finalize namespaces/status", "update"),
        ("*", "*", f"delete deletecollection {_READ}"),
    ),
}
_AGGREGATED = {"admin": (), "edit": ("admin",), "view": ("edit",)}
"""Roles made of others, and into which of them each goes itself."""

_SUBJECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "cluster-admin": (("Group", MASTERS),),
    "system:basic-user": (("Group", "system:authenticated"),),
    "system:discovery": (("Group", "system:authenticated"),),
    "system:public-info-viewer": (("Group", "system:authenticated"), ("Group", "system:unauthenticated")),
    "system:kube-controller-manager": (("User", "system:kube-controller-manager"),),
    "system:kube-scheduler": (("User", "system:kube-scheduler"),),
    "system:node": (("Group", "system:nodes"),),
    "system:node-proxier": (("User", "system:kube-proxy"),),
}


def objects() -> Iterator[tuple[str, Json]]:
    """Each ClusterRole and ClusterRoleBinding, with the name of its resource."""
    controllers = {f"system:controller:{name}": rules for name, rules in _CONTROLLERS.items()}
    for name, rules in (_PEOPLE | _MACHINES | controllers).items():
        goes_into = name.removeprefix("system:aggregate-to-")
        yield _role(name, (goes_into,) if goes_into != name else (), rules=[_rule(*rule) for rule in rules])
    for name, into in _AGGREGATED.items():
        selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
        yield _role(name, into, aggregationRule={"clusterRoleSelectors": [selector]})
    for name, subjects in _SUBJECTS.items():
        yield _binding(name, [{"apiGroup": GROUP, "kind": kind, "name": who} for kind, who in subjects])
    for name in _CONTROLLERS:
        account = {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}
        yield _binding(f"system:controller:{name}", [account])


def _role(name: str, into: tuple[str, ...], **content: object) -> tuple[str, Json]:
    labels = {f"{_AGGREGATE}{each}": "true" for each in into}
    return "clusterroles", {"metadata": _metadata(name, labels), **content}


def _binding(role: str, subjects: list[Json]) -> tuple[str, Json]:
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}
    return "clusterrolebindings", {
        "metadata": _metadata(role, {}),
        "roleRef": reference,
        "subjects": subjects,
    }


def _metadata(name: str, labels: dict[str, str]) -> Json:
    return {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **labels},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }


def _rule(what: str, *rest: str) -> Json:
    *resources, verbs = rest
    if not resources:
        return {"verbs": verbs.split(), "nonResourceURLs": what.split()}
    groups = [group.replace("core", "") for group in what.split()]
    return {"verbs": verbs.split(), "apiGroups": groups, "resources": resources[0].split()}
