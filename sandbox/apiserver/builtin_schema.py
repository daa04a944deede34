"""Structural schemas of the built-in kinds, in the form CRDs use: `builtin_types.json` and the tables below.

With this, field checks, pruning, field ownership, strategic merge and OpenAPI treat built-in and custom kinds
alike. The tables hold what the types do not tell: which lists are keyed, and which values are owned as a
whole.
"""

from functools import cache
from pathlib import Path
from typing import Any

import orjson

from sandbox.apiserver.gotypes import DEFINITION
from sandbox.apiserver.resources import Json

TYPES: dict[str, dict[str, str]] = orjson.loads(Path(__file__).with_name("builtin_types.json").read_bytes())

MERGE_KEY = "x-kubernetes-patch-merge-key"
"""The key by which a strategic merge patch matches list items; "" for lists of scalars that merge as a set.
"""

_SCALARS: dict[str, Json] = {
    "str": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
    "int": {"type": "integer", "format": "int32"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "object": {"x-kubernetes-int-or-string": True},
    "quantity": {"x-kubernetes-int-or-string": True, "format": "quantity"},
}
_FREE_FORM: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

_QUANTITIES = {
    "limits", "requests", "capacity", "allocatable", "allocatedResources", "averageValue", "divisor",
    "sizeLimit", "overhead", "hard", "used", "V2MetricTarget.value", "V2MetricValueStatus.value",
    "V1LimitRangeItem.default", "V1LimitRangeItem.defaultRequest", "V1LimitRangeItem.max",
    "V1LimitRangeItem.maxLimitRequestRatio", "V1LimitRangeItem.min",
}  # fmt: skip

_INT64 = {
    "generation", "observedGeneration", "deletionGracePeriodSeconds", "terminationGracePeriodSeconds",
    "activeDeadlineSeconds", "tolerationSeconds", "expirationSeconds", "runAsUser", "runAsGroup", "fsGroup",
    "gracePeriodSeconds", "sizeBytes", "remainingItemCount", "supplementalGroups", "user",
}  # fmt: skip

# type.field -> (keys by which items are told apart, key by which a strategic merge matches them)
_KEYED_LISTS: dict[str, tuple[tuple[str, ...], str]] = {
    "V1ObjectMeta.ownerReferences": (("uid",), "uid"),
    "V1PodSpec.containers": (("name",), "name"),
    "V1PodSpec.initContainers": (("name",), "name"),
    "V1PodSpec.ephemeralContainers": (("name",), "name"),
    "V1PodSpec.volumes": (("name",), "name"),
    "V1PodSpec.imagePullSecrets": (("name",), "name"),
    "V1PodSpec.hostAliases": (("ip",), "ip"),
    "V1PodSpec.topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"), "topologyKey"),
    "V1PodStatus.conditions": (("type",), "type"),
    "V1PodStatus.podIPs": (("ip",), "ip"),
    "V1Container.env": (("name",), "name"),
    "V1Container.ports": (("containerPort", "protocol"), "containerPort"),
    "V1Container.volumeMounts": (("mountPath",), "mountPath"),
    "V1Container.volumeDevices": (("devicePath",), "devicePath"),
    "V1ServiceSpec.ports": (("port", "protocol"), "port"),
    "V1ServiceStatus.conditions": (("type",), "type"),
    "V1ServiceAccount.secrets": (("name",), "name"),
    "V1NodeStatus.addresses": (("type",), "type"),
    "V1NodeStatus.conditions": (("type",), "type"),
    "V1NamespaceStatus.conditions": (("type",), "type"),
    "V1DeploymentStatus.conditions": (("type",), "type"),
    "V1ReplicaSetStatus.conditions": (("type",), "type"),
    "V1StatefulSetStatus.conditions": (("type",), "type"),
    "V1DaemonSetStatus.conditions": (("type",), "type"),
    "V2HorizontalPodAutoscalerStatus.conditions": (("type",), "type"),
    "V1PodDisruptionBudgetStatus.conditions": (("type",), "type"),
    "V1CustomResourceDefinitionStatus.conditions": (("type",), "type"),
    "V1MutatingWebhookConfiguration.webhooks": (("name",), "name"),
    "V1ValidatingWebhookConfiguration.webhooks": (("name",), "name"),
    "V1MutatingWebhook.matchConditions": (("name",), "name"),
    "V1ValidatingWebhook.matchConditions": (("name",), "name"),
}
_SETS = {"V1ObjectMeta.finalizers"}

# Types and fields that have one owner as a whole.
_ATOMICTYPES = {
    "V1LabelSelector", "V1ObjectReference", "V1OwnerReference", "V1LocalObjectReference",
    "V1TypedLocalObjectReference",
    "V1ConfigMapKeySelector", "V1SecretKeySelector", "V1ObjectFieldSelector", "V1ResourceFieldSelector",
    "V1NodeSelector", "V1NodeSelectorTerm", "V1EndpointAddress", "V1SecretReference", "V1JSONSchemaProps",
    "V1ScopeSelector", "V1ServiceBackendPort",
}  # fmt: skip
_ATOMIC_FIELDS = {"V1PodSpec.nodeSelector", "V1ServiceSpec.selector"}

# Recursive or free-form types, which are kept as they come.
_OPAQUETYPES = {"V1JSONSchemaProps", "V1FieldsV1"}


@cache
def definition_schema(definition: str) -> Json:
    """The schema of a type of the table, `V1Deployment` for example. Shared: not to be changed."""
    if definition in _OPAQUETYPES:
        schema = dict(_FREE_FORM)
    else:
        fields = TYPES[definition].items()
        schema = {
            "type": "object",
            "properties": {name: _field(definition, name, expression) for name, expression in fields},
            DEFINITION: definition,
        }
    if definition in _ATOMICTYPES:
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def is_quantity(definition: str, field: str) -> bool:
    """Whether a field holds quantities, which people write as `cpu: 1` as well as `cpu: "1"`."""
    return field in _QUANTITIES or f"{definition}.{field}" in _QUANTITIES


def metadata_schema() -> Json:
    return definition_schema("V1ObjectMeta")


def _field(owner: str, name: str, expression: str) -> Json:
    where = f"{owner}.{name}"
    if name == "fieldsV1" or (name == "status" and expression == "object"):
        return _FREE_FORM
    schema = dict(_expression(expression, quantity=is_quantity(owner, name)))
    if name in _INT64 and schema.get("format") == "int32":
        schema["format"] = "int64"
    if where in _KEYED_LISTS:
        keys, merge_key = _KEYED_LISTS[where]
        schema |= {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(keys),
            MERGE_KEY: merge_key,
        }
    elif where in _SETS:
        schema |= {"x-kubernetes-list-type": "set", MERGE_KEY: ""}
    elif where in _ATOMIC_FIELDS:
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def _expression(expression: str, *, quantity: bool = False) -> Json:
    container, bracket, rest = expression.partition("[")
    if not bracket:
        if expression in _SCALARS:
            return _SCALARS["quantity" if quantity and expression == "str" else expression]
        return definition_schema(expression)
    inner = rest.removesuffix("]")
    if container == "List":
        return {"type": "array", "items": _items(inner)}
    values = inner.removeprefix("str, ")
    return {"type": "object", "additionalProperties": _expression(values, quantity=quantity)}


def _items(inner: str) -> Json:
    return _FREE_FORM if inner == "object" else _expression(inner)


def empty_of(kind: str) -> dict[str, Any]:
    """The zero value of a built-in kind: parts that are always there, so that nobody owns them."""
    template: Json = {"metadata": {}, "spec": {"containers": None}}
    inner: dict[str, Json] = {
        "Deployment": {"strategy": {}, "template": template},
        "ReplicaSet": {"template": template},
        "StatefulSet": {"template": template, "updateStrategy": {}},
        "DaemonSet": {"template": template, "updateStrategy": {}},
        "Pod": {"containers": None},
        "HorizontalPodAutoscaler": {"scaleTargetRef": {}},
        "CustomResourceDefinition": {"names": {}, "versions": None},
    }
    outer: dict[str, Json] = {
        "Event": {
            "source": {}, "involvedObject": {}, "eventTime": None, "reportingComponent": "",
            "reportingInstance": "",
        }
    }  # fmt: skip
    return {"metadata": {}, "spec": inner.get(kind, {}), "status": {}, **outer.get(kind, {})}
