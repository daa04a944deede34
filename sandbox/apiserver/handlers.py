"""From a parsed call to its reply: one method per verb, subresources and reviews handed on.

Call -> serve -> get | list | watch | create | update | patch | delete -> Reply
"""

import base64
import binascii
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.apiserver import selectors, status, watching
from sandbox.apiserver.lifecycle import DeleteOptions
from sandbox.apiserver.operations import Operations
from sandbox.apiserver.patching import Patcher
from sandbox.apiserver.replies import Presenter, Reply
from sandbox.apiserver.requests import Call, is_true, parse_body
from sandbox.apiserver.resources import Catalog, Json
from sandbox.apiserver.reviews import Reviews
from sandbox.apiserver.storage import Entry, Store
from sandbox.apiserver.subresources import Subresources
from sandbox.apiserver.watching import Watch

_WATCH_TIMEOUTS = (1_800, 3_600)
_OWN_SUBRESOURCES = ("", "status", "finalize")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a server is made of, as far as calls need it."""

    store: Store
    catalog: Catalog
    operations: Operations
    subresources: Subresources
    reviews: Reviews
    bookmark_interval: float


class Handlers:
    """Serves calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._operations = parts.operations
        self._presenter = Presenter(parts.catalog)
        self._patcher = Patcher(parts.operations)
        self._verbs: dict[str, Callable[[Call], Awaitable[Reply]]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def serve(self, call: Call) -> Reply:
        """Raises an ApiError for whatever cannot be done."""
        target, verb = call.target, call.verb
        if self._parts.reviews.answers(target.resource):
            return self._parts.reviews.serve(call)
        if target.subresource not in _OWN_SUBRESOURCES:
            return await self._parts.subresources.serve(call)
        if verb not in target.resource.verbs:
            raise status.method_not_allowed()
        return await self._verbs[verb](call)

    def _selected(self, call: Call) -> tuple[selectors.Selection, list[Entry]]:
        target = call.target
        if target.resource.namespaced and target.name:
            raise status.method_not_allowed()
        selection = _selection(call)
        entries = self._store.collection(target.resource.storage).select(target.namespace)
        return selection, [e for e in entries if selection.matches(e.obj)] if selection else entries

    async def _get(self, call: Call) -> Reply:
        return self._presenter.one(call, self._operations.entry(call))

    async def _list(self, call: Call) -> Reply:
        _, entries = self._selected(call)
        version, start = _continuation(call, self._store.version)
        if start:
            entries = [entry for entry in entries if entry.key > start]
        metadata: Json = {"resourceVersion": str(version)}
        limit = int(call.query.get("limit") or 0)
        if 0 < limit < len(entries):
            metadata["continue"] = _continue_token(version, entries[limit - 1])
            metadata["remainingItemCount"] = len(entries) - limit
            entries = entries[:limit]
        return self._presenter.many(call, entries, metadata)

    async def _watch(self, call: Call) -> Reply:
        query = call.query
        initial = is_true(query.get("sendInitialEvents", ""))
        version = _number(query.get("resourceVersion") or "0", "resourceVersion")
        bookmarks = is_true(query.get("allowWatchBookmarks", ""))
        watch = Watch(
            resource=call.target.resource,
            namespace=call.target.namespace,
            selection=_selection(call),
            view=self._presenter.view(call),
            version=None if initial or not version else version,
            timeout=float(query.get("timeoutSeconds") or random.randint(*_WATCH_TIMEOUTS)),
            bookmark_interval=self._parts.bookmark_interval if bookmarks else None,
            initial_events_end=initial and bookmarks,
        )
        return Reply(chunks=watching.stream(self._store, watch))

    async def _create(self, call: Call) -> Reply:
        if call.target.name:
            raise status.method_not_allowed()
        obj = self._operations.decode(call, parse_body(call, call.target.resource.kind))
        return self._presenter.one(call, await self._operations.create(call, obj), code=201)

    async def _update(self, call: Call) -> Reply:
        current = self._operations.entry(call)
        obj = self._operations.decode(call, parse_body(call, call.target.resource.kind))
        _check_place(call, obj["metadata"])
        return self._presenter.one(call, await self._operations.update(call, current, obj))

    async def _patch(self, call: Call) -> Reply:
        entry, created = await self._patcher.patch(call)
        return self._presenter.one(call, entry, code=201 if created else 200)

    async def _delete(self, call: Call) -> Reply:
        current = self._operations.entry(call)
        left = await self._operations.delete(call, current, _delete_options(call))
        if left is not None:
            return self._presenter.one(call, left)
        name, uid = call.target.name, current.obj["metadata"]["uid"]
        return Reply.json(status.success(call.target.resource, name, uid))

    async def _delete_collection(self, call: Call) -> Reply:
        _, entries = self._selected(call)
        options = _delete_options(call)
        for entry in entries:
            await self._operations.delete(call, entry, options)
        return self._presenter.many(call, entries, {"resourceVersion": str(self._store.version)})


def _selection(call: Call) -> selectors.Selection:
    fields = call.query.get("fieldSelector", "")
    if call.target.name:
        fields = f"{fields},metadata.name={call.target.name}".strip(",")
    return selectors.parse(call.target.resource, call.query.get("labelSelector", ""), fields)


def _check_place(call: Call, metadata: Json) -> None:
    target = call.target
    name = metadata.setdefault("name", target.name)
    if name != target.name:
        raise status.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )
    if target.namespace and metadata.setdefault("namespace", target.namespace) != target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _delete_options(call: Call) -> DeleteOptions:
    """From the body or, for clients that send none, from the query."""
    body: dict[str, Any] = parse_body(call, "DeleteOptions") if call.body else {}
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", call.query.get("gracePeriodSeconds"))
    propagation = body.get("propagationPolicy") or call.query.get("propagationPolicy") or ""
    if body.get("orphanDependents"):
        propagation = "Orphan"
    if body.get("dryRun") and not call.dry_run:
        raise status.bad_request("a dry run is asked for with the query parameter dryRun=All")
    return DeleteOptions(
        grace=None if grace is None else _number(str(grace), "gracePeriodSeconds"),
        propagation=propagation,
        uid=preconditions.get("uid") or "",
        version=preconditions.get("resourceVersion") or "",
    )


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise status.bad_request(f'{name}: Invalid value: "{text}": must be a number') from None


def _continue_token(version: int, last: Entry) -> str:
    token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": list(last.key)})
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _continuation(call: Call, version: int) -> tuple[int, tuple[str, str] | None]:
    """The version to report and the key to go on after.

    Later pages keep the first page's version, so that a watch from it sees whatever changed in between.
    """
    token = call.query.get("continue", "")
    if not token:
        return version, None
    try:
        parsed = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = parsed["start"]
        return int(parsed["rv"]), (namespace, name)
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise status.bad_request("continue key is not valid: it does not come from this server") from None
