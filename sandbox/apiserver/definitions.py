"""What writing a CustomResourceDefinition sets off: serving its kind, and cleaning up when it is deleted.

    stored -> serve        deleted -> its objects are deleted -> once they are gone, so is it -> stop_serving

Called by `operations.py`. What a definition says is read by `crds.py`.
"""

from sandbox.apiserver import crds
from sandbox.apiserver.lifecycle import DeleteOptions, mark_deleted
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.storage import Collection, Entry, Store, fresh

STORAGE = "apiextensions.k8s.io/customresourcedefinitions"


def is_definition(resource: ResourceType) -> bool:
    return resource.storage == STORAGE


class Definitions:
    """Keeps the catalogue in step with the stored definitions."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def prepare(self, definition: Json) -> None:
        """Sets the status of a draft that is about to be stored."""
        spec = definition["spec"]
        others = self._catalog.versions().get(spec["group"], {})
        types = [r for resources in others.values() for r in resources if r.plural != spec["names"]["plural"]]
        crds.prepare(definition, {name for r in types for name in (r.plural, r.kind)})

    def serve(self, definition: Json) -> None:
        spec = definition["spec"]
        self._catalog.replace_group_kind(
            spec["group"], spec["names"]["plural"], crds.served_types(definition)
        )

    def stop_serving(self, definition: Json) -> None:
        spec = definition["spec"]
        self._catalog.replace_group_kind(spec["group"], spec["names"]["plural"], ())
        self._store.drop(f"{spec['group']}/{spec['names']['plural']}")

    def deleted(self, definition: Entry) -> Entry | None:
        """Deletes the objects of a definition just marked as deleted. None where it is gone with them."""
        spec = definition.obj["spec"]
        instances = self._store.collection(f"{spec['group']}/{spec['names']['plural']}")
        served = crds.served_types(definition.obj)
        for instance in list(instances.entries.values()):
            draft = fresh(instance.obj)
            if not served or mark_deleted(served[0], draft, DeleteOptions()):
                instances.remove(instance.key, draft)
            elif draft != instance.obj:
                instances.put(instance.key, draft)
        return definition if instances.entries else self._release(definition)

    def instance_removed(self, resource: ResourceType) -> None:
        """Lets a terminating definition go with the last of its objects."""
        waiting = self._collection().get(("", f"{resource.plural}.{resource.group}"))
        if waiting is not None and "deletionTimestamp" in waiting.obj["metadata"]:
            if not self._store.collection(resource.storage).entries:
                self._release(waiting)

    def _release(self, definition: Entry) -> Entry | None:
        draft = fresh(definition.obj)
        left = [name for name in draft["metadata"].get("finalizers", ()) if name != crds.CLEANUP_FINALIZER]
        draft["metadata"]["finalizers"] = left
        if left:
            return self._collection().put(definition.key, draft)
        self._collection().remove(definition.key, draft)
        self.stop_serving(draft)
        return None

    def _collection(self) -> Collection:
        return self._store.collection(STORAGE)
