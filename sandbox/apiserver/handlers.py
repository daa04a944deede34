"""From a parsed call to its reply: one method per verb, subresources and reviews handed on.

Call -> serve -> get | list | watch | create | update | patch | delete -> Reply
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from sandbox.apiserver import decoding, listing, notices, options, replies, selectors, status, watching
from sandbox.apiserver.access.reviews import Reviews
from sandbox.apiserver.bodies import parse_body
from sandbox.apiserver.decoding import check_place
from sandbox.apiserver.lifecycle import DeleteOptions
from sandbox.apiserver.operations import Operations
from sandbox.apiserver.patching import Patcher
from sandbox.apiserver.replies import Presenter, Reply
from sandbox.apiserver.requests import Call, is_set
from sandbox.apiserver.resources import Catalog, Json
from sandbox.apiserver.status import FieldError
from sandbox.apiserver.storage import Entry, Store
from sandbox.apiserver.subresources import Subresources
from sandbox.apiserver.watching import Watch

_WATCH_TIMEOUTS = (1_800, 3_600)
_OWN_SUBRESOURCES = ("", "status", "finalize")
_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_SHOWN_WHEN_GONE = {
    f"/{name}" for name in ("namespaces", "pods", "resourcequotas", "serviceaccounts", "services")
}
"""A delete of these is answered with what was deleted, as a real server does, not with a Status."""
_VERBS_OF_SUBRESOURCES = {
    "finalize": ("update",),
    "log": ("get",),
    **dict.fromkeys(("binding", "eviction", "token"), ("create",)),
    **dict.fromkeys(("attach", "exec", "portforward"), ("create", "get")),
    "proxy": (*_WRITES, "get"),
}


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
        _check_method(call)
        call.warnings.extend(notices.of_use(target.resource))
        replies.check_acceptable(call)
        if verb in _WRITES:
            options.check_write(call)
        if self._parts.reviews.answers(target.resource):
            return self._parts.reviews.serve(call)
        if target.subresource not in _OWN_SUBRESOURCES:
            return await self._parts.subresources.serve(call)
        return await self._verbs[verb](call)

    async def _get(self, call: Call) -> Reply:
        listing.check_get(call, self._store)
        return self._presenter.one(call, self._operations.entry(call))

    async def _list(self, call: Call) -> Reply:
        page = listing.page(call, self._store, _selection(call))
        return self._presenter.many(call, page.entries, page.metadata)

    async def _watch(self, call: Call) -> Reply:
        query = call.query
        options.check_list(query, watch=True)
        initial = is_set(query, "sendInitialEvents")
        version = _watched_version(call)
        bookmarks = is_set(query, "allowWatchBookmarks")
        if not version and "sendInitialEvents" in query:
            version = self._store.version  # asked for no initial events: only what comes
        seconds = options.number(query, "timeoutSeconds") or 0
        watch = Watch(
            resource=call.target.resource,
            namespace=call.target.namespace,
            selection=_selection(call),
            view=self._presenter.view(call),
            version=None if initial or not version else version,
            timeout=float(max(seconds, 0) if seconds else random.randint(*_WATCH_TIMEOUTS)),
            bookmark_interval=self._parts.bookmark_interval if bookmarks else None,
            initial_events_end=initial and bookmarks,
        )
        return Reply(chunks=watching.stream(self._store, watch))

    async def _create(self, call: Call) -> Reply:
        obj = self._operations.decode(call, parse_body(call, call.target.resource.kind))
        if obj["metadata"].get("resourceVersion", "0") != "0":
            raise status.unexplained("resourceVersion should not be set on objects to be created")
        return self._presenter.one(call, await self._operations.create(call, obj), code=201)

    async def _update(self, call: Call) -> Reply:
        return self._presenter.one(call, await self._operations.on_current(call, partial(self._put, call)))

    async def _put(self, call: Call, current: Entry) -> Entry:
        obj = self._operations.decode(call, parse_body(call, call.target.resource.kind))
        check_place(call, obj["metadata"])
        return await self._operations.update(call, current, obj)

    async def _patch(self, call: Call) -> Reply:
        entry, created = await self._patcher.patch(call)
        return self._presenter.one(call, entry, code=201 if created else 200)

    async def _delete(self, call: Call) -> Reply:
        current = self._operations.entry(call)
        call, asked = _delete_options(call)
        entry, gone = await self._operations.delete(call, current, asked)
        if not gone or call.target.resource.storage in _SHOWN_WHEN_GONE:
            return self._presenter.one(call, entry)
        name, uid = call.target.name, current.obj["metadata"]["uid"]
        return Reply.json(status.success(call.target.resource, name, uid))

    async def _delete_collection(self, call: Call) -> Reply:
        page = listing.page(call, self._store, _selection(call))
        call, asked = _delete_options(call)
        for entry in page.entries:
            await self._operations.delete(call, entry, asked)
        return self._presenter.many(call, page.entries, page.metadata)


def _selection(call: Call) -> selectors.Selection:
    fields = call.query.get("fieldSelector", "")
    if call.target.name:
        fields = f"{fields},metadata.name={call.target.name}".strip(",")
    return selectors.parse(call.target.resource, call.query.get("labelSelector", ""), fields)


def _check_method(call: Call) -> None:
    """Raises an ApiError (400, 405) for a verb that what the path names does not have."""
    target, verb = call.target, call.verb
    if target.name in (".", ".."):
        raise status.bad_request(f"Name parameter invalid: \"{target.name}\": may not be '{target.name}'")
    allowed: tuple[str, ...] = target.resource.verbs
    if target.subresource:
        allowed = _VERBS_OF_SUBRESOURCES.get(target.subresource, ("get", "update", "patch"))
    elif target.name:
        allowed = tuple(each for each in allowed if each not in ("create", "list"))
    elif target.resource.namespaced and not target.namespace:
        allowed = ("list", "watch")
    else:
        allowed = tuple(each for each in allowed if each not in ("update", "patch"))
    if verb not in allowed:
        raise status.method_not_allowed()


def _watched_version(call: Call) -> int:
    try:
        return options.version(call.query)
    except ValueError as error:
        raise status.unexplained(str(error)) from None


def _delete_options(call: Call) -> tuple[Call, DeleteOptions]:
    """From the body or, for clients that send none, from the query; and the call, dry if the body says so."""
    body: Json = parse_body(call, "DeleteOptions") if call.body else {}
    decoding.decode_options(body)
    policy, orphan = body.get("propagationPolicy", ""), body.get("orphanDependents", False)
    dry_run = body.get("dryRun") or []
    errors = list(options.check_policy(policy, orphan=orphan))
    if dry_run not in ([], ["All"]):
        errors.insert(0, FieldError.unsupported("dryRun", dry_run, ["All"]))
    if errors:
        raise options.invalid_delete(errors)
    if dry_run:
        call = replace(call, query={**call.query, "dryRun": "All"})
    preconditions = body.get("preconditions") or {}
    if is_set(call.query, "orphanDependents") or orphan:
        policy = "Orphan"
    asked = DeleteOptions(
        grace=body.get("gracePeriodSeconds", options.number(call.query, "gracePeriodSeconds")),
        propagation=policy or call.query.get("propagationPolicy", ""),
        uid=preconditions.get("uid") or "",
        version=preconditions.get("resourceVersion") or "",
    )
    return call, asked
