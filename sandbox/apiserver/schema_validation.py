"""Validation of custom resources against their OpenAPI schema, with the API server's wording.

`validate` reports everything that is wrong, in alphabetical order of the fields; CEL rules are in
`schema_rules.py`.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from sandbox.apiserver import schema_rules
from sandbox.apiserver.resources import Json
from sandbox.apiserver.schema import INT_OR_STRING, fits
from sandbox.apiserver.status import FieldError, quoted

# After one of these the API server does not evaluate CEL rules, and says so where there are any.
_BLOCKING = {
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
}
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


def validate(value: Json, schema: Json, old: Json | None = None) -> list[FieldError]:
    """Everything wrong with a whole custom object that was `old` before."""
    errors = list(_check(value, schema, ""))
    if not any(error.reason in _BLOCKING for error in errors):
        errors += schema_rules.problems(value, old, schema)
    elif has_rules(schema):
        errors.append(FieldError.invalid("<nil>", None, _UNCHECKED))
    return errors


def has_rules(schema: Any) -> bool:
    """Whether a schema has CEL rules anywhere."""
    if isinstance(schema, dict):
        return "x-kubernetes-validations" in schema or any(has_rules(inner) for inner in schema.values())
    return isinstance(schema, list) and any(has_rules(inner) for inner in schema)


def _check(value: Any, schema: Json, path: str) -> Iterator[FieldError]:
    if value is None and schema.get("nullable"):
        return
    mismatch = _type_error(value, schema, path)
    if mismatch:
        yield mismatch
        return
    if "enum" in schema and value not in schema["enum"]:
        yield FieldError.unsupported(path, value, schema["enum"])
    if isinstance(value, str):
        yield from _check_string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(value, schema, path)
    elif isinstance(value, list):
        yield from _check_array(value, schema, path)
    elif isinstance(value, dict):
        yield from _check_object(value, schema, path)
    yield from _check_combinations(value, schema, path)


def _type_error(value: Any, schema: Json, path: str) -> FieldError | None:
    expected = schema.get("type")
    if schema.get(INT_OR_STRING):
        right = fits(value, "integer") or isinstance(value, str)
        expected = "integer,string"
    else:
        right = expected is None or fits(value, expected)
    if right:
        return None
    shown = "null" if value is None else _type_name(value)
    message = f"Invalid value: {quoted(shown)}: {path} in body must be of type {expected}: {quoted(shown)}"
    return FieldError(path, "FieldValueTypeInvalid", message)


def _type_name(value: Any) -> str:
    return next(n for n in ("boolean", "string", "integer", "number", "array", "object") if fits(value, n))


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _check_string(value: str, schema: Json, path: str) -> Iterator[FieldError]:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield FieldError.too_long(path, schema["maxLength"])
    if "minLength" in schema and len(value) < schema["minLength"]:
        why = f"{path} in body should be at least {schema['minLength']} chars long"
        yield FieldError.invalid(path, value, why)
    if "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        yield FieldError.invalid(path, value, f"{path} in body should match '{schema['pattern']}'")
    if schema.get("format") == "date-time" and not _is_date_time(value):
        yield FieldError.invalid(path, value, f"{path} in body must be of type date-time: {quoted(value)}")


def _is_date_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _check_number(value: float, schema: Json, path: str) -> Iterator[FieldError]:
    if "minimum" in schema:
        exclusive = schema.get("exclusiveMinimum", False)
        if value < schema["minimum"] or (exclusive and value == schema["minimum"]):
            bound = "greater than" if exclusive else "greater than or equal to"
            yield FieldError.invalid(path, value, f"{path} in body should be {bound} {schema['minimum']}")
    if "maximum" in schema:
        exclusive = schema.get("exclusiveMaximum", False)
        if value > schema["maximum"] or (exclusive and value == schema["maximum"]):
            bound = "less than" if exclusive else "less than or equal to"
            yield FieldError.invalid(path, value, f"{path} in body should be {bound} {schema['maximum']}")
    if "multipleOf" in schema and value % schema["multipleOf"]:
        yield FieldError.invalid(
            path, value, f"{path} in body should be a multiple of {schema['multipleOf']}"
        )


def _check_array(value: list[Any], schema: Json, path: str) -> Iterator[FieldError]:
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield FieldError.too_many(path, len(value), schema["maxItems"])
    if "minItems" in schema and len(value) < schema["minItems"]:
        why = f"{path} in body should have at least {schema['minItems']} items"
        yield FieldError.invalid(path, len(value), why)
    yield from _check_duplicates(value, schema, path)
    if isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _check(item, schema["items"], f"{path}[{index}]")


def _check_duplicates(value: list[Any], schema: Json, path: str) -> Iterator[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    keys = schema.get("x-kubernetes-list-map-keys", [])
    seen: list[Any] = []
    for index, item in enumerate(value):
        identity = item if kind == "set" else {key: item.get(key) for key in keys}
        if identity in seen:
            yield FieldError.duplicate(f"{path}[{index}]", identity)
        seen.append(identity)


def _check_object(value: Json, schema: Json, path: str) -> Iterator[FieldError]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield FieldError.required(_join(path, name))
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield FieldError.too_many(path, len(value), schema["maxProperties"])
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        why = f"{path} in body should have at least {schema['minProperties']} properties"
        yield FieldError.invalid(path, len(value), why)
    for name in sorted(properties):
        if name in value:
            yield from _check(value[name], properties[name], _join(path, name))
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for name in value:
            if name not in properties:
                yield from _check(value[name], others, _join(path, name))


def _check_combinations(value: Any, schema: Json, path: str) -> Iterator[FieldError]:
    for inner in schema.get("allOf", ()):
        yield from _check(value, inner, path)
    for word in ("anyOf", "oneOf"):
        if word not in schema or schema.get(INT_OR_STRING):
            continue
        matching = sum(not any(_check(value, inner, path)) for inner in schema[word])
        if matching == 0 or (word == "oneOf" and matching > 1):
            scope = "one and only one schema" if word == "oneOf" else "at least one schema"
            found = "none valid" if matching == 0 else f"{matching} valid alternatives"
            text = f'Invalid value: {quoted(value)}: "{path}" must validate {scope} ({word}). Found {found}'
            yield FieldError(path, "FieldValueInvalid", text)
    if "not" in schema and not any(_check(value, schema["not"], path)):
        text = f'Invalid value: {quoted(value)}: "{path}" must not validate the schema (not)'
        yield FieldError(path, "FieldValueInvalid", text)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
