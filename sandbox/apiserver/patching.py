"""The PATCH verb: applies a patch of any type to the object as the client sees it, and writes the result.

Called by `handlers.py`. The rules of the types themselves are in `patch.py` and `fieldmanagement.py`.
"""

from functools import partial
from typing import Any

import orjson

from sandbox.apiserver import bodies, fieldmanagement, gotypes, patch, status, typed
from sandbox.apiserver.decoding import Fault, Refuse, check_place, schema_of
from sandbox.apiserver.operations import Operations
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Json, ResourceType
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
_OPERATIONS, _MAPPING = "[]handlers.jsonPatchOp", "map[string]interface {}"


class Patcher:
    """Patches objects through the operations that all writes use."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def patch(self, call: Call) -> tuple[Entry, bool]:
        """The entry written, and whether an apply created it."""
        if call.content_type in APPLY_PATCH:
            return await self._apply(call)
        return await self._operations.on_current(call, partial(self._patched, call)), False

    async def _patched(self, call: Call, current: Entry) -> Entry:
        seen = self._operations.served(call, current.obj)
        outcome = patched(call, seen, schema_of(call.target.resource))
        obj = self._operations.decode(call, fresh(outcome), _refusal(call, outcome), seen)
        check_place(call, obj["metadata"])
        return await self._operations.update(call, current, obj)

    async def _apply(self, call: Call) -> tuple[Entry, bool]:
        config = self._applied_config(call)
        schema = schema_of(call.target.resource)
        author = self._operations.author(call, "Apply")
        force = call.query.get("force", "") in ("true", "1")

        async def attempt(current: Entry) -> Entry:
            applied = fieldmanagement.apply(current.obj, config, schema, author, force=force)
            obj = fresh(applied.obj)
            return await self._operations.update(call, current, obj, applied=applied.managed_fields)

        try:
            return await self._operations.on_current(call, attempt), False
        except ApiError as error:
            if error.status["code"] != _NOT_FOUND or call.target.subresource:
                raise
            applied = fieldmanagement.apply({"metadata": {}}, config, schema, author, force=force)
            created = await self._operations.create(call, fresh(config), applied=applied.managed_fields)
            return created, True

    def _applied_config(self, call: Call) -> Json:
        resource, name = call.target.resource, call.target.name
        if not call.query.get("fieldManager"):
            error = FieldError.required("fieldManager", "is required for apply patch")
            raise status.invalid(resource, name, [error])
        body = bodies.parse_applied(call)
        group_version, kind = body.get("apiVersion") or "", body.get("kind") or ""
        if (group_version, kind) != (resource.api_version, resource.kind):
            shown = group_version if "/" in group_version else f"/{group_version}"
            raise status.bad_request(f"invalid object type: {shown}, Kind={kind}")
        metadata = body.get("metadata") or {}
        if isinstance(metadata, dict) and metadata.get("managedFields"):
            raise status.bad_request("metadata.managedFields must be nil")
        wrong = typed.complaint(body, schema_of(resource))
        if wrong:
            place = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
            what = f"{place}; {resource.api_version}, Kind={resource.kind}"
            raise status.unexplained(f"failed to create typed patch object ({what}): {wrong}")
        config = self._operations.decode(call, body)
        check_place(call, config["metadata"])
        if call.target.subresource == "status":
            return {key: config[key] for key in ("kind", "apiVersion", "metadata", "status") if key in config}
        if resource.has_status:
            config.pop("status", None)
        return config


def _refusal(call: Call, outcome: Json) -> Refuse:
    """What is said of a patch that leads to no object of the kind.

    It shows what it is about: the patch itself where it is a strategic one, else its outcome.
    """

    def refuse(_: ResourceType, fault: Fault) -> ApiError:
        if call.content_type == STRATEGIC_PATCH:
            return status.invalid_patch(gotypes.printed(orjson.loads(call.body)), fault.conversion)
        return status.invalid_patch(orjson.dumps(outcome).decode(), fault.decoding)

    return refuse


def patched(call: Call, obj: Json, schema: Json) -> Json:
    """`obj` with the call's patch applied. Raises an ApiError: 400, 415 or 422."""
    match call.content_type:
        case value if value == JSON_PATCH:
            return patch.json_patch(obj, _parsed(call, _OPERATIONS))
        case value if value == MERGE_PATCH:
            merged = patch.merge_patch(obj, _parsed(call, _MAPPING))
            if not isinstance(merged, dict):
                raise status.bad_request("Invalid JSON Patch")
            return merged
        case value if value == STRATEGIC_PATCH:
            if call.target.resource.custom:
                raise status.unsupported_media_type(_NOT_FOR_CUSTOM)
            return patch.strategic_patch(obj, _parsed(call, _MAPPING), schema)
    raise status.unsupported_media_type(_UNKNOWN, {})


def _parsed(call: Call, expected: str) -> Any:
    """The document of a patch. `expected` is the type that a Go program would read it into."""
    prefix = "" if call.content_type == STRATEGIC_PATCH else "error decoding patch: "
    try:
        document, _ = bodies.read(call.body, is_yaml=False)
    except bodies.Unreadable as error:
        raise status.bad_request(f"{prefix}{error}") from error
    if document is not None and not isinstance(document, list if expected == _OPERATIONS else dict):
        found = gotypes.json_word(document, {})
        raise status.bad_request(f"{prefix}json: cannot unmarshal {found} into Go value of type {expected}")
    return document
