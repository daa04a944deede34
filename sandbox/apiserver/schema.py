"""Decoding objects against their schema: unknown fields are dropped and reported, defaults filled in.

Called by `operations.py` on a draft that is nobody else's yet, so both functions work in place.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.apiserver.resources import Json

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"

_GO_TYPES = {"string": "string", "integer": "int32", "number": "float64", "boolean": "bool"}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


class WrongType(Exception):
    """A built-in field holds a value that its type cannot; the text is the decoder's complaint."""


def _is_absent(value: Any, schema: Json | None) -> bool:
    """What built-in kinds do not tell from a missing field: null, and lists and maps without content."""
    if value is None:
        return True
    holds_any = schema is not None and ("items" in schema or "additionalProperties" in schema)
    return holds_any and value in ([], {})


def fits(value: Any, expected: str) -> bool:
    """Whether `value` is of a JSON schema type (a JSON boolean is not an integer)."""
    if isinstance(value, bool):
        return expected == "boolean"
    if expected == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _PYTHON_TYPES[expected])


@dataclass(slots=True)
class Decoder:
    """Prunes one object. `unknown` collects the paths of fields that were dropped.

    `strict_types` is for built-in kinds: nulls mean absence and a value of another type is refused with
    WrongType, whereas custom kinds leave both to the validation of their schema.
    """

    strict_types: bool
    unknown: list[str] = field(default_factory=list)

    def prune(self, value: Any, schema: Json, path: str = "") -> None:
        if self.strict_types:
            self._check_type(value, schema, path)
        if isinstance(value, dict):
            self._prune_object(value, schema, path)
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            for index, item in enumerate(value):
                self.prune(item, schema["items"], f"{path}[{index}]")

    def _prune_object(self, value: Json, schema: Json, path: str) -> None:
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", schema.get(PRESERVE, False))
        embedded = schema.get("x-kubernetes-embedded-resource", False)
        for name in list(value):
            where = f"{path}.{name}" if path else name
            if self.strict_types and _is_absent(value[name], known.get(name)):
                del value[name]
            elif name in known:
                self.prune(value[name], known[name], where)
            elif isinstance(others, dict):
                self.prune(value[name], others, where)
            elif not others and not (embedded and name in ("apiVersion", "kind", "metadata")):
                del value[name]
                self.unknown.append(where)

    def _check_type(self, value: Any, schema: Json, path: str) -> None:
        expected = schema.get("type")
        if expected is None or fits(value, expected):
            return
        actual = next(name for name in _PYTHON_TYPES if fits(value, name))
        wanted = _GO_TYPES.get(expected, expected)
        raise WrongType(f"json: cannot unmarshal {actual} into Go struct field .{path} of type {wanted}")


def apply_defaults(value: Any, schema: Json) -> None:
    """Fills in `default`s, as the API server does for custom resources on every write."""
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for item in value:
                apply_defaults(item, items)
    if not isinstance(value, dict):
        return
    properties = schema.get("properties", {})
    for name, inner in properties.items():
        if "default" in inner and value.get(name) is None and not (name in value and inner.get("nullable")):
            value[name] = orjson.loads(orjson.dumps(inner["default"]))
        if name in value:
            apply_defaults(value[name], inner)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for name in value.keys() - properties.keys():
            apply_defaults(value[name], others)
