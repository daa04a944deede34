"""The columns that built-in kinds are printed with: `name, type, priority` each, and a function that makes
the cells.

Priority 1 columns are shown by `kubectl get -o wide` only. Used by `tables.py`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sandbox.apiserver.ages import age
from sandbox.apiserver.resources import Json
from sandbox.apiserver.selectors import selector_text

Cells = Callable[[Json], list[Any]]
Columns = tuple[tuple[str, str, int], ...]

_NONE = "<none>"
_SHOWN_ADDRESSES = 3


def _columns(plain: str, wide: str = "") -> Columns:
    """From `Name Ready:integer` (type string unless said); underscores are spaces."""
    parsed = []
    for priority, words in enumerate((plain, wide)):
        for word in words.split():
            name, _, kind = word.partition(":")
            parsed.append((name.replace("_", " "), kind or "string", priority))
    return tuple(parsed)


def _name(obj: Json) -> str:
    return str(obj["metadata"]["name"])


def _age(obj: Json) -> str:
    return age(obj["metadata"].get("creationTimestamp"))


def _names(items: Iterable[Json], key: str) -> str:
    return ",".join(str(item.get(key, "")) for item in items)


def _template(obj: Json) -> list[Any]:
    containers = obj["spec"]["template"]["spec"].get("containers", ())
    return [
        _names(containers, "name"),
        _names(containers, "image"),
        selector_text(obj["spec"].get("selector", {})),
    ]


def _deployment(obj: Json) -> list[Any]:
    status = obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [_name(obj), ready, *counts, _age(obj), *_template(obj)]


def _replica_set(obj: Json) -> list[Any]:
    status = obj.get("status", {})
    counts = [obj["spec"].get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *counts, _age(obj), *_template(obj)]


def _stateful_set(obj: Json) -> list[Any]:
    ready = f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    return [_name(obj), ready, _age(obj), *_template(obj)[:2]]


def _pod(obj: Json) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    containers = status.get("containerStatuses", [])
    ready = f"{sum(bool(c.get('ready')) for c in containers)}/{len(spec.get('containers', ()))}"
    return [
        _name(obj), ready, _pod_phase(obj), _restarts(containers), _age(obj), status.get("podIP", _NONE),
        spec.get("nodeName", _NONE), status.get("nominatedNodeName") or _NONE, _NONE,
    ]  # fmt: skip


def _pod_phase(obj: Json) -> str:
    """The reason that says most: why a container waits or ended, before the pod's phase."""
    status = obj.get("status", {})
    phase = str(status.get("reason") or status.get("phase", "Unknown"))
    for container in status.get("containerStatuses", ()):
        state = container.get("state", {})
        if "waiting" in state:
            phase = state["waiting"].get("reason") or phase
        elif "terminated" in state:
            ended = state["terminated"]
            phase = ended.get("reason") or f"ExitCode:{ended.get('exitCode', 0)}"
    return "Terminating" if "deletionTimestamp" in obj["metadata"] else phase


def _restarts(containers: list[Json]) -> str:
    ended = [c.get("lastState", {}).get("terminated", {}).get("finishedAt", "") for c in containers]
    total = sum(c.get("restartCount", 0) for c in containers)
    last = max(filter(None, ended), default="")
    return f"{total} ({age(last)} ago)" if total and last else str(total)


def _service(obj: Json) -> list[Any]:
    spec = obj["spec"]
    ports = (
        ",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in spec.get("ports", ())) or _NONE
    )
    selector = selector_text({"matchLabels": spec.get("selector", {})}) or _NONE
    address = spec.get("clusterIP") or _NONE
    external = spec.get("externalName") or ",".join(spec.get("externalIPs", ())) or _NONE
    return [_name(obj), spec.get("type"), address, external, ports, _age(obj), selector]


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
    return [_name(obj), target, metrics or _NONE, *sizes, _age(obj)]


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
        _name(obj), {"True": "Ready", None: "Unknown"}.get(ready, "NotReady"), ",".join(roles) or _NONE,
        _age(obj), info.get("kubeletVersion", ""), addresses.get("InternalIP", _NONE),
        addresses.get("ExternalIP", _NONE), info.get("osImage", "<unknown>"),
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
        about.get("fieldPath", ""), source, age(first), obj.get("count", 1), _name(obj),
    ]  # fmt: skip


def _endpoint_slice(obj: Json) -> list[Any]:
    ports = ",".join(str(port.get("port", "*")) for port in obj.get("ports", ()))
    addresses = [
        address for endpoint in obj.get("endpoints", ()) for address in endpoint.get("addresses", ())
    ]
    more = len(addresses) - _SHOWN_ADDRESSES
    shown = ",".join(addresses[:_SHOWN_ADDRESSES]) + (f" + {more} more..." if more > 0 else "")
    return [_name(obj), obj.get("addressType"), ports or "<unset>", shown or "<unset>", _age(obj)]


def _endpoints(obj: Json) -> list[Any]:
    pairs = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets", ())
        for address in subset.get("addresses", ())
        for port in subset.get("ports", ())
    ]
    return [_name(obj), ",".join(pairs[:_SHOWN_ADDRESSES]) or _NONE, _age(obj)]


def _ingress(obj: Json) -> list[Any]:
    spec = obj.get("spec", {})
    hosts = ",".join(rule.get("host", "*") for rule in spec.get("rules", ())) or "*"
    points = obj.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    address = ",".join(point.get("ip") or point.get("hostname", "") for point in points)
    ports = "80, 443" if spec.get("tls") else "80"
    return [_name(obj), spec.get("ingressClassName", _NONE), hosts, address, ports, _age(obj)]


def _count(field: str) -> Cells:
    return lambda obj: [_name(obj), len(obj.get(field) or ()), _age(obj)]


_WIDE_TEMPLATE = "Containers Images Selector"
NAME_AND_AGE: tuple[Columns, Cells] = (_columns("Name Age"), lambda obj: [_name(obj), _age(obj)])
_WEBHOOKS: tuple[Columns, Cells] = (_columns("Name Webhooks:integer Age"), _count("webhooks"))

BUILT_IN: dict[tuple[str, str], tuple[Columns, Cells]] = {
    ("", "Pod"): (_columns("Name Ready Status Restarts Age", "IP Node Nominated_Node Readiness_Gates"), _pod),
    ("", "Service"): (_columns("Name Type Cluster-IP External-IP Port(s) Age", "Selector"), _service),
    ("", "Namespace"): (
        _columns("Name Status Age"),
        lambda obj: [_name(obj), obj.get("status", {}).get("phase", ""), _age(obj)],
    ),
    ("", "Node"): (
        _columns(
            "Name Status Roles Age Version",
            "Internal-IP External-IP OS-Image Kernel-Version Container-Runtime"
        ),
        _node,
    ),
    ("", "ConfigMap"): (_columns("Name Data:integer Age"), _count("data")),
    ("", "Secret"): (
        _columns("Name Type Data:integer Age"),
        lambda obj: [_name(obj), obj.get("type", ""), len(obj.get("data") or ()), _age(obj)],
    ),
    ("", "ServiceAccount"): NAME_AND_AGE,
    ("", "Endpoints"): (_columns("Name Endpoints Age"), _endpoints),
    ("", "Event"): (
        (
            *_columns("Last_Seen Type Reason Object"), ("Message", "string", 0),
            *_columns("", "Subobject Source First_Seen Count:integer Name"),
        ),
        _event,
    ),
    ("apps", "Deployment"): (_columns("Name Ready Up-to-date Available Age", _WIDE_TEMPLATE), _deployment),
    ("apps", "ReplicaSet"): (
        _columns("Name Desired:integer Current:integer Ready:integer Age", _WIDE_TEMPLATE), _replica_set
    ),
    ("apps", "StatefulSet"): (_columns("Name Ready Age", "Containers Images"), _stateful_set),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        _columns("Name Reference Targets MinPods MaxPods:integer Replicas:integer Age"), _autoscaler
    ),
    ("discovery.k8s.io", "EndpointSlice"): (
        _columns("Name AddressType Ports Endpoints Age"), _endpoint_slice
    ),
    ("coordination.k8s.io", "Lease"): (
        _columns("Name Holder Age"),
        lambda obj: [_name(obj), obj.get("spec", {}).get("holderIdentity", ""), _age(obj)],
    ),
    ("networking.k8s.io", "Ingress"): (_columns("Name Class Hosts Address Ports Age"), _ingress),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        _columns("Name Created_At"),
        lambda obj: [_name(obj), obj["metadata"]["creationTimestamp"]],
    ),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
}  # fmt: skip
