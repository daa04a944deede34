"""Answers, and how objects look in them: plain JSON, a Table for people, or metadata alone.

`handlers.py` makes a `Reply`; `server.py` sends it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import orjson

from sandbox.apiserver import conversions, protobuf, status, tables
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.storage import Entry
from sandbox.apiserver.watching import View

JSON_TYPE = "application/json"
_STREAMED = (JSON_TYPE, protobuf.CONTENT_TYPE)
_MEDIA_TYPES = (JSON_TYPE, "application/yaml", protobuf.CONTENT_TYPE)
_FORMS = {"Table": "Table", "PartialObjectMetadata": "Partial", "PartialObjectMetadataList": "Partial"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a body, or chunks that are sent as they come."""

    code: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    chunks: AsyncIterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside the content type."""

    @classmethod
    def json(cls, obj: Json, code: int = 200) -> "Reply":
        return cls(code, orjson.dumps(obj))


class Presenter:
    """Shows entries the way a call asks for."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def one(self, call: Call, entry: Entry, code: int = 200) -> Reply:
        return Reply(code, self.view(call).encode(entry))

    def many(self, call: Call, entries: Sequence[Entry], metadata: Json) -> Reply:
        """A list; `metadata` has its resourceVersion and how to continue."""
        resource, form = call.target.resource, _form(call.accept)
        if form == "Table":
            objects = [self._converted(resource, entry) for entry in entries]
            return Reply.json(
                tables.table(resource, objects, metadata, call.query.get("includeObject", "Metadata"))
            )
        if form == "Partial":
            items = b",".join(
                orjson.dumps(tables.partial(self._converted(resource, entry))) for entry in entries
            )
            return Reply(body=_list("PartialObjectMetadata", "meta.k8s.io/v1", metadata, items))
        view = self.view(call)
        # Built-in items go without kind and apiVersion, which every encoding starts with.
        head = 0 if resource.custom else len(_head(resource)) - 1
        items = b",".join(b"{" + view.encode(entry)[head + 1 :] for entry in entries)
        return Reply(body=_list(resource.kind, resource.api_version, metadata, items))

    def view(self, call: Call) -> View:
        """How a single object, in an answer or a watch, is encoded for this call."""
        resource, form = call.target.resource, _form(call.accept)
        if form == "Table":
            include = call.query.get("includeObject", "Metadata")
            return View(
                f"Table {include} {resource.api_version}", partial(self._encode_table, resource, include)
            )
        if form == "Partial":
            return View("Partial", lambda entry: orjson.dumps(tables.partial(entry.obj)))
        return View(resource.api_version, partial(self._encode, resource))

    def _encode_table(self, resource: ResourceType, include: str, entry: Entry) -> bytes:
        obj = self._converted(resource, entry)
        metadata = {"resourceVersion": str(entry.version)}
        return orjson.dumps(tables.table(resource, [obj], metadata, include))

    def _encode(self, resource: ResourceType, entry: Entry) -> bytes:
        obj = self._converted(resource, entry)
        return entry.encoded if obj is entry.obj else orjson.dumps(obj)

    def _converted(self, resource: ResourceType, entry: Entry) -> Json:
        return conversions.from_storage(resource, self._catalog.storage_type(resource), entry.obj)


def of_other_kind(call: Call, kind: ResourceType, obj: Json) -> Reply:
    """An object that is not stored, in the form that the client asks for."""
    if _form(call.accept) == "Table":
        return Reply.json(tables.table(kind, [obj], {}, call.query.get("includeObject", "Metadata")))
    return Reply.json(obj)


def check_acceptable(call: Call) -> None:
    """Raises an ApiError (406) where the client takes nothing that there is."""
    if _form(call.accept) is not None:
        return
    known = ", ".join(_MEDIA_TYPES)
    if any(name in call.accept for name in _MEDIA_TYPES):
        raise status.not_acceptable(f"only the following media types are accepted: {known}")
    streams = "".join(f", {name};stream=watch" for name in _STREAMED) if call.method == "GET" else ""
    raise status.not_acceptable(f"406: Not Acceptable\n\nAvailable representations: {known}{streams}", {})


@lru_cache(maxsize=64)
def _form(accept: str) -> str | None:
    """What the first acceptable media type asks for: Table, Partial or "" (the object itself); None if none.

    Whatever the media type, the answer is JSON, and says so.
    """
    if not accept.strip():
        return ""
    for option in accept.split(","):
        media, *parameters = option.replace(" ", "").split(";")
        values = dict(parameter.partition("=")[::2] for parameter in parameters)
        kind = values.get("as", "")
        if media not in (*_MEDIA_TYPES, "*/*"):
            continue
        if not kind:
            return ""
        if kind in _FORMS and values.get("v") == "v1" and values.get("g") == "meta.k8s.io":
            return _FORMS[kind]
    return None


def _head(resource: ResourceType) -> bytes:
    return orjson.dumps({"kind": resource.kind, "apiVersion": resource.api_version})[:-1] + b","


def _list(kind: str, api_version: str, metadata: Json, items: bytes) -> bytes:
    head = orjson.dumps({"kind": f"{kind}List", "apiVersion": api_version, "metadata": metadata})
    return head[:-1] + b',"items":[' + items + b"]}"
