"""Who owns what: every object of the cluster, of built-in and custom kinds, by uid, owner and namespace.

Filled by one informer for each resource; custom resources are found through their CRDs as these come and go.
Read by the garbage collector and the namespace controller. It keeps a few words of each object, never the
object.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared.cluster import Cluster
from shared.informer import Informer, Key
from shared.resources import (
    CONFIGMAPS,
    CRDS,
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    EVENTS,
    HPAS,
    LEASES,
    NAMESPACES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICASETS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICES,
    STATEFULSETS,
    Resource,
)
from shared.types.meta import Json

SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange")
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")

BUILT_IN = (
    PODS,
    SERVICES,
    CONFIGMAPS,
    SECRETS,
    EVENTS,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    DEPLOYMENTS,
    REPLICASETS,
    DAEMONSETS,
    STATEFULSETS,
    HPAS,
    ENDPOINTSLICES,
    LEASES,
    ENDPOINTS,
    LIMIT_RANGES,
    RESOURCE_QUOTAS,
    INGRESSES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    ROLES,
    ROLE_BINDINGS,
)


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str
    controls: bool
    blocks: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One object."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    owners: tuple[Owner, ...]
    finalizers: tuple[str, ...]
    terminating: bool


def entry(resource: Resource, obj: Json) -> Entry:
    """The few words that are kept of an object."""
    metadata = obj["metadata"]
    return Entry(
        resource=resource,
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata["uid"],
        owners=tuple(
            Owner(
                each["apiVersion"],
                each["kind"],
                each["name"],
                each["uid"],
                bool(each.get("controller")),
                bool(each.get("blockOwnerDeletion")),
            )
            for each in metadata.get("ownerReferences") or ()
        ),
        finalizers=tuple(metadata.get("finalizers") or ()),
        terminating=bool(metadata.get("deletionTimestamp")),
    )


def custom_resource(crd: Json) -> Resource:
    """The resource that a CRD defines, in the version that it is stored in."""
    spec = crd["spec"]
    version = next(each["name"] for each in spec["versions"] if each.get("storage"))
    namespaced = spec["scope"] == "Namespaced"
    return Resource(spec["group"], version, spec["names"]["plural"], spec["names"]["kind"], namespaced)


def _is_established(crd: Json) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


class Inventory:
    """All objects, as informers report them."""

    def __init__(self, cluster: Cluster) -> None:
        self.by_uid: dict[str, Entry] = {}
        self._cluster = cluster
        self._dependents: dict[str, set[str]] = defaultdict(set)
        self._listeners: list[Callable[[Entry, bool], None]] = []
        self._informers: dict[Resource, Informer[Entry]] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}

    def add_listener(self, listener: Callable[[Entry, bool], None]) -> None:
        """Have `listener(entry, present)` called after each change."""
        self._listeners.append(listener)

    def dependents(self, uid: str) -> list[Entry]:
        """Objects that name this owner."""
        return [self.by_uid[each] for each in self._dependents.get(uid, ())]

    def in_namespace(self, namespace: str) -> list[Entry]:
        """Everything in a namespace."""
        return [each for each in self.by_uid.values() if each.namespace == namespace]

    def resource_of(self, owner: Owner) -> Resource | None:
        """The resource of an owner's kind; None if the cluster does not have it, or not yet."""
        group = owner.api_version.rpartition("/")[0]
        return next(
            (each for each in self._informers if (each.group, each.kind) == (group, owner.kind)), None
        )

    @property
    def synced(self) -> bool:
        """Whether every kind has been listed once."""
        return bool(self._informers) and all(each.synced.is_set() for each in self._informers.values())

    async def run(self) -> None:
        """Follow all kinds for ever."""
        crds: Informer[Resource | None] = Informer(
            self._cluster, CRDS, lambda crd: custom_resource(crd) if _is_established(crd) else None
        )
        crds.add_listener(self._on_crd)
        for resource in BUILT_IN:
            self._follow(resource)
        try:
            await crds.run()
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _on_crd(self, _key: Key, old: Resource | None, new: Resource | None) -> None:
        if old is not None and old != new:
            self._unfollow(old)
        if new is not None:
            self._follow(new)

    def _follow(self, resource: Resource) -> None:
        if resource in self._informers:
            return
        informer: Informer[Entry] = Informer(self._cluster, resource, lambda obj: entry(resource, obj))
        informer.add_listener(self._on_object)
        self._informers[resource] = informer
        self._tasks[resource] = asyncio.create_task(informer.run())

    def _unfollow(self, resource: Resource) -> None:
        informer = self._informers.pop(resource, None)
        if informer is None:
            return
        self._tasks.pop(resource).cancel()
        for each in list(informer.cache.values()):
            self._remove(each)

    def _on_object(self, _key: Key, old: Entry | None, new: Entry | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._remove(old)
        if new is not None:
            self._index(self.by_uid.get(new.uid), new)
            self._tell(new, present=True)

    def _index(self, old: Entry | None, new: Entry) -> None:
        for owner in old.owners if old else ():
            self._dependents[owner.uid].discard(new.uid)
        self.by_uid[new.uid] = new
        for owner in new.owners:
            self._dependents[owner.uid].add(new.uid)

    def _remove(self, gone: Entry) -> None:
        self.by_uid.pop(gone.uid, None)
        for owner in gone.owners:
            self._dependents[owner.uid].discard(gone.uid)
            if not self._dependents[owner.uid]:
                del self._dependents[owner.uid]
        self._tell(gone, present=False)

    def _tell(self, changed: Entry, *, present: bool) -> None:
        for listener in self._listeners:
            listener(changed, present)


def blocking(dependents: Iterable[Entry], uid: str) -> list[Entry]:
    """The dependents that an owner deleted in the foreground has to outlive."""
    return [each for each in dependents if any(owner.uid == uid and owner.blocks for owner in each.owners)]
