"""What the verbs do to objects: the order in which the rules of the other modules are applied.

    create  decode -> defaults -> ownership -> identity -> validate -> admit -> store
    update  decode -> defaults -> keep what is fixed -> ownership -> changed? -> validate -> admit -> store
    delete  preconditions -> mark terminating -> store or remove

Called by `handlers.py`; objects go in and come out in the form of the call's resource.
"""

import ipaddress
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sandbox.apiserver import (
    conversions,
    crds,
    decoding,
    defaults,
    fieldmanagement,
    lifecycle,
    schema_validation,
    status,
    validation,
)
from sandbox.apiserver.builtin_schema import empty_of
from sandbox.apiserver.decoding import schema_of
from sandbox.apiserver.definitions import Definitions, is_definition
from sandbox.apiserver.fieldmanagement import Author
from sandbox.apiserver.lifecycle import DeleteOptions
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.schema import apply_defaults
from sandbox.apiserver.storage import Entry, Key, Store, fresh

_EMPTY_CUSTOM: Json = {"metadata": {}}


@dataclass(frozen=True, slots=True)
class Attributes:
    """A write about to be stored, as admission sees it. `old` is None for a create, `new` for a delete."""

    call: Call
    operation: str
    old: Json | None
    new: Json | None


Admission = Callable[[Attributes], Awaitable[Json | None]]
"""Returns the object to store (`new`, possibly changed) or raises an ApiError."""


class WriteListener(Protocol):
    """Told of every stored write: by whom, the entry, and whether it is gone with this write."""

    def __call__(self, call: Call, entry: Entry, *, gone: bool) -> None: ...


async def admit_all(attributes: Attributes) -> Json | None:
    return attributes.new


class Operations:
    """The verbs that write, over one store and catalogue."""

    def __init__(
        self, store: Store, catalog: Catalog, wrote: WriteListener, admission: Admission = admit_all
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._wrote = wrote
        self._admission = admission
        self._definitions = Definitions(store, catalog)
        self._addresses = map(
            ipaddress.IPv4Address, itertools.count(int(ipaddress.IPv4Address("127.96.0.1")))
        )

    def entry(self, call: Call) -> Entry:
        """The stored object that the call names. Raises an ApiError (404)."""
        target = call.target
        found = self._store.collection(target.resource.storage).get((target.namespace, target.name))
        if found is None:
            raise status.not_found(target.resource, target.name)
        return found

    def served(self, call: Call, obj: Json) -> Json:
        """A stored object in the form of the call's resource."""
        resource = call.target.resource
        return conversions.from_storage(resource, self._catalog.storage_type(resource), obj)

    def decode(self, call: Call, body: Json) -> Json:
        """A body, which is changed, as an object in storage form. Raises an ApiError (400)."""
        resource = call.target.resource
        decoded = decoding.decode(call, body)
        return conversions.to_storage(resource, self._catalog.storage_type(resource), decoded)

    async def create(self, call: Call, obj: Json, *, applied: list[Json] | None = None) -> Entry:
        """Stores a decoded object. `applied` is its managedFields where it comes from an apply."""
        target = call.target
        storage = self._catalog.storage_type(target.resource)
        metadata = obj["metadata"]
        key = self._place(call, storage, metadata)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = lifecycle.generated_name(metadata["generateName"])
        key = (key[0], metadata.get("name", ""))
        collection = self._store.collection(storage.storage)
        if key in collection.entries:
            raise status.already_exists(target.resource, key[1])
        self._set_defaults(storage, obj)
        empty = _EMPTY_CUSTOM if storage.custom else empty_of(storage.kind)
        author = self.author(call, "Update")
        visible = {k: v for k, v in obj.items() if not (k == "status" and storage.has_status)}
        owners = applied or fieldmanagement.track_update(empty, visible, schema_of(storage), author)
        lifecycle.prepare_create(storage, obj)
        if (storage.group, storage.kind) == ("", "Service"):
            self._allocate(obj["spec"])
        if owners:
            metadata["managedFields"] = owners
        self._validate(target.resource, storage, obj, None)
        obj = await self._admit(call, "CREATE", None, obj)
        if key in collection.entries:
            raise status.already_exists(target.resource, key[1])
        return self._store_or_show(call, storage, key, obj)

    async def update(
        self, call: Call, current: Entry, obj: Json, *, applied: list[Json] | None = None
    ) -> Entry:
        """Stores a decoded object over `current`; a change of nothing stores nothing."""
        storage = self._catalog.storage_type(call.target.resource)
        old = current.obj
        self._check_preconditions(call, storage, old, obj)
        self._set_defaults(storage, obj)
        lifecycle.prepare_update(storage, old, obj, call.target.subresource)
        author = self.author(call, "Update")
        owners = (
            applied
            if applied is not None
            else fieldmanagement.track_update(old, obj, schema_of(storage), author)
        )
        if _same(old, obj) and (applied is None or owners == old["metadata"].get("managedFields", [])):
            return current
        if owners:
            obj["metadata"]["managedFields"] = owners
        else:
            obj["metadata"].pop("managedFields", None)
        self._validate(call.target.resource, storage, obj, old)
        obj = await self._admit(call, "UPDATE", old, obj)
        collection = self._store.collection(storage.storage)
        if collection.get(current.key) is not current:
            raise status.conflict(call.target.resource, current.key[1])
        if lifecycle.is_released(obj) and not call.dry_run:
            self._remove(call, storage, current.key, obj)
            return Entry(current.key, obj, current.version)
        return self._store_or_show(call, storage, current.key, obj)

    async def delete(self, call: Call, current: Entry, options: DeleteOptions) -> Entry | None:
        """Deletes, or marks what is still held: then its entry is returned, None where it is gone."""
        resource = call.target.resource
        storage = self._catalog.storage_type(resource)
        _check_delete_preconditions(resource, current, options)
        await self._admit(call, "DELETE", current.obj, None)
        draft = fresh(current.obj)
        collection = self._store.collection(storage.storage)
        gone = lifecycle.mark_deleted(storage, draft, options)
        if call.dry_run:
            return None if gone else current
        if gone:
            self._remove(call, storage, current.key, draft)
            return None
        if draft == current.obj:
            return current
        entry = collection.put(current.key, draft)
        self._wrote(call, entry, gone=False)
        return self._definitions.deleted(entry) if is_definition(storage) else entry

    def _place(self, call: Call, storage: ResourceType, metadata: Json) -> Key:
        """The key of a new object; its namespace must exist and not be going away."""
        target = call.target
        if target.name:
            metadata["name"] = target.name
        if not storage.namespaced:
            metadata.pop("namespace", None)
            return "", metadata.get("name", "")
        if metadata.get("namespace", target.namespace) != target.namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = target.namespace
        namespaces = self._catalog.find("", "v1", "namespaces")
        assert namespaces is not None, "namespaces are built in"
        space = self._store.collection(namespaces.storage).get(("", target.namespace))
        if space is None:
            raise status.not_found(namespaces, target.namespace)
        if "deletionTimestamp" in space.obj["metadata"]:
            why = (
                f"unable to create new content in namespace {target.namespace} because it is being terminated"
            )
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {target.namespace} is being terminated",
            }
            cause["field"] = "metadata.namespace"
            raise status.forbidden(target.resource, metadata.get("name", ""), why, [cause])
        return target.namespace, metadata.get("name", "")

    def _set_defaults(self, storage: ResourceType, obj: Json) -> None:
        if storage.custom:
            apply_defaults(obj, schema_of(storage))
        else:
            defaults.set_defaults(storage, obj)

    def _allocate(self, spec: Json) -> None:
        """An address for a Service. Nothing listens there: names are resolved by the sandbox's proxy."""
        if spec["type"] == "ExternalName":
            return
        spec.setdefault("clusterIP", str(next(self._addresses)))
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def author(self, call: Call, operation: str) -> Author:
        """Whoever makes a call, as field ownership names them. `operation` is Update or Apply."""
        version = self._catalog.storage_type(call.target.resource).api_version
        now = lifecycle.timestamp()
        return Author(call.field_manager, operation, version, call.target.subresource, now)

    def _check_preconditions(self, call: Call, storage: ResourceType, old: Json, new: Json) -> None:
        before, after, resource = old["metadata"], new["metadata"], call.target.resource
        name = before["name"]
        if after.get("uid", before["uid"]) != before["uid"]:
            uids = f"UID in precondition: {after['uid']}, UID in object meta: {before['uid']}"
            why = f"Precondition failed: {uids}"
            raise status.conflict(resource, name, why)
        version = after.get("resourceVersion", "")
        if not version and call.method == "PUT" and not storage.unconditional_update:
            error = status.FieldError.invalid(
                "metadata.resourceVersion", 0, "must be specified for an update"
            )
            raise status.invalid(resource, name, [error])
        if version not in ("", "0", before["resourceVersion"]):
            raise status.conflict(resource, name)

    def _validate(self, resource: ResourceType, storage: ResourceType, obj: Json, old: Json | None) -> None:
        errors = validation.check_metadata(storage, obj)
        if storage.custom:
            errors += schema_validation.validate(obj, schema_of(storage))
        else:
            errors += validation.check_object(storage, obj)
        if old is not None:
            errors += validation.check_change(storage, old, obj)
        if is_definition(storage):
            errors += crds.check(obj)
        if errors:
            raise status.invalid(resource, obj["metadata"].get("name", ""), errors)

    async def _admit(self, call: Call, operation: str, old: Json | None, new: Json | None) -> Json:
        return await self._admission(Attributes(call, operation, old, new)) or {}

    def _store_or_show(self, call: Call, storage: ResourceType, key: Key, obj: Json) -> Entry:
        if is_definition(storage):
            self._definitions.prepare(obj)
        if call.dry_run:
            return Entry(key, obj, 0)
        entry = self._store.collection(storage.storage).put(key, obj)
        if is_definition(storage):
            self._definitions.serve(obj)
        self._wrote(call, entry, gone=False)
        return entry

    def _remove(self, call: Call, storage: ResourceType, key: Key, last: Json) -> None:
        removed = self._store.collection(storage.storage).remove(key, last)
        self._wrote(call, removed, gone=True)
        if is_definition(storage):
            self._definitions.stop_serving(last)
        elif storage.custom:
            self._definitions.instance_removed(storage)


def _same(old: Json, new: Json) -> bool:
    """Whether a write changes nothing but, perhaps, who owns it."""
    if any(old.get(name) != new.get(name) for name in old.keys() | new.keys() if name != "metadata"):
        return False
    before, after = old["metadata"], new["metadata"]
    names = (before.keys() | after.keys()) - {"managedFields", "resourceVersion"}
    return all(before.get(name) == after.get(name) for name in names)


def _check_delete_preconditions(resource: ResourceType, current: Entry, options: DeleteOptions) -> None:
    metadata = current.obj["metadata"]
    for label, wanted, actual in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != actual:
            why = (
                f"the {label} in the precondition ({wanted}) does not match the {label} in record ({actual})."
                " "
                "The object might have been deleted and then recreated"
            )
            raise status.conflict(resource, current.key[1], why)
