"""The patch types that carry their own rules: JSON patch, merge patch and strategic merge patch.

All return a new object that shares unchanged parts with the old one. Server-side apply is in
`fieldmanagement.py`.
"""

from typing import Any

import jsonpatch
import jsonpointer
import orjson

from sandbox.apiserver.builtin_schema import MERGE_KEY
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import bad_request, unprocessable

_MAX_OPERATIONS = 10_000

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_ITEMS = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def json_patch(obj: Json, operations: Any) -> Json:
    """RFC 6902. Raises an ApiError (422) where an operation or a test does not fit the object."""
    if not isinstance(operations, list):
        raise bad_request("json patch: the body must be a list of operations")
    if len(operations) > _MAX_OPERATIONS:
        raise bad_request(f"json patch: at most {_MAX_OPERATIONS} operations are allowed")
    try:
        # The library changes nested values in place, so it gets a copy of its own.
        patched = jsonpatch.apply_patch(orjson.loads(orjson.dumps(obj)), operations, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        raise unprocessable() from error
    if not isinstance(patched, dict):
        raise unprocessable()
    return patched


def merge_patch(obj: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(obj) if isinstance(obj, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def strategic_patch(obj: Any, patch: Json, schema: Json) -> Json:
    """Kubernetes' own patch: lists with a merge key merge by item, `$` directives say what else to do."""
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != _PATCH}
    if directive == "delete":
        return {}
    merged = dict(obj) if isinstance(obj, dict) else {}
    if _RETAIN in patch:
        merged = {name: value for name, value in merged.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name in (_PATCH, _RETAIN) or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE_ITEMS):
            field = name.removeprefix(_DELETE_ITEMS)
            merged[field] = [item for item in merged.get(field, []) if item not in value]
        elif value is None:
            merged.pop(name, None)
        else:
            merged[name] = _patched_value(merged.get(name), value, _field_schema(schema, name))
    for name, order in patch.items():
        if name.startswith(_ORDER):
            _reorder(merged, name.removeprefix(_ORDER), order, schema)
    return merged


def _field_schema(schema: Json, name: str) -> Json:
    inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return inner if isinstance(inner, dict) else {}


def _patched_value(old: Any, value: Any, schema: Json) -> Any:
    if isinstance(value, dict):
        return strategic_patch(old, value, schema)
    if not isinstance(value, list) or MERGE_KEY not in schema:
        return value
    key = schema[MERGE_KEY]
    if key:
        return _merged_items(old or [], value, key, schema["items"])
    return [*(old or []), *(item for item in value if item not in (old or []))]


def _merged_items(old: list[Any], patch: list[Any], key: str, schema: Json) -> list[Any]:
    if any(item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if _PATCH not in item]
    merged = list(old)
    for item in patch:
        if key not in item:
            raise bad_request(
                f"strategic merge patch: the list item {item} does not contain its merge key {key}"
            )
        found = next((i for i, present in enumerate(merged) if present.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            merged = [present for present in merged if present.get(key) != item[key]]
        elif found is None:
            merged.append(strategic_patch({}, item, schema))
        else:
            merged[found] = strategic_patch(merged[found], item, schema)
    return merged


def _reorder(merged: Json, field: str, order: list[Any], schema: Json) -> None:
    """Items in the order asked for; those it does not name stay where they were, at the end."""
    if field not in merged:
        return
    key = _field_schema(schema, field).get(MERGE_KEY, "")
    wanted = [item[key] if key else item for item in order]
    identities = {index: (item.get(key) if key else item) for index, item in enumerate(merged[field])}
    ranks = {
        index: wanted.index(name) if name in wanted else len(wanted) for index, name in identities.items()
    }
    merged[field] = [merged[field][index] for index in sorted(ranks, key=lambda index: ranks[index])]
