"""Defaults of built-in kinds, as kube-apiserver writes them into every object it accepts.

`set_defaults` runs on each write before field ownership is recorded, so defaults count as the writer's.
What the server itself decides at creation (addresses, phases) is in `lifecycle.py`.
"""

import base64
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.apiserver.resources import Json, ResourceType

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def set_defaults(resource: ResourceType, obj: Json) -> None:
    """Fills in a draft in place."""
    setter = _SETTERS.get((resource.group, resource.kind))
    if setter:
        setter(obj)


def _fill(target: Json, **values: Any) -> Json:
    for name, value in values.items():
        target.setdefault(name, value)
    return target


def _child(target: Json, name: str) -> Json:
    if not isinstance(target.get(name), dict):
        target[name] = {}
    child: Json = target[name]
    return child


def _pod_spec(spec: Json) -> None:
    _fill(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    _fill(spec, securityContext={}, schedulerName="default-scheduler")
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        _container(container)
    for volume in spec.get("volumes", ()):
        _volume(volume)


def _container(container: Json) -> None:
    _fill(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    floating = tag in ("", "latest") and "@" not in image
    container.setdefault("imagePullPolicy", "Always" if floating else "IfNotPresent")
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for probe in (container[name] for name in _PROBES if name in container):
        _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
        if "httpGet" in probe:
            _fill(probe["httpGet"], path="/", scheme="HTTP")
    for variable in container.get("env", ()):
        field = variable.get("valueFrom", {}).get("fieldRef")
        if field is not None:
            field.setdefault("apiVersion", "v1")
    limits = container["resources"].get("limits", {})
    if limits:
        container["resources"]["requests"] = {**limits, **container["resources"].get("requests", {})}


def _volume(volume: Json) -> None:
    sources = volume.keys() - {"name"}
    if not sources:
        volume["emptyDir"] = {}
    for name in ("configMap", "secret", "projected", "downwardAPI"):
        if name in volume:
            volume[name].setdefault("defaultMode", 0o644)


def _template(spec: Json) -> None:
    template = _child(spec, "template")
    _child(template, "metadata")
    _pod_spec(_child(template, "spec"))


def _deployment(obj: Json) -> None:
    spec = _child(obj, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = _child(spec, "strategy")
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        _fill(_child(strategy, "rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _replica_set(obj: Json) -> None:
    spec = _child(obj, "spec")
    spec.setdefault("replicas", 1)
    _template(spec)


def _stateful_set(obj: Json) -> None:
    spec = _child(obj, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", serviceName="")
    _fill(_child(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")
    if _child(spec, "updateStrategy").setdefault("type", "RollingUpdate") == "RollingUpdate":
        _child(spec["updateStrategy"], "rollingUpdate").setdefault("partition", 0)
    for claim in spec.get("volumeClaimTemplates", ()):
        _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
        _child(claim, "spec").setdefault("volumeMode", "Filesystem")
    _template(spec)


def _daemon_set(obj: Json) -> None:
    spec = _child(obj, "spec")
    spec.setdefault("revisionHistoryLimit", 10)
    if _child(spec, "updateStrategy").setdefault("type", "RollingUpdate") == "RollingUpdate":
        _fill(_child(spec["updateStrategy"], "rollingUpdate"), maxUnavailable=1, maxSurge=0)
    _template(spec)


def _pod(obj: Json) -> None:
    spec = _child(obj, "spec")
    spec.setdefault("enableServiceLinks", True)
    _pod_spec(spec)
    for condition in obj.get("status", {}).get("conditions", ()):
        _fill(condition, lastProbeTime=None, lastTransitionTime=None)


def _service(obj: Json) -> None:
    spec = _child(obj, "spec")
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))


def _autoscaler(obj: Json) -> None:
    spec = _child(obj, "spec")
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if "behavior" in spec:
        everyone = {"type": "Percent", "value": 100, "periodSeconds": 15}
        up, down = (_child(spec["behavior"], direction) for direction in ("scaleUp", "scaleDown"))
        four = {"type": "Pods", "value": 4, "periodSeconds": 15}
        _fill(up, selectPolicy="Max", stabilizationWindowSeconds=0, policies=[four, dict(everyone)])
        _fill(down, selectPolicy="Max", policies=[everyone])


def _secret(obj: Json) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", {})
    if plain:
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
        obj["data"] = {**obj.get("data", {}), **encoded}


def _event(obj: Json) -> None:
    _fill(obj, eventTime=None, reportingComponent="", reportingInstance="", source={})


def _namespace(obj: Json) -> None:
    labels = _child(_child(obj, "metadata"), "labels")
    if "name" in obj["metadata"]:
        labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def _ingress(obj: Json) -> None:
    spec = _child(obj, "spec")
    routes = (route for rule in spec.get("rules", ()) for route in rule.get("http", {}).get("paths", ()))
    for backend in (spec.get("defaultBackend", {}), *(route.get("backend", {}) for route in routes)):
        if "resource" in backend:
            backend["resource"].setdefault("apiGroup", None)


def _ingress_class(obj: Json) -> None:
    if "parameters" in obj.get("spec", {}):
        obj["spec"]["parameters"].setdefault("scope", "Cluster")


def _network_policy(obj: Json) -> None:
    spec = _child(obj, "spec")
    _child(spec, "podSelector")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else ())]
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        for port in rule.get("ports", ()):
            port.setdefault("protocol", "TCP")


def _limit_range(obj: Json) -> None:
    limits = _child(obj, "spec").setdefault("limits", None)
    for limit in limits or ():
        if limit.get("type") == "Container":
            default = limit.get("max", {}) | limit.get("default", {})
            request = limit.get("min", {}) | default | limit.get("defaultRequest", {})
            given = {"default": default, "defaultRequest": request}
            limit |= {name: amounts for name, amounts in given.items() if amounts}


def _has_spec(obj: Json) -> None:
    _child(obj, "spec")


def _priority_class(obj: Json) -> None:
    _fill(obj, value=0, preemptionPolicy="PreemptLowerPriority")
    if not obj.get("globalDefault"):
        obj.pop("globalDefault", None)


def _webhooks(obj: Json, **extra: Any) -> None:
    for webhook in obj.get("webhooks", ()):
        _fill(webhook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10, **extra)
        _fill(webhook, namespaceSelector={}, objectSelector={})
        for rule in webhook.get("rules", ()):
            rule.setdefault("scope", "*")
        service = webhook.get("clientConfig", {}).get("service")
        if service is not None:
            service.setdefault("port", 443)


def _definition(obj: Json) -> None:
    spec = _child(obj, "spec")
    names = _child(spec, "names")
    kind = names.get("kind", "")
    _fill(names, singular=kind.lower(), listKind=f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _endpoint_slice(obj: Json) -> None:
    obj.setdefault("endpoints", [])
    obj.setdefault("ports", [])
    for port in obj["ports"]:
        _fill(port, name="", protocol="TCP")


def _role_binding(obj: Json) -> None:
    obj.get("roleRef", {}).setdefault("apiGroup", "rbac.authorization.k8s.io")
    subjects: Iterable[Json] = obj.get("subjects", ())
    for subject in subjects:
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


_SETTERS: dict[tuple[str, str], Callable[[Json], None]] = {
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "Secret"): _secret,
    ("", "Event"): _event,
    ("", "LimitRange"): _limit_range,
    ("", "Namespace"): _namespace,
    ("", "ResourceQuota"): _has_spec,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("networking.k8s.io", "IngressClass"): _ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): _network_policy,
    ("policy", "PodDisruptionBudget"): _has_spec,
    ("scheduling.k8s.io", "PriorityClass"): _priority_class,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _webhooks,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): lambda obj: _webhooks(
        obj, reinvocationPolicy="Never"
    ),
    ("rbac.authorization.k8s.io", "RoleBinding"): _role_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _role_binding,
}
