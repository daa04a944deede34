"""Decoding objects against their schema: unknown fields are dropped and reported, defaults filled in.

Called by `operations.py` on a draft that is nobody else's yet, so both functions work in place.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from sandbox.apiserver import gotypes, quantities
from sandbox.apiserver.resources import Json

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_INT32_LIMIT, _INT64_LIMIT = 2**31, 2**63


class WrongType(Exception):
    """A built-in field holds a value that its type cannot. The text is the complaint of the JSON decoder."""

    def __init__(self, value: Any, schema: Json) -> None:
        super().__init__()
        self._value = value
        self._schema = schema
        self._owner = ""
        self._names: list[str] = []

    def found_in(self, name: str, schema: Json) -> None:
        """Told from the inside out: in which field of an object of which schema this was found."""
        self._names.insert(0, name)
        self._owner = self._owner or gotypes.name_of(schema)

    def __str__(self) -> str:
        why = self._unreadable()
        if why:
            return why
        found = gotypes.json_word(self._value, self._schema)
        wanted = gotypes.type_of(self._schema)
        field_name = f"{self._owner}.{'.'.join(self._names)}"
        return f"json: cannot unmarshal {found} into Go struct field {field_name} of type {wanted}"

    @property
    def conversion(self) -> str:
        """The complaint in the words of the converter that a strategic merge patch goes through."""
        return self._unreadable() or gotypes.conversion_error(self._value, self._schema)

    def _unreadable(self) -> str:
        """What is wrong with the text of a value of the right JSON type."""
        match self._schema.get("format"):
            case "quantity":
                return quantities.WHY
            case "date-time" if isinstance(self._value, str):
                shown = orjson.dumps(self._value).decode()
                layout = "2006-01-02T15:04:05Z07:00"
                return f'parsing time {shown} as "{layout}": cannot parse {shown} as "2006"'
            case "byte" if isinstance(self._value, str):
                return f"illegal base64 data at input byte {_first_bad(self._value)}"
        return ""


def _first_bad(text: str) -> int:
    found = re.search(r"[^A-Za-z0-9+/]", text)
    return found.start() if found else len(text)


def _is_absent(value: Any, schema: Json | None) -> bool:
    """What built-in kinds do not tell from a missing field: null, and lists and maps without content."""
    if value is None:
        return True
    if schema is None:
        return False
    return value == [] if "items" in schema else value == {} and "additionalProperties" in schema


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

    `strict_types` is for built-in kinds: nulls mean absence, quantities get their one form, and a value of
    another type is refused with WrongType, whereas custom kinds leave all that to the validation of their
    schema.
    """

    strict_types: bool
    unknown: list[str] = field(default_factory=list)

    def prune(self, value: Any, schema: Json, path: str = "", seen: Any = None) -> None:
        """`seen` is what was decoded before in the same place: parts that are alike are right already."""
        if self.strict_types:
            self._check_type(value, schema)
        if isinstance(value, dict):
            self._prune_object(value, schema, path, seen if isinstance(seen, dict) else {})
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            before = seen if isinstance(seen, list) and len(seen) == len(value) else [None] * len(value)
            for index, (item, old) in enumerate(zip(value, before, strict=True)):
                if item is None and self.strict_types and schema["items"].get("type") == "object":
                    value[index] = {}  # as Go reads it
                elif old is None or not _alike(item, old):
                    self.prune(item, schema["items"], f"{path}[{index}]", old)

    def _prune_object(self, value: Json, schema: Json, path: str, seen: Json) -> None:
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", schema.get(PRESERVE, False))
        embedded = schema.get("x-kubernetes-embedded-resource", False)
        for name in list(value):
            if name in seen and _alike(value[name], seen[name]):
                continue
            where = f"{path}.{name}" if path else name
            if self.strict_types and _is_absent(value[name], known.get(name)):
                del value[name]
            elif name in known:
                try:
                    self.prune(value[name], known[name], where, seen.get(name))
                except WrongType as error:
                    error.found_in(name, schema)
                    raise
            elif isinstance(others, dict):
                self.prune(value[name], others, where, seen.get(name))
            elif not others and not (embedded and name in ("apiVersion", "kind", "metadata")):
                del value[name]
                self.unknown.append(where)
            if self.strict_types and _schema_of(name, known, others).get("format") == "quantity":
                value[name] = quantities.canonical(value[name])

    def _check_type(self, value: Any, schema: Json) -> None:
        expected, form = schema.get("type"), schema.get("format")
        if expected is None:
            right = not schema.get(INT_OR_STRING) or fits(value, "integer") or isinstance(value, str)
        else:
            right = fits(value, expected)
        if not right or (form is not None and not _FORMATS[form](value)):
            raise WrongType(value, schema)


def _alike(value: Any, seen: Any) -> bool:
    """Whether both are the same JSON: unlike for Python, 1 and true are not."""
    return type(value) is type(seen) and orjson.dumps(value) == orjson.dumps(seen)


def _schema_of(name: str, known: Json, others: Any) -> Json:
    found = known.get(name, others)
    return found if isinstance(found, dict) else {}


def _is_quantity(value: Any) -> bool:
    try:
        quantities.worth(str(value))
    except ValueError:
        return False
    return True


def _is_moment(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_base64(value: str) -> bool:
    try:
        binascii.a2b_base64(value.replace("\n", ""), strict_mode=True)
    except ValueError:
        return False
    return True


_FORMATS: dict[str, Callable[[Any], bool]] = {
    "quantity": _is_quantity,
    "date-time": _is_moment,
    "byte": _is_base64,
    "int32": lambda value: -_INT32_LIMIT <= value < _INT32_LIMIT,
    "int64": lambda value: -_INT64_LIMIT <= value < _INT64_LIMIT,
}


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
