"""The patch types that carry their own rules: JSON patch, merge patch and strategic merge patch.

All return a new object that shares unchanged parts with the old one. Server-side apply is in
`fieldmanagement.py`.
"""

from typing import Any

import jsonpatch
import jsonpointer
import orjson

from sandbox.apiserver import gotypes
from sandbox.apiserver.builtin_schema import MERGE_KEY
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import ApiError, bad_request, too_many_operations, unexplained, unprocessable

_MAX_OPERATIONS = 10_000

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_ITEMS = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def json_patch(obj: Json, operations: Any) -> Json:
    """RFC 6902. Raises an ApiError (422) where an operation or a test does not fit the object."""
    if not isinstance(operations, list):
        raise _wrong_operations(operations, "[]handlers.jsonPatchOp")
    for operation in operations:
        if not isinstance(operation, dict):
            raise _wrong_operations(operation, "handlers.jsonPatchOp")
    if len(operations) > _MAX_OPERATIONS:
        raise too_many_operations(_MAX_OPERATIONS, len(operations))
    try:
        # The library changes nested values in place, so it gets a copy of its own.
        patched = jsonpatch.apply_patch(orjson.loads(orjson.dumps(obj)), operations, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        raise unprocessable() from error
    if not isinstance(patched, dict):
        raise unprocessable()
    return patched


def _wrong_operations(found: Any, wanted: str) -> ApiError:
    word = gotypes.json_word(found, {})
    return bad_request(f"error decoding patch: json: cannot unmarshal {word} into Go value of type {wanted}")


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
    match patch.get(_PATCH):
        case "replace":
            return {name: value for name, value in patch.items() if name != _PATCH}
        case "delete":
            return {}
        case None | "merge":
            return _merged_object(obj if isinstance(obj, dict) else {}, patch, schema)
        case other:
            raise unexplained(f"unknown patch type: {other} in map: {gotypes.printed(patch)}")


def _merged_object(old: Json, patch: Json, schema: Json) -> Json:
    retained = patch.get(_RETAIN)
    merged = dict(old) if retained is None else {n: v for n, v in old.items() if n in retained}
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
            _reorder(merged, old, name.removeprefix(_ORDER), order, schema)
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
    return _in_order([*(old or []), *(item for item in value if item not in (old or []))], old or [], value)


def _merged_items(old: list[Any], patch: list[Any], key: str, schema: Json) -> list[Any]:
    _check_items(old, patch, key)
    if any(item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if _PATCH not in item]
    merged = list(old)
    for item in patch:
        found = next((i for i, present in enumerate(merged) if present.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            merged = [present for present in merged if present.get(key) != item[key]]
        elif found is None:
            merged.append(strategic_patch({}, item, schema))
        else:
            merged[found] = strategic_patch(merged[found], item, schema)
    return _in_order(merged, old, [{key: item[key]} for item in patch], key)


def _check_items(old: list[Any], patch: list[Any], key: str) -> None:
    if not all(isinstance(item, dict) for item in patch):
        raise unexplained(f": {gotypes.printed([old, patch])}")
    for item in patch:
        if key not in item and _PATCH not in item:
            raise unexplained(f"map: {gotypes.printed(item)} does not contain declared merge key: {key}")


def _reorder(merged: Json, old: Json, field: str, order: list[Any], schema: Json) -> None:
    if field in merged:
        key = _field_schema(schema, field).get(MERGE_KEY, "")
        merged[field] = _in_order(merged[field], old.get(field) or [], order, key)


def _in_order(items: list[Any], old: list[Any], order: list[Any], key: str = "") -> list[Any]:
    """Items that the patch names, in its order, woven into the others: an item goes before a named one only
    where it did so before.
    """

    def names(values: list[Any]) -> list[Any]:
        return [value.get(key) if key else value for value in values]

    before, wanted = names(old), names(order)
    by_name = dict(zip(map(repr, names(items)), items, strict=True))
    named = [name for name in wanted if repr(name) in by_name]
    others = [name for name in names(items) if name not in wanted]
    woven: list[Any] = []
    for name in named:
        while others and name in before and before.index(others[0]) < before.index(name):
            woven.append(others.pop(0))
        woven.append(name)
    return [by_name[repr(name)] for name in (*woven, *others)]
