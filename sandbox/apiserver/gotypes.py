"""How a real API server, a Go program, names types and values in its complaints about built-in kinds.

Used by `schema.py`. People and programs read these words, so they are the real ones.
"""

import re
from typing import Any

from sandbox.apiserver.resources import Json

DEFINITION = "x-definition"
"""Where a schema names the type that it describes as the `kubernetes` package does: `V1DeploymentSpec`."""

_DEFINITION = re.compile(r"[A-Z]?[A-Za-z]*?V\d+(?:alpha\d+|beta\d+)?(\w+)")
_SCALARS = {"string": "string", "boolean": "bool", "number": "float64"}
_CONVERTED: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    dict: "map",
    list: "slice",
}


def name_of(schema: Json) -> str:
    """`DeploymentSpec` for the schema of V1DeploymentSpec; empty for what has no name."""
    found = _DEFINITION.fullmatch(schema.get(DEFINITION, ""))
    return found[1] if found else ""


def type_of(schema: Json) -> str:
    """`int32`, `v1.DeploymentSpec`, `[]v1.Container`."""
    name, kind = name_of(schema), schema.get("type", "")
    if name:
        return f"v1.{name}"
    if kind == "array":
        return f"[]{type_of(schema['items'])}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"map[string]{type_of(values)}" if isinstance(values, dict) else "map[string]interface {}"
    return _SCALARS.get(kind) or schema.get("format", "int32")


def json_word(value: Any, schema: Json) -> str:
    """What a JSON decoder calls a value; a number that does not fit a whole number is shown."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if schema.get("type") == "integer" else "number"
    words: dict[type, str] = {str: "string", dict: "object", list: "array"}
    return words.get(type(value), "null")


def conversion_error(value: Any, schema: Json) -> str:
    """Why a value of a patch does not convert to a field's type."""
    found, wanted = _CONVERTED.get(type(value), "nil"), type_of(schema)
    match schema.get("type"):
        case "array":
            return f"cannot restore slice from {found}"
        case "object" if "additionalProperties" in schema:
            return f"cannot restore map from {found}"
        case "object":
            return f"cannot restore struct from: {found}"
        case None:
            return f"json: cannot unmarshal {found} into Go value of type {wanted}"
    numeric = found in ("int64", "float64") and wanted != "bool"
    return f"cannot convert {found} to {wanted}" if numeric else f"unrecognized type: {wanted}"


def printed(value: Any) -> str:
    """A value as `%+v` prints it: maps as `map[a:b]` in the order of their keys, lists as `[a b]`."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{printed(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(printed, value))}]"
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
    return str(value)
