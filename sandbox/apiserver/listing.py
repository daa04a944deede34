"""Lists: which state of a collection is shown, and in which pages.

    resourceVersion, resourceVersionMatch, continue -> a version -> Collection.at -> selected -> one page

Pages show the state of the first one for as long as history reaches back; after that a client may go on with
what there is now (410 with a token that says so). Called by `handlers.py`.
"""

import base64
import binascii
from dataclasses import dataclass

import orjson

from sandbox.apiserver import json_words, options, status
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Json
from sandbox.apiserver.selectors import Selection
from sandbox.apiserver.storage import Entry, Key, Store

_TOKEN_VERSION = "meta.k8s.io/v1"
_ANY_VERSION = -1
"""In a token: go on with what there is now."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list, and its metadata."""

    entries: list[Entry]
    metadata: Json


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a page begins: the version of the list, and the key after which it goes on."""

    version: int
    after: str = ""


def page(call: Call, store: Store, selection: Selection) -> Page:
    """Raises an ApiError: 400, 410, 422, 504."""
    options.check_list(call.query, watch=False)
    target = call.target
    limit = max(options.number(call.query, "limit") or 0, 0)
    start = _start(call, store)
    entries = store.collection(target.resource.storage).at(start.version, target.namespace)
    if entries is None:
        raise status.list_expired(_token(_ANY_VERSION, start.after) if start.after else "")
    if start.after:
        entries = [entry for entry in entries if _path(call, entry.key) >= start.after]
    if selection:
        entries = [entry for entry in entries if selection.matches(entry.obj)]
    metadata: Json = {"resourceVersion": str(start.version)}
    if 0 < limit < len(entries):
        metadata["continue"] = _token(start.version, _path(call, entries[limit - 1].key) + "\0")
        if not selection:
            metadata["remainingItemCount"] = len(entries) - limit
    return Page(entries[:limit] if limit else entries, metadata)


def check_get(call: Call, store: Store) -> None:
    """Of a single object at a version. Raises an ApiError: 500, as a real server does, or 504."""
    try:
        _not_newer(options.version(call.query), store)
    except ValueError as error:
        raise status.unexplained(str(error)) from None


def _start(call: Call, store: Store) -> _Start:
    token = call.query.get("continue", "")
    if token:
        if call.query.get("resourceVersion", "") not in ("", "0"):
            raise status.bad_request("specifying resource version is not allowed when using continue")
        try:
            asked = _read_token(token)
        except ValueError as error:
            raise status.bad_request(f"invalid continue token: continue key is not valid: {error}") from None
        return _Start(store.version, asked.after) if asked.version == _ANY_VERSION else asked
    try:
        version = options.version(call.query)
    except ValueError as error:
        raise status.bad_request(f"invalid resource version: {error}") from None
    _not_newer(version, store)
    exact = call.query.get("resourceVersionMatch") == "Exact"
    return _Start(version if exact else store.version)


def _not_newer(version: int, store: Store) -> None:
    if version > store.version:
        raise status.too_new(version, store.version)


def _path(call: Call, key: Key) -> str:
    """A key as tokens have it: below the namespace of the list, if that has one."""
    return key[1] if call.target.namespace or not key[0] else "/".join(key)


def _token(version: int, after: str) -> str:
    token = orjson.dumps({"v": _TOKEN_VERSION, "rv": version, "start": after})
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _read_token(text: str) -> _Start:
    """Raises ValueError with the words of a real server."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        first = next((i for i, c in enumerate(text) if not (c.isascii() and (c.isalnum() or c in "-_"))), 0)
        raise ValueError(f"illegal base64 data at input byte {first}") from None
    try:
        token = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ValueError(json_words.complaint(content) or str(error)) from None
    form = token.get("v", "") if isinstance(token, dict) else ""
    if form != _TOKEN_VERSION:
        raise ValueError(f"server does not recognize this encoded version {form}")
    version, after = token.get("rv", 0), token.get("start", "")
    if not isinstance(version, int) or not version:
        raise ValueError(f"incorrect encoded start resourceVersion (version {form})")
    if not isinstance(after, str) or not after:
        raise ValueError(f"encoded start key empty (version {form})")
    return _Start(version, after)
