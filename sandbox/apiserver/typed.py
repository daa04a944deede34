"""Whether a configuration that is applied fits the type of its kind, in the server's words where it does not.

Called by `patching.py` for server-side apply, which is stricter than other writes: whatever the client asks
about unknown fields, one is a refusal, because nobody could own it.
"""

from typing import Any

from sandbox.apiserver import gotypes
from sandbox.apiserver.fieldsets import item_key, readable
from sandbox.apiserver.resources import Json
from sandbox.apiserver.schema import INT_OR_STRING, PRESERVE, fits

_EXPECTED = {"array": "list", "object": "map"}


def complaint(value: Any, schema: Json, path: str = "") -> str:
    """The first thing that does not fit, in the order of field names; "" where everything does."""
    wrong = _type_complaint(value, schema)
    if wrong:
        return f"{path}: {wrong}"
    if isinstance(value, dict):
        return _first(_member(name, value[name], schema, path) for name in sorted(value))
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return _items(value, schema, path)
    return ""


def _first(complaints: Any) -> str:
    return next(filter(None, complaints), "")


def _type_complaint(value: Any, schema: Json) -> str:
    expected = schema.get("type")
    if value is None or expected is None or schema.get(INT_OR_STRING) or fits(value, expected):
        return ""
    if expected in ("integer", "number"):
        return f"expected numeric (int or float), got {gotypes.json_word(value, {})}"
    shown = gotypes.printed(value)
    if expected == "string":
        return f"expected string, got &value.valueUnstructured{{Value:{shown}}}"
    return f"expected {_EXPECTED.get(expected, expected)}, got &{{{shown}}}"


def _member(name: str, value: Any, schema: Json, path: str) -> str:
    known, others = schema.get("properties"), schema.get("additionalProperties")
    where = f"{path}.{name}"
    if known and name in known:
        return complaint(value, known[name], where)
    if isinstance(others, dict):
        return complaint(value, others, where)
    if not known or schema.get(PRESERVE) or schema.get("x-kubernetes-embedded-resource"):
        return ""
    return f"{where}: field not declared in schema"


def _items(items: list[Any], schema: Json, path: str) -> str:
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") != "map" or not keys:
        numbered = enumerate(items)
        return _first(complaint(item, schema["items"], f"{path}[{index}]") for index, item in numbered)
    seen: set[str] = set()
    for index, item in enumerate(items):
        wrong = _type_complaint(item, schema["items"])
        if wrong:
            return f"{path}[{index}]: {wrong}"
        if not item.keys() & set(keys) and schema["items"].get(gotypes.DEFINITION) is None:
            shown = " ".join(f'"{key}"' for key in keys)
            missing = f"associative list with keys has an element that omits all key fields [{shown}]"
            return f"{path}: element {index}: {missing} (and doesn't have default values for any key fields)"
        key = readable(item_key(item, keys))
        if key in seen:
            return f"{path}: duplicate entries for key {key}"
        seen.add(key)
        wrong = complaint(item, schema["items"], path + key)
        if wrong:
            return wrong
    return ""
