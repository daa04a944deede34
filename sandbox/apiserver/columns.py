"""The columns that built-in kinds are printed with: `name, type, priority` each, and a function that makes
the cells.

Priority 1 columns are shown by `kubectl get -o wide` only. Used by `tables.py`.
"""

from typing import Any

from sandbox.apiserver import workload_columns
from sandbox.apiserver.ages import age
from sandbox.apiserver.cells import NONE, Cells, Columns, age_of, columns, name
from sandbox.apiserver.resources import Json
from sandbox.apiserver.selectors import selector_text

_SHOWN_ADDRESSES = 3


def _service(obj: Json) -> list[Any]:
    spec = obj["spec"]
    ports = ",".join(map(_port, spec.get("ports", ()))) or NONE
    selector = selector_text({"matchLabels": spec.get("selector", {})}) or NONE
    address = spec.get("clusterIP") or NONE
    external = _external(spec, obj.get("status", {}))
    return [name(obj), spec.get("type"), address, external, ports, age_of(obj), selector]


def _external(spec: Json, status: Json) -> str:
    """Where a Service is reached from outside."""
    outside = ",".join(spec.get("externalIPs", ()))
    if spec.get("type") == "ExternalName":
        return spec.get("externalName") or NONE
    if spec.get("type") != "LoadBalancer":
        return outside or NONE
    points = status.get("loadBalancer", {}).get("ingress", ())
    return (
        ",".join(point.get("ip") or point.get("hostname", "") for point in points) or outside or "<pending>"
    )


def _port(port: Json) -> str:
    on_nodes = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{on_nodes}/{port.get('protocol', 'TCP')}"


def _budget(obj: Json) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    bounds = [str(spec.get(bound, "N/A")) for bound in ("minAvailable", "maxUnavailable")]
    return [name(obj), *bounds, status.get("disruptionsAllowed", 0), age_of(obj)]


def _network_policy(obj: Json) -> list[Any]:
    return [name(obj), selector_text(obj["spec"]["podSelector"]) or NONE, age_of(obj)]


def _priority_class(obj: Json) -> list[Any]:
    is_default = obj.get("globalDefault", False)
    return [name(obj), obj["value"], is_default, age_of(obj), obj["preemptionPolicy"]]


def _quota(obj: Json) -> list[Any]:
    """What is used of what may be: requests and counts in one column, limits in the other."""
    status = obj.get("status", {})
    used = status.get("used", {})
    shown: tuple[list[str], list[str]] = ([], [])
    for resource, most in sorted(status.get("hard", {}).items()):
        column = shown[1] if resource.startswith("limits.") else shown[0]
        column.append(f"{resource}: {used.get(resource, 0)}/{most}")
    return [name(obj), *(", ".join(column) for column in shown), age_of(obj)]


def _created(obj: Json) -> list[Any]:
    return [name(obj), obj["metadata"].get("creationTimestamp")]


def _binding(obj: Json) -> list[Any]:
    about = obj.get("roleRef", {})
    of_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects", ()):
        prefix = f"{subject.get('namespace', '')}/" if subject["kind"] == "ServiceAccount" else ""
        of_kind[subject["kind"]].append(prefix + subject["name"])
    subjects = [", ".join(names) for names in of_kind.values()]
    return [name(obj), f"{about.get('kind')}/{about.get('name')}", age_of(obj), *subjects]


def _scale(obj: Json) -> list[Any]:
    return [name(obj), obj["spec"].get("replicas", 0), obj["status"].get("replicas", 0), age_of(obj)]


def _ingress_class(obj: Json) -> list[Any]:
    spec = obj.get("spec", {})
    about = spec.get("parameters", {})
    group = f".{about['apiGroup']}" if about.get("apiGroup") else ""
    shown = f"{about.get('kind')}{group}/{about.get('name')}" if about else NONE
    return [name(obj), spec.get("controller", ""), shown, age_of(obj)]


def _autoscaler(obj: Json) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    target = f"{spec['scaleTargetRef'].get('kind')}/{spec['scaleTargetRef'].get('name')}"
    current = status.get("currentMetrics") or []
    metrics = ", ".join(
        _metric(m, current[i] if i < len(current) else {}) for i, m in enumerate(spec.get("metrics", ()))
    )
    sizes = [
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas"),
        status.get("currentReplicas", 0),
    ]
    return [name(obj), target, metrics or NONE, *sizes, age_of(obj)]


def _metric(metric: Json, current: Json) -> str:
    source = metric.get("resource")
    if source is None:
        return f"<unknown>/{metric['type']}"
    used = current.get("resource", {}).get("current", {})
    target = source["target"]
    if "averageUtilization" in target:
        now = f"{used['averageUtilization']}%" if "averageUtilization" in used else "<unknown>"
        return f"{source['name']}: {now}/{target['averageUtilization']}%"
    return f"{source['name']}: {used.get('averageValue', '<unknown>')}/{target.get('averageValue')}"


def _node(obj: Json) -> list[Any]:
    status = obj.get("status", {})
    ready = {c["type"]: c["status"] for c in status.get("conditions", ())}.get("Ready")
    roles = [
        label.partition("/")[2]
        for label in obj["metadata"].get("labels", {})
        if label.startswith("node-role.")
    ]
    addresses = {a["type"]: a["address"] for a in status.get("addresses", ())}
    info = status.get("nodeInfo", {})
    return [
        name(obj), {"True": "Ready", None: "Unknown"}.get(ready, "NotReady"), ",".join(roles) or NONE,
        age_of(obj), info.get("kubeletVersion", ""), addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE), info.get("osImage", "<unknown>"),
        info.get("kernelVersion", "<unknown>"), info.get("containerRuntimeVersion", "<unknown>"),
    ]  # fmt: skip


def _event(obj: Json) -> list[Any]:
    about = obj.get("involvedObject", {})
    seen = obj.get("lastTimestamp") or obj.get("eventTime") or obj["metadata"].get("creationTimestamp")
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    source = obj.get("source", {}).get("component") or obj.get("reportingComponent", "")
    return [
        age(seen), obj.get("type", ""), obj.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}", obj.get("message", "").strip(),
        about.get("fieldPath", ""), source, age(first), obj.get("count", 1), name(obj),
    ]  # fmt: skip


def _endpoint_slice(obj: Json) -> list[Any]:
    ports = ",".join(str(port.get("port", "*")) for port in obj.get("ports", ()))
    addresses = [
        address for endpoint in obj.get("endpoints", ()) for address in endpoint.get("addresses", ())
    ]
    more = len(addresses) - _SHOWN_ADDRESSES
    shown = ",".join(addresses[:_SHOWN_ADDRESSES]) + (f" + {more} more..." if more > 0 else "")
    return [name(obj), obj.get("addressType"), ports or "<unset>", shown or "<unset>", age_of(obj)]


def _endpoints(obj: Json) -> list[Any]:
    pairs = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets", ())
        for address in subset.get("addresses", ())
        for port in subset.get("ports", ())
    ]
    return [name(obj), ",".join(pairs[:_SHOWN_ADDRESSES]) or NONE, age_of(obj)]


def _ingress(obj: Json) -> list[Any]:
    spec = obj.get("spec", {})
    hosts = ",".join(rule.get("host", "*") for rule in spec.get("rules", ())) or "*"
    points = obj.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    address = ",".join(point.get("ip") or point.get("hostname", "") for point in points)
    ports = "80, 443" if spec.get("tls") else "80"
    return [name(obj), spec.get("ingressClassName", NONE), hosts, address, ports, age_of(obj)]


def _count(field: str) -> Cells:
    return lambda obj: [name(obj), len(obj.get(field) or ()), age_of(obj)]


_WIDE_TEMPLATE = "Containers Images Selector"
NAME_AND_AGE: tuple[Columns, Cells] = (columns("Name Age"), lambda obj: [name(obj), age_of(obj)])
_WEBHOOKS: tuple[Columns, Cells] = (columns("Name Webhooks:integer Age"), _count("webhooks"))
_CREATED: tuple[Columns, Cells] = (columns("Name Created_At:date"), _created)
_BINDINGS: tuple[Columns, Cells] = (columns("Name Role Age", "Users Groups ServiceAccounts"), _binding)

BUILT_IN: dict[tuple[str, str], tuple[Columns, Cells]] = {
    ("", "Pod"): (
        columns("Name Ready Status Restarts Age", "IP Node Nominated_Node Readiness_Gates"),
        workload_columns.pod,
    ),
    ("", "Service"): (columns("Name Type Cluster-IP External-IP Port(s) Age", "Selector"), _service),
    ("", "Namespace"): (
        columns("Name Status Age"),
        lambda obj: [name(obj), obj.get("status", {}).get("phase", ""), age_of(obj)],
    ),
    ("", "Node"): (
        columns(
            "Name Status Roles Age Version",
            "Internal-IP External-IP OS-Image Kernel-Version Container-Runtime"
        ),
        _node,
    ),
    ("", "LimitRange"): _CREATED,
    ("", "ResourceQuota"): (columns("Name Request Limit Age"), _quota),
    ("", "ConfigMap"): (columns("Name Data:integer Age"), _count("data")),
    ("", "Secret"): (
        columns("Name Type Data:integer Age"),
        lambda obj: [name(obj), obj.get("type", ""), len(obj.get("data") or ()), age_of(obj)],
    ),
    ("", "Endpoints"): (columns("Name Endpoints Age"), _endpoints),
    ("", "Event"): (
        (
            *columns("Last_Seen Type Reason Object"), ("Message", "string", 0),
            *columns("", "Subobject Source First_Seen Count:integer Name"),
        ),
        _event,
    ),
    ("apps", "Deployment"): (
        columns("Name Ready Up-to-date Available Age", _WIDE_TEMPLATE), workload_columns.deployment
    ),
    ("apps", "ReplicaSet"): (
        columns("Name Desired:integer Current:integer Ready:integer Age", _WIDE_TEMPLATE),
        workload_columns.replica_set,
    ),
    ("apps", "DaemonSet"): (
        columns(
            "Name Desired:integer Current:integer Ready:integer Up-to-date:integer Available:integer "
            "Node_Selector Age", _WIDE_TEMPLATE
        ),
        workload_columns.daemon_set,
    ),
    ("apps", "StatefulSet"): (columns("Name Ready Age", "Containers Images"), workload_columns.stateful_set),
    ("autoscaling", "Scale"): (columns("Name Desired:integer Available:integer Age"), _scale),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        columns("Name Reference Targets MinPods MaxPods:integer Replicas:integer Age"), _autoscaler
    ),
    ("discovery.k8s.io", "EndpointSlice"): (
        columns("Name AddressType Ports Endpoints Age"), _endpoint_slice
    ),
    ("coordination.k8s.io", "Lease"): (
        columns("Name Holder Age"),
        lambda obj: [name(obj), obj.get("spec", {}).get("holderIdentity", ""), age_of(obj)],
    ),
    ("networking.k8s.io", "Ingress"): (columns("Name Class Hosts Address Ports Age"), _ingress),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _CREATED,
    ("rbac.authorization.k8s.io", "ClusterRole"): _CREATED,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDINGS,
    ("rbac.authorization.k8s.io", "Role"): _CREATED,
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDINGS,
    ("networking.k8s.io", "IngressClass"): (columns("Name Controller Parameters Age"), _ingress_class),
    ("networking.k8s.io", "NetworkPolicy"): (columns("Name Pod-Selector Age"), _network_policy),
    ("scheduling.k8s.io", "PriorityClass"): (
        columns("Name Value:integer Global-Default:boolean Age PreemptionPolicy"), _priority_class
    ),
    ("policy", "PodDisruptionBudget"): (
        columns("Name Min_Available Max_Unavailable Allowed_Disruptions:integer Age"), _budget
    ),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
}  # fmt: skip
