"""What is served, as clients discover it: `/api`, `/apis`, resource lists, and the aggregated form (v2)."""

import hashlib
from collections.abc import Iterable

from sandbox.apiserver.resources import Catalog, Json, ResourceType

AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

# subresource -> (group, version, kind) of what it takes or gives; the rest are of the resource's own kind
_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "attach": ("", "v1", "PodAttachOptions"),
    "binding": ("", "v1", "Binding"),
    "exec": ("", "v1", "PodExecOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
    "proxy": ("", "v1", "PodProxyOptions"),
}
_VERBS = {
    "attach": ("create", "get"),
    "binding": ("create",),
    "eviction": ("create",),
    "exec": ("create", "get"),
    "finalize": ("update",),
    "log": ("get",),
    "portforward": ("create", "get"),
    "proxy": ("create", "delete", "get", "patch", "update"),
    "token": ("create",),
}
_READ_WRITE = ("get", "patch", "update")


def wants_aggregated(accept: str) -> bool:
    return "as=APIGroupDiscoveryList" in accept and "v=v2;" in accept.replace(" ", "") + ";"


def core_versions(address: str) -> Json:
    """`/api`."""
    clients = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": clients}


def group_list(catalog: Catalog) -> Json:
    """`/apis`."""
    groups = [_group(name, versions) for name, versions in catalog.versions().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def one_group(catalog: Catalog, name: str) -> Json | None:
    """`/apis/{group}`."""
    versions = catalog.versions().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if name and versions else None


def _group(name: str, versions: Iterable[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(catalog: Catalog, group: str, version: str) -> Json | None:
    """`/api/v1` and `/apis/{group}/{version}`."""
    resources = catalog.versions().get(group, {}).get(version)
    if resources is None:
        return None
    listed: list[Json] = []
    for resource in resources:
        listed += [
            _listed(resource),
            *(_listed_subresource(resource, name) for name in resource.subresources),
        ]
    if not group:
        return {"kind": "APIResourceList", "groupVersion": version, "resources": listed}
    group_version = f"{group}/{version}"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _listed(resource: ResourceType) -> Json:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    _add_names(resource, entry)
    if "list" in resource.verbs:
        digest = hashlib.sha256(resource.storage.encode()).hexdigest()
        entry["storageVersionHash"] = digest[:12]
    return entry


def _add_names(resource: ResourceType, entry: Json) -> None:
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)


def _listed_subresource(resource: ResourceType, name: str) -> Json:
    group, version, kind = _KINDS.get(name, ("", "", resource.kind))
    entry: Json = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    if group:
        entry |= {"group": group, "version": version}
    return {**entry, "kind": kind, "verbs": list(_VERBS.get(name, _READ_WRITE))}


def aggregated(catalog: Catalog, *, core: bool) -> Json:
    """`/api` (core) or `/apis` in one document."""
    groups = [(name, versions) for name, versions in catalog.versions().items() if bool(name) != core]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(name, versions) for name, versions in groups],
    }


def _aggregated_group(name: str, versions: dict[str, list[ResourceType]]) -> Json:
    listed = [
        {
            "version": version,
            "resources": [_aggregated_resource(r) for r in resources],
            "freshness": "Current",
        }
        for version, resources in versions.items()
    ]
    return {"metadata": {"name": name} if name else {}, "versions": listed}


def _aggregated_resource(resource: ResourceType) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": {
            "group": resource.group if resource.custom else "",
            "version": "",
            "kind": resource.kind,
        },
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.custom:
        entry["responseKind"]["version"] = resource.version
    _add_names(resource, entry)
    if resource.subresources:
        entry["subresources"] = [_aggregated_subresource(resource, name) for name in resource.subresources]
    return entry


def _aggregated_subresource(resource: ResourceType, name: str) -> Json:
    own = (resource.group, resource.version) if resource.custom else ("", "")
    group, version, kind = _KINDS.get(name, (*own, resource.kind))
    shown = {"group": group, "version": version if group else "", "kind": kind}
    return {"subresource": name, "responseKind": shown, "verbs": list(_VERBS.get(name, _READ_WRITE))}
