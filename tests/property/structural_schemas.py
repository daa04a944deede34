"""Random objects for a structural schema, and what the API server does with one: prune and default."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from shared.duration import PART
from shared.types.meta import Json

_TEXT = st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs"])
_DURATION = f"^({PART})+$"
_FREE = st.dictionaries(
    st.text(_TEXT, max_size=5), st.none() | st.integers() | st.text(_TEXT, max_size=5), max_size=3
)


def objects(schema: Json) -> st.SearchStrategy[Any]:
    """Values that a schema allows. Of its CEL rules "exactly one of" is kept; the parts keep the others."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 65535) | st.from_regex("[a-z]([-a-z0-9]{0,13}[a-z0-9])?", fullmatch=True)
    match schema.get("type"):
        case "string":
            return _strings(schema)
        case "integer":
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31 - 1))
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "array":
            bounds = {"min_size": schema.get("minItems", 0), "max_size": min(schema.get("maxItems", 3), 3)}
            return st.lists(objects(schema["items"]), **bounds)
        case "object":
            return _maps(schema)
    raise AssertionError(f"no strategy for {schema}")


def _strings(schema: Json) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by contract
        return moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if schema.get("pattern") == _DURATION:
        parts = st.tuples(st.integers(1, 10_000), st.sampled_from(["ms", "s", "m", "h"]))
        return parts.map(lambda part: f"{part[0]}{part[1]}")
    if "pattern" in schema:
        longest = schema.get("maxLength", 100)
        texts = st.from_regex(schema["pattern"].removesuffix("$") + r"\Z")
        return texts.filter(lambda text: len(text) <= longest)
    return st.text(_TEXT, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 10), 10))


def _maps(schema: Json) -> st.SearchStrategy[Json]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return _FREE
    if "additionalProperties" in schema:
        keys = st.text(_TEXT, min_size=1, max_size=5)
        return st.dictionaries(keys, objects(schema["additionalProperties"]), max_size=3)
    fields = {name: objects(child) for name, child in schema.get("properties", {}).items()}
    needed = set(schema.get("required", ()))
    required = {name: field for name, field in fields.items() if name in needed}
    optional = {name: field for name, field in fields.items() if name not in needed}
    maps: st.SearchStrategy[Json] = st.fixed_dictionaries(required, optional=optional)
    for rule in schema.get("x-kubernetes-validations", ()):
        if rule["message"].startswith("exactly one of "):
            maps = _exactly_one(
                maps, fields, [name for name in fields if f"has(self.{name})" in rule["rule"]]
            )
    return maps


def _exactly_one(
    maps: st.SearchStrategy[Json], fields: dict[str, st.SearchStrategy[Any]], names: list[str]
) -> st.SearchStrategy[Json]:
    """The same maps with one of the fields, and without the others."""
    choices = st.one_of([st.tuples(st.just(name), fields[name]) for name in names])
    return st.builds(
        lambda whole, choice: (
            {key: value for key, value in whole.items() if key not in names} | dict([choice])
        ),
        maps,
        choices,
    )


def pruned(value: Any, schema: Json) -> Any:
    """The value without what the schema does not know."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    if isinstance(value, dict):
        if "additionalProperties" in schema:
            return {name: pruned(child, schema["additionalProperties"]) for name, child in value.items()}
        known = schema.get("properties", {})
        return {name: pruned(child, known[name]) for name, child in value.items() if name in known}
    if isinstance(value, list):
        return [pruned(child, schema["items"]) for child in value]
    return value


def defaulted(value: Any, schema: Json) -> Any:
    """The value with the schema's defaults where it says nothing."""
    if isinstance(value, list):
        return [defaulted(child, schema["items"]) for child in value]
    if not isinstance(value, dict) or not schema or schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    if "additionalProperties" in schema:
        return {name: defaulted(child, schema["additionalProperties"]) for name, child in value.items()}
    known = schema.get("properties", {})
    filled = {name: child["default"] for name, child in known.items() if "default" in child}
    return filled | {name: defaulted(child, known.get(name, {})) for name, child in value.items()}
