"""What the verbs do to objects: the order in which the rules of the other modules are applied.

    create  decode -> defaults -> ownership -> mutate -> identity -> validate -> admit -> store
    update  decode -> defaults -> ownership -> mutate -> keep what is fixed -> validate -> admit -> store
    delete  preconditions -> mutate and admit -> mark terminating -> store or remove

Called by `handlers.py`; objects go in and come out in the form of the call's resource.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from sandbox.apiserver import (
    conversions,
    crds,
    decoding,
    defaults,
    fieldmanagement,
    lifecycle,
    notices,
    preconditions,
    schema_validation,
    status,
    validation,
)
from sandbox.apiserver.addresses import ServiceAddresses
from sandbox.apiserver.admission.chain import Admission
from sandbox.apiserver.admission.priorities import Priorities
from sandbox.apiserver.admission.webhooks import Attributes
from sandbox.apiserver.builtin_schema import empty_of
from sandbox.apiserver.decoding import Refuse, schema_of
from sandbox.apiserver.definitions import Definitions, is_definition
from sandbox.apiserver.fieldmanagement import Author
from sandbox.apiserver.lifecycle import DeleteOptions
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.schema import apply_defaults
from sandbox.apiserver.storage import Entry, Key, Store, fresh

_EMPTY_CUSTOM: Json = {"metadata": {}}

Guard = Callable[[Attributes], None]
"""Refuses a write by raising an ApiError, before webhooks are asked whether they agree to it."""

_ATTEMPTS = 5
"""How often a write is tried on what others wrote meanwhile."""

T = TypeVar("T")


class Outdated(Exception):
    """While webhooks were asked, somebody else wrote the object."""


class WriteListener(Protocol):
    """Told of every stored write: by whom, the entry, and whether it is gone with this write."""

    def __call__(self, call: Call, entry: Entry, *, gone: bool) -> None: ...


class Operations:
    """The verbs that write, over one store and catalogue."""

    def __init__(
        self, store: Store, catalog: Catalog, wrote: WriteListener, admission: Admission, guard: Guard
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._wrote = wrote
        self._admission = admission
        self._guard = guard
        self._definitions = Definitions(store, catalog)
        self._addresses = ServiceAddresses()
        self._priorities = Priorities(store)

    def entry(self, call: Call) -> Entry:
        """The stored object that the call names. Raises an ApiError (404)."""
        target = call.target
        found = self._store.collection(target.resource.storage).get((target.namespace, target.name))
        if found is None:
            raise status.not_found(target.resource, target.name)
        return found

    async def on_current(self, call: Call, attempt: Callable[[Entry], Awaitable[T]]) -> T:
        """The outcome of an attempt to write the object that the call names, on what it is by then.

        Raises an ApiError (409) where it changes every time.
        """
        for _ in range(_ATTEMPTS):
            with suppress(Outdated):
                return await attempt(self.entry(call))
        raise status.conflict(call.target.resource, call.target.name)

    def served(self, call: Call, obj: Json) -> Json:
        """A stored object in the form of the call's resource."""
        resource = call.target.resource
        return conversions.from_storage(resource, self._catalog.storage_type(resource), obj)

    def decode(self, call: Call, body: Json, refuse: Refuse | None = None, seen: Json | None = None) -> Json:
        """A body, which is changed, as an object in storage form. Raises an ApiError: see `decoding.py`."""
        resource = call.target.resource
        decoded = decoding.decode(call, body, refuse, seen)
        return conversions.to_storage(resource, self._catalog.storage_type(resource), decoded)

    async def create(self, call: Call, obj: Json, *, applied: list[Json] | None = None) -> Entry:
        """Stores a decoded object. `applied` is its managedFields where it comes from an apply."""
        target = call.target
        storage = self._catalog.storage_type(target.resource)
        metadata = obj["metadata"]
        namespace, name = self._place(call, storage, metadata)
        claims = fieldmanagement.given(metadata, [])
        self._set_defaults(storage, obj)
        empty = _EMPTY_CUSTOM if storage.custom else empty_of(storage.kind)
        author = self.author(call, "Update")
        visible = {k: v for k, v in obj.items() if not (k == "status" and storage.has_status)}
        owners = applied or fieldmanagement.track_update(empty, visible, schema_of(storage), author, claims)
        _own(obj, owners)
        if (storage.group, storage.kind) == ("", "Pod"):
            self._priorities.settle(call, obj)
        if self._admission.mutates(call, "CREATE"):
            obj = await self._mutated(call, storage, Attributes(call, "CREATE", name, None, obj))
            metadata = obj["metadata"]
            self._place(call, storage, metadata)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = lifecycle.generated_name(metadata["generateName"])
            self._set_defaults(storage, obj)
        lifecycle.prepare_create(storage, obj)
        if (storage.group, storage.kind) == ("", "Service"):
            self._addresses.allocate(obj["spec"])
        self._validate(target.resource, storage, obj, None)
        key = (namespace, metadata.get("name", ""))
        await self._approve(Attributes(call, "CREATE", name or key[1], None, obj))
        if key in self._store.collection(storage.storage).entries:
            raise status.already_exists(target.resource, key[1])
        return self._store_or_show(call, storage, key, obj)

    async def update(
        self, call: Call, current: Entry, obj: Json, *, applied: list[Json] | None = None
    ) -> Entry:
        """Stores a decoded object over `current`; a change of nothing stores nothing.

        Raises Outdated where `current` is no longer what is stored: see `on_current`.
        """
        storage = self._catalog.storage_type(call.target.resource)
        old = current.obj
        before = old["metadata"].get("managedFields", [])
        claims = fieldmanagement.given(obj["metadata"], before)
        self._set_defaults(storage, obj)
        if self._admission.mutates(call, "UPDATE"):
            draft = {**obj, "metadata": dict(obj["metadata"])}
            lifecycle.prepare_update(storage, old, draft, call.target.subresource)
            _own(obj, self._owners(call, (old, draft), claims) if applied is None else applied)
            obj = await self._mutated(call, storage, Attributes(call, "UPDATE", call.target.name, old, obj))
            applied = obj["metadata"].get("managedFields", [])
        preconditions.check_update(call, storage, old, obj)
        lifecycle.prepare_update(storage, old, obj, call.target.subresource)
        owners = self._owners(call, (old, obj), claims) if applied is None else applied
        unchanged = lifecycle.is_same(old, obj) and owners == before
        _own(obj, owners)
        if not unchanged:
            self._validate(call.target.resource, storage, obj, old)
        await self._approve(Attributes(call, "UPDATE", call.target.name, old, obj))
        if unchanged:
            return current
        if self._store.collection(storage.storage).get(current.key) is not current:
            raise Outdated
        if lifecycle.is_released(obj) and not call.dry_run:
            self._remove(call, storage, current.key, obj)
            return Entry(current.key, obj, current.version)
        return self._store_or_show(call, storage, current.key, obj)

    def _owners(self, call: Call, change: tuple[Json, Json], claims: list[Json]) -> list[Json]:
        schema = schema_of(self._catalog.storage_type(call.target.resource))
        return fieldmanagement.track_update(*change, schema, self.author(call, "Update"), claims)

    async def delete(self, call: Call, current: Entry, options: DeleteOptions) -> tuple[Entry, bool]:
        """Deletes, or marks what is still held. Returns the entry, and whether it is gone."""
        resource = call.target.resource
        storage = self._catalog.storage_type(resource)
        preconditions.check_delete(resource, current, options)
        shown = options.shown(dry_run=call.dry_run)
        attributes = Attributes(call, "DELETE", call.target.name, current.obj, None, shown)
        if self._admission.mutates(call, "DELETE"):
            await self._admission.mutate(attributes)
        await self._approve(attributes)
        collection = self._store.collection(storage.storage)
        latest = collection.get(current.key)
        if latest is None:
            raise status.not_found(resource, current.key[1])
        current, draft = latest, fresh(latest.obj)
        gone = lifecycle.mark_deleted(storage, draft, options)
        if call.dry_run or (draft == current.obj and not gone):
            return current, gone
        if gone:
            return self._remove(call, storage, current.key, draft), True
        entry = collection.put(current.key, draft)
        self._wrote(call, entry, gone=False)
        if is_definition(storage):
            held = self._definitions.deleted(entry)
            return held or entry, held is None
        return entry, False

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
        preconditions.check_namespace(target.resource, metadata.get("name", ""), space)
        return target.namespace, metadata.get("name", "")

    def _set_defaults(self, storage: ResourceType, obj: Json) -> None:
        if storage.custom:
            apply_defaults(obj, schema_of(storage))
        else:
            defaults.set_defaults(storage, obj)

    def author(self, call: Call, operation: str) -> Author:
        """Whoever makes a call, as field ownership names them. `operation` is Update or Apply."""
        version = self._catalog.storage_type(call.target.resource).api_version
        now = lifecycle.timestamp()
        return Author(call.field_manager, operation, version, call.target.subresource, now)

    def _validate(self, resource: ResourceType, storage: ResourceType, obj: Json, old: Json | None) -> None:
        errors = validation.check_metadata(storage, obj)
        if storage.custom:
            errors += schema_validation.validate(obj, schema_of(storage), old)
        else:
            errors += validation.check_object(storage, obj)
        if old is not None:
            errors += validation.check_change(storage, old, obj)
        if is_definition(storage):
            errors += crds.check(obj)
        if errors:
            raise status.invalid(resource, obj["metadata"].get("name", ""), errors)

    async def _mutated(self, call: Call, storage: ResourceType, attributes: Attributes) -> Json:
        """The new object as mutating webhooks want it."""
        new = attributes.new
        assert new is not None, "called for what is created or updated"
        if attributes.old is None and not storage.custom:
            lifecycle.shape(storage, new)
        before = new["metadata"].get("managedFields")
        mutated = await self._admission.mutate(attributes) or {}
        fieldmanagement.restore_if_broken(mutated, before, call.warnings)
        return mutated

    async def _approve(self, attributes: Attributes) -> None:
        """Raises an ApiError where a write is refused."""
        self._guard(attributes)
        self._priorities.check(attributes)
        await self._admission.validate(attributes)

    def _store_or_show(self, call: Call, storage: ResourceType, key: Key, obj: Json) -> Entry:
        if is_definition(storage):
            self._definitions.prepare(obj)
        call.warnings.extend(notices.of_object(storage, obj))
        if call.dry_run:
            return Entry(key, obj, 0)
        entry = self._store.collection(storage.storage).put(key, obj)
        if is_definition(storage):
            self._definitions.serve(obj)
        self._wrote(call, entry, gone=False)
        return entry

    def _remove(self, call: Call, storage: ResourceType, key: Key, last: Json) -> Entry:
        removed = self._store.collection(storage.storage).remove(key, last)
        self._wrote(call, removed, gone=True)
        if is_definition(storage):
            self._definitions.stop_serving(last)
        elif storage.custom:
            self._definitions.instance_removed(storage)
        return removed


def _own(obj: Json, owners: list[Json]) -> None:
    if owners:
        obj["metadata"]["managedFields"] = owners
    else:
        obj["metadata"].pop("managedFields", None)
