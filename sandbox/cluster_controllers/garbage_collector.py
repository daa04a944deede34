"""Garbage collection: an object goes when the last of its owners has gone.

Background deletion needs no mark: dependents whose owner's uid is missing are deleted. An owner deleted in
the foreground or with its dependents orphaned carries a finalizer, taken off when they are gone or released.
Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from sandbox.cluster_controllers.inventory import Entry, Inventory, Owner, blocking
from sandbox.cluster_controllers.worker import together
from shared.cluster import Cluster
from shared.errors import Conflict, NotFound
from shared.informer import Key
from shared.queue import KeyQueue

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_UNSYNCED_SECONDS = 0.2


class GarbageCollector:
    """Deletes what has lost its owners. Its queue holds uids, as ("", uid)."""

    def __init__(self, cluster: Cluster, inventory: Inventory) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._inventory = inventory
        inventory.add_listener(self._on_object)

    def _on_object(self, changed: Entry, present: bool) -> None:  # noqa: FBT001 - the listener's signature
        if present:
            if changed.owners or changed.finalizers:
                self.queue.add(("", changed.uid))
            return
        for dependent in self._inventory.dependents(changed.uid):
            self.queue.add(("", dependent.uid))
        for owner in changed.owners:
            self.queue.add(("", owner.uid))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over an object, by its uid."""
        found = self._inventory.by_uid.get(key[1])
        if found is None:
            return None
        if not self._inventory.synced:
            return _UNSYNCED_SECONDS  # an owner that has not been listed yet is not missing
        if found.terminating and ORPHAN in found.finalizers:
            await together(
                *(self._release(each, found.uid) for each in self._inventory.dependents(found.uid))
            )
            await self._finalize(found, ORPHAN)
        elif found.terminating and FOREGROUND in found.finalizers:
            await self._delete_dependents_of(found)
        elif not found.terminating and found.owners:
            await self._judge(found)
        return None

    async def _delete_dependents_of(self, owner: Entry) -> None:
        dependents = self._inventory.dependents(owner.uid)
        await together(*(self._delete(each) for each in dependents if not each.terminating))
        if not blocking(dependents, owner.uid):
            await self._finalize(owner, FOREGROUND)

    async def _judge(self, found: Entry) -> None:
        """Delete an object without owners; let go of missing ones if others are left."""
        missing = [owner for owner in found.owners if await self._is_missing(found, owner)]
        if len(missing) == len(found.owners):
            await self._delete(found)
            return
        for owner in missing:
            await self._release(found, owner.uid)

    async def _is_missing(self, found: Entry, owner: Owner) -> bool:
        if owner.uid in self._inventory.by_uid:
            return False
        resource = self._inventory.resource_of(owner)
        if resource is None:
            return False  # an unknown kind may be known later: nothing is deleted on a guess
        # Absence from a cache may be lag: ask the server before something is deleted for it.
        try:
            current = await self._cluster.get(
                resource, owner.name, found.namespace if resource.namespaced else None
            )
        except NotFound:
            return True
        return bool(current["metadata"]["uid"] != owner.uid)

    async def _delete(self, found: Entry) -> None:
        try:
            await self._cluster.delete(found.resource, found.name, found.namespace or None, uid=found.uid)
        except (NotFound, Conflict):
            return  # it is gone already, or another of that name has taken its place

    async def _release(self, dependent: Entry, uid: str) -> None:
        references = [
            {
                "apiVersion": each.api_version,
                "kind": each.kind,
                "name": each.name,
                "uid": each.uid,
                "controller": each.controls,
                "blockOwnerDeletion": each.blocks,
            }
            for each in dependent.owners
            if each.uid != uid
        ]
        await self._patch(dependent, {"ownerReferences": references})

    async def _finalize(self, found: Entry, finalizer: str) -> None:
        await self._patch(found, {"finalizers": [each for each in found.finalizers if each != finalizer]})

    async def _patch(self, found: Entry, metadata: dict[str, object]) -> None:
        body = {"metadata": {"uid": found.uid, **metadata}}
        try:
            await self._cluster.patch(found.resource, found.name, found.namespace or None, body)
        except NotFound:
            return  # it is gone already
