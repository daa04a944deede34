"""V26: fields that no schema knows, in all three kinds. Apart because it walks models, not objects."""

import difflib
import types
import typing
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from typing import Any

from pydantic import BaseModel

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.wording import invalid
from shared.errors import Problem
from shared.types.alert import AlertProviderSpec
from shared.types.canary import CanarySpec
from shared.types.meta import Wire
from shared.types.metric import MetricTemplateSpec

MOST = 20
"""Fields that are told of. To find what each was meant to be takes time, and a person reads no more."""
_ELSEWHERE = frozenset({"spec.canaryAnalysis"})
"""Fields that a rule of their own is about."""


def _known(spec: type[Wire]) -> Callable[[Change[Any], Lookup], Iterator[Problem]]:
    def check(change: Change[Any], _: Lookup) -> Iterator[Problem]:
        """Every field is one that the schema knows.

        The API server drops the others without refusing the object, so a misspelt field does nothing.

            spec.analysis.stepWieght: Invalid value: 10: is no field and will be dropped; did you
            mean stepWeight?
        """
        return islice(_unknown(spec, "spec", (change.raw_new or {}).get("spec")), MOST)

    return check


canary_fields = _known(CanarySpec)
metric_template_fields = _known(MetricTemplateSpec)
alert_provider_fields = _known(AlertProviderSpec)


Walk = Callable[[str, object], Iterator[Problem]]
"""Finds the unknown fields in a value, which stands at a path."""


def _unknown(model: type[BaseModel], path: str, value: object) -> Iterator[Problem]:
    if not isinstance(value, dict):
        return
    fields = _fields(model)
    for name, inner in value.items():
        if name not in fields:
            if (field := f"{path}.{name}") not in _ELSEWHERE:
                near = difflib.get_close_matches(str(name), fields, n=1)
                way = f"; did you mean {near[0]}?" if near else "; remove it"
                yield invalid(field, _shown(inner), f"is no field and will be dropped{way}")
        elif (walk := fields[name]) is not None:
            yield from walk(f"{path}.{name}", inner)


def _in_list(walk: Walk, path: str, value: object) -> Iterator[Problem]:
    for index, each in enumerate(value if isinstance(value, list) else ()):
        yield from walk(f"{path}[{index}]", each)


def _in_map(walk: Walk, path: str, value: object) -> Iterator[Problem]:
    for key, each in (value if isinstance(value, dict) else {}).items():
        yield from walk(f"{path}.{key}", each)


@cache
def _fields(model: type[BaseModel]) -> dict[str, Walk | None]:
    """What to do with the value of each field, by its name in the API; nothing where no fields are in it."""
    return {field.alias or name: _inside(field.annotation) for name, field in model.model_fields.items()}


def _inside(declared: object) -> Walk | None:
    """How to look into a value of a type: a model, or a list or map of models."""
    kind = _bare(declared)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return partial(_unknown, kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin not in (tuple, dict):
        return None
    walk = _inside(arguments[0 if origin is tuple else 1])
    return None if walk is None else partial(_in_list if origin is tuple else _in_map, walk)


def _bare(kind: object) -> object:
    """The type without Annotated and without the choice of None."""
    if typing.get_origin(kind) is typing.Annotated:
        return _bare(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        (first, *_) = (each for each in typing.get_args(kind) if each is not type(None))
        return _bare(first)
    return kind


def _shown(value: object) -> object:
    """The value, or the word for what is too long to show."""
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    return value
