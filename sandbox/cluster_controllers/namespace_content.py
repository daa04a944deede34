"""What every namespace has from its start: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`.

In a real cluster each has a controller of its own; whoever deletes one of them gets it back.
"""

from sandbox.cluster_controllers.inventory import SERVICE_ACCOUNTS, Entry, Inventory
from shared.cluster import Cluster
from shared.errors import AlreadyExists, Forbidden, NotFound
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import CONFIGMAPS, NAMESPACES, Resource
from shared.types.meta import Json


def default_account() -> Json:
    """The account of pods that name none."""
    return {"apiVersion": "v1", "kind": SERVICE_ACCOUNTS.kind, "metadata": {"name": "default"}}


def root_certificates(authority: str) -> Json:
    """What pods trust the API server by. `authority` is in PEM."""
    about = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints"
    more = "such as the internal service IP or kubernetes.default.svc."
    usage = "No other usage is guaranteed across distributions of Kubernetes clusters."
    annotations = {"kubernetes.io/description": f"{about} {more} {usage}"}
    return {
        "apiVersion": "v1",
        "kind": CONFIGMAPS.kind,
        "metadata": {"name": "kube-root-ca.crt", "annotations": annotations},
        "data": {"ca.crt": authority},
    }


class NamespaceContentController:
    """Keeps an object in all namespaces. Its queue holds ("", namespace)."""

    def __init__(self, cluster: Cluster, inventory: Inventory, resource: Resource, wanted: Json) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._resource = resource
        self._wanted = wanted
        self._namespaces: set[str] = set()
        inventory.add_listener(self._on_object)

    def _on_object(self, changed: Entry, present: bool) -> None:  # noqa: FBT001 - the listener's signature
        if changed.resource == NAMESPACES:
            if not present or changed.terminating:
                self._namespaces.discard(changed.name)
            elif changed.name not in self._namespaces:
                self._namespaces.add(changed.name)
                self.queue.add(("", changed.name))
        elif (changed.resource, changed.name) == (self._resource, self._wanted["metadata"]["name"]):
            if not present:
                self.queue.add(("", changed.namespace))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over a namespace."""
        namespace = key[1]
        if namespace in self._namespaces:
            metadata = {**self._wanted["metadata"], "namespace": namespace}
            try:
                await self._cluster.create(self._resource, {**self._wanted, "metadata": metadata})
            except (AlreadyExists, Forbidden, NotFound):
                return None  # it is there, or the namespace is going away or gone
        return None
