"""Namespaces: one that is deleted is emptied, then let go.

The API server marks it as terminating and refuses new objects in it; this loop deletes what is left, and
finalises it.
"""

from sandbox.cluster_controllers.inventory import Entry, Inventory
from sandbox.cluster_controllers.worker import together
from shared.cluster import Cluster
from shared.errors import Conflict, NotFound
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import NAMESPACES

_LOOK_AGAIN_SECONDS = 0.2


class NamespaceController:
    """Empties and finalises terminating namespaces. Its queue holds ("", namespace)."""

    def __init__(self, cluster: Cluster, inventory: Inventory) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._inventory = inventory
        self._terminating: set[str] = set()
        inventory.add_listener(self._on_object)

    def _on_object(self, changed: Entry, present: bool) -> None:  # noqa: FBT001 - the listener's signature
        if changed.resource == NAMESPACES:
            if present and changed.terminating:
                self._terminating.add(changed.name)
                self.queue.add(("", changed.name))
            elif not present:
                self._terminating.discard(changed.name)
        elif changed.namespace in self._terminating:
            self.queue.add(("", changed.namespace))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over a terminating namespace."""
        name = key[1]
        if name not in self._terminating:
            return None
        if not self._inventory.synced:
            return _LOOK_AGAIN_SECONDS
        left = self._inventory.in_namespace(name)
        await together(*(self._delete(each) for each in left if not each.terminating))
        if left:
            return None  # each object that goes wakes this loop again
        await self._finalize(name)
        return None

    async def _delete(self, found: Entry) -> None:
        try:
            await self._cluster.delete(found.resource, found.name, found.namespace, uid=found.uid)
        except (NotFound, Conflict):
            return  # it is gone already

    async def _finalize(self, name: str) -> None:
        try:
            namespace = await self._cluster.get(NAMESPACES, name)
            if namespace["metadata"].get("deletionTimestamp"):
                namespace["spec"]["finalizers"] = []
                await self._cluster.replace(NAMESPACES, namespace, subresource="finalize")
        except NotFound:
            return  # it is gone already
