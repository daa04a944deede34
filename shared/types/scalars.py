"""The kinds of value that fields have: whole numbers with bounds, durations, names, addresses.

Used by the models of this package. Apart because each is said twice, once for people (the message of a
problem) and once for the API server (the schema of the CRD), and the two must say the same.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, LiteralString

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from shared.duration import PART, parse, render

RULES = "x-kubernetes-validations"
"""The schema's key for CEL rules, which the API server evaluates."""


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a number, both included. Unlike `ge` and `le`, its message names both."""

    low: int
    high: int

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "minimum": self.low, "maximum": self.high}

    def _check(self, value: int) -> int:
        if self.low <= value <= self.high:
            return value
        raise PydanticCustomError(
            "between", "must be between {low} and {high}", {"low": self.low, "high": self.high}
        )


@dataclass(frozen=True, slots=True)
class Matches:
    """A pattern for the whole of a string, and the words for it."""

    pattern: str
    words: LiteralString

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}

    def _check(self, value: str) -> str:
        if re.fullmatch(self.pattern, value, re.ASCII):
            return value
        raise PydanticCustomError("pattern", self.words)


def exactly_one(*fields: str) -> dict[str, Any]:
    """A schema's rule that one of the fields is there; `check_exactly_one` is the same for models."""
    count = " + ".join(f"(has(self.{field}) ? 1 : 0)" for field in fields)
    return {RULES: [{"rule": f"{count} == 1", "message": _one_of(fields)}]}


def check_exactly_one(values: dict[str, object]) -> None:
    """Refuse anything but one value that is not None, by field name."""
    if sum(value is not None for value in values.values()) != 1:
        raise PydanticCustomError("exactly_one", "{words}", {"words": _one_of(tuple(values))})


def _one_of(fields: tuple[str, ...]) -> str:
    return f"exactly one of {', '.join(fields[:-1])} and {fields[-1]} must be set"


def _duration(value: object) -> object:
    """Text to timedelta; a timedelta stays, so that code can build models."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be a string")
    try:
        parsed = parse(value)
    except ValueError as error:
        raise PydanticCustomError("duration", "must be a duration such as 30s, 1m30s or 500ms") from error
    if parsed <= timedelta():
        raise PydanticCustomError("duration", "must be longer than zero")
    return parsed


def _target_port(value: object) -> object:
    """A port by number or name. 0 and "0" stand for none, as in Flagger."""
    if value in (0, "0"):
        return 0
    if type(value) is int and 1 <= value <= LAST_PORT:
        return value
    if isinstance(value, str) and re.fullmatch(_PORT_NAME, value):
        return value
    raise PydanticCustomError(
        "target_port", "must be a port between 1 and 65535, or a port name of at most 15 lower case letters"
    )


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


LAST_PORT = 65535
_PORT_NAME = "[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?"
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

Whole = Annotated[int, Strict()]
"""A whole number. Flagger's schema takes 2.5 too, and then its client stops for all Canaries."""
Count = Annotated[Whole, Between(0, 2**31 - 1)]
Percent = Annotated[Whole, Between(0, 100)]
Weight = Annotated[Whole, Between(1, 100)]
"""A percentage that is not zero."""
Port = Annotated[Whole, Between(1, LAST_PORT)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]

TargetPort = Annotated[
    int | str,
    BeforeValidator(_target_port),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 15,
            RULES: [
                {
                    "rule": f"type(self) == int ? self >= 0 && self <= {LAST_PORT}"
                    f" : self.matches('^{_PORT_NAME}$')",
                    "message": "must be a port between 1 and 65535, or a port name",
                }
            ],
        }
    ),
]

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(render, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 64,
            "pattern": f"^({PART})+$",
            RULES: [{"rule": "duration(self) > duration('0s')", "message": "must be longer than zero"}],
        }
    ),
]

Time = Annotated[
    AwareDatetime,
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, to the second, as Kubernetes writes it."""

Text = Annotated[str, StringConstraints(max_length=1024)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
LabelName = Annotated[
    str,
    StringConstraints(max_length=63),
    Matches(_LABEL, "must be lower case letters, digits and '-', and start and end with a letter or digit"),
]
ServiceName = Annotated[
    str,
    StringConstraints(max_length=63 - len("-primary")),
    Matches(
        "[a-z]([-a-z0-9]*[a-z0-9])?", "must be lower case letters, digits and '-', and start with a letter"
    ),
]
"""A Service's name that leaves room for what is appended to it."""
Address = Annotated[
    str,
    StringConstraints(max_length=2048),
    Matches(r"https?://[^\s/?#]+[^\s]*", "must be an absolute http or https URL"),
]
Query = Annotated[str, StringConstraints(min_length=1, max_length=16384)]

Texts = Annotated[tuple[Text, ...], Field(max_length=128)]
Variables = Annotated[dict[Name, Text], Field(max_length=64)]
LongTexts = Annotated[dict[Name, Annotated[str, StringConstraints(max_length=16384)]], Field(max_length=64)]
"""Annotations, scripts, and what else maps short keys to texts of any kind."""
