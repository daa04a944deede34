"""The PATCH verb: applies a patch of any type to the object as the client sees it, and writes the result.

Called by `handlers.py`. The rules of the types themselves are in `patch.py` and `fieldmanagement.py`.
"""

from typing import Any

import orjson

from sandbox.apiserver import fieldmanagement, patch, status
from sandbox.apiserver.decoding import schema_of
from sandbox.apiserver.operations import Operations
from sandbox.apiserver.requests import Call, parse_body
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import ApiError, FieldError
from sandbox.apiserver.storage import Entry, fresh

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = ("application/apply-patch+yaml", "application/apply-patch+json")

_UNKNOWN = "415: Unsupported Media Type"
_NOT_FOR_CUSTOM = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
)
_NOT_FOUND = 404


class Patcher:
    """Patches objects through the operations that all writes use."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def patch(self, call: Call) -> tuple[Entry, bool]:
        """The entry written, and whether an apply created it."""
        if call.content_type in APPLY_PATCH:
            return await self._apply(call)
        current = self._operations.entry(call)
        seen = self._operations.served(call, current.obj)
        obj = self._operations.decode(call, fresh(patched(call, seen, schema_of(call.target.resource))))
        if obj["metadata"].get("name") != call.target.name:
            raise status.bad_request("metadata.name: a patch may not rename an object")
        return await self._operations.update(call, current, obj), False

    async def _apply(self, call: Call) -> tuple[Entry, bool]:
        config = self._applied_config(call)
        schema = schema_of(call.target.resource)
        author = self._operations.author(call, "Apply")
        force = call.query.get("force", "") in ("true", "1")
        try:
            current = self._operations.entry(call)
        except ApiError as error:
            if error.status["code"] != _NOT_FOUND or call.target.subresource:
                raise
            applied = fieldmanagement.apply({"metadata": {}}, config, schema, author, force=force)
            created = await self._operations.create(call, fresh(config), applied=applied.managed_fields)
            return created, True
        applied = fieldmanagement.apply(current.obj, config, schema, author, force=force)
        obj = fresh(applied.obj)
        return await self._operations.update(call, current, obj, applied=applied.managed_fields), False

    def _applied_config(self, call: Call) -> Json:
        resource, name = call.target.resource, call.target.name
        if not call.query.get("fieldManager"):
            error = FieldError.required("fieldManager", "is required for apply patch")
            raise status.invalid(resource, name, [error])
        body = parse_body(call, resource.kind)
        if body.get("kind") is None or body.get("apiVersion") is None:
            raise status.bad_request("apply: the body must name its kind and apiVersion")
        if (body.get("metadata") or {}).get("managedFields"):
            raise status.bad_request("metadata.managedFields must be nil")
        config = self._operations.decode(call, body)
        config["metadata"] = {**config["metadata"], "name": name}
        if call.target.namespace:
            config["metadata"]["namespace"] = call.target.namespace
        if call.target.subresource == "status":
            return {key: config[key] for key in ("kind", "apiVersion", "metadata", "status") if key in config}
        if resource.has_status:
            config.pop("status", None)
        return config


def patched(call: Call, obj: Json, schema: Json) -> Json:
    """`obj` with the call's patch applied. Raises an ApiError: 400, 415 or 422."""
    match call.content_type:
        case value if value == JSON_PATCH:
            return patch.json_patch(obj, _document(call))
        case value if value == MERGE_PATCH:
            merged: Json = patch.merge_patch(obj, _mapping(call))
            return merged
        case value if value == STRATEGIC_PATCH:
            if call.target.resource.custom:
                raise status.unsupported_media_type(_NOT_FOR_CUSTOM)
            return patch.strategic_patch(obj, _mapping(call), schema)
    raise status.unsupported_media_type(_UNKNOWN, {})


def _document(call: Call) -> Any:
    try:
        return orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        raise status.bad_request(f"error decoding patch: {error}") from error


def _mapping(call: Call) -> Json:
    document = _document(call)
    if not isinstance(document, dict):
        raise status.bad_request("error decoding patch: it is not an object")
    return document
