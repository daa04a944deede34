"""Queries with names to fill in: the part of Go's text/template that MetricTemplates use. Pure.

    {{ namespace }}   {{ variables.code }}   {{- interval -}}   {{/* a comment */}}

The controller fills them in, admission tries it before: so both read them alike.

No expressions. What is filled in can never change what the query is: inside a PromQL string it may not end
the string, outside it may only be of the characters of names, numbers and durations. So a Canary's variables
choose what a template's author left open, and nothing else.

Read from left to right without going back: the time is in proportion to the text, whatever it says. Parsed
once for all who use it: what is kept is bounded in number, as the text is in length.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from shared.duration import render as render_duration
from shared.errors import InvalidSpec
from shared.types.canary import Canary, Metric

FUNCTIONS = ("name", "namespace", "target", "service", "ingress", "route", "interval")
"""What a template can name, beside `variables.KEY`."""

_SPACES = frozenset(" \t\r\n")
_COMMENT_START = re.compile(r"\s*/\*")
_REFERENCE = re.compile(r"(?P<function>[A-Za-z_]\w*)(?:\.(?P<key>\w+))?", re.ASCII)
_OUTSIDE, _COMMENT = "", "#"
_TURNS = {
    _OUTSIDE: re.compile("[\"'`#]"),
    _COMMENT: re.compile("\n"),
    '"': re.compile(r'\\.?|"', re.DOTALL),
    "'": re.compile(r"\\.?|'", re.DOTALL),
    "`": re.compile("`"),
}
"""Where something is opened or closed, by what is open."""
_MOST_ACTIONS = 256
"""A query has a few; with thousands, each with a long value, it would be megabytes."""
_KEPT = 256
# What may be filled in where: the key is the string or comment that is open, by its first character.
_FITTING = {
    _OUTSIDE: re.compile(r"[A-Za-z0-9_.:-]*"),
    _COMMENT: re.compile(r"[^\n]*"),
    '"': re.compile(r'(?:[^"\\\n]|\\.)*'),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*"),
    "`": re.compile(r"[^`]*"),
}


@dataclass(frozen=True, slots=True)
class _Action:
    """What stands in double braces, and the text before it."""

    literal: str
    start: int
    body: str | None
    """None for a comment."""
    opened: str = _OUTSIDE
    """Which PromQL string or comment is open there, by its first character."""


def values_of(canary: Canary, metric: Metric) -> dict[str, str]:
    """What the functions of a template stand for, by name."""
    spec = canary.spec
    target = spec.target_ref.name
    return {
        "name": canary.metadata.name,
        "namespace": canary.metadata.namespace,
        "target": target,
        "service": spec.apex_name,
        "ingress": spec.ingress_ref.name if spec.ingress_ref else target,
        "route": spec.route_ref.name if spec.route_ref else target,
        "interval": render_duration(metric.interval),
    }


def render(text: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """The query with everything filled in.

    Raises:
        InvalidSpec: the template says something else, names what is not there, or a value would change the
            query; the text has line and column.
    """
    parts: list[str] = []
    for action in _parsed(text):
        parts.append(action.literal)
        if action.body is None:
            continue
        function, key = _reference(text, action, values)
        if key and key not in variables:
            problem = f"variable {key} is not set; set templateVariables.{key} on the metric"
            raise InvalidSpec(f"{_place(text, action.start)}: {problem}")
        value = variables[key] if key else values[function]
        if not _FITTING[action.opened].fullmatch(value):
            where = f"inside {action.opened}" if action.opened else "outside of strings"
            problem = f"the value of {action.body} may not stand {where}: {value[:40]!r}"
            raise InvalidSpec(f"{_place(text, action.start)}: {problem}")
        parts.append(value)
    return "".join(parts)


def variables_of(text: str) -> frozenset[str]:
    """The keys of `variables` that the template names.

    Raises:
        InvalidSpec: the template cannot be read, whatever the variables; the text has line and column.
    """
    names = dict.fromkeys(FUNCTIONS, "")
    actions = (action for action in _parsed(text) if action.body is not None)
    return frozenset(key for _, key in (_reference(text, action, names) for action in actions) if key)


@lru_cache(_KEPT)
def _parsed(text: str) -> tuple[_Action, ...]:
    """Every action in order, with what is open there."""
    if text.count("{{") > _MOST_ACTIONS:
        raise InvalidSpec(f"must have at most {_MOST_ACTIONS} names to fill in")
    parsed: list[_Action] = []
    opened = _OUTSIDE
    for action in _actions(text):
        opened = _open_after(opened, action, text)
        parsed.append(replace(action, opened=opened))
    return tuple(parsed)


def _actions(text: str) -> Iterator[_Action]:
    """Every action in order; the last one is an empty comment at the end of the text."""
    position, strip = 0, False
    while (start := text.find("{{", position)) >= 0:
        literal = text[position:start]
        literal = literal.lstrip() if strip else literal
        inner = start + 2
        if text.startswith("-", inner) and text[inner + 1 : inner + 2] in _SPACES:
            literal, inner = literal.rstrip(), inner + 2
        body, end, strip = _action_body(text, start, inner)
        yield _Action(literal, start, body)
        position = end
    rest = text[position:]
    yield _Action(rest.lstrip() if strip else rest, len(text), None)


def _action_body(text: str, start: int, inner: int) -> tuple[str | None, int, bool]:
    """What the action says, where the text goes on, and whether space after it is left out."""
    comment = _COMMENT_START.match(text, inner)
    after = text.find("*/", comment.end()) + 2 if comment else inner
    end = text.find("}}", after) if after > 1 else -1
    if end < 0:
        raise InvalidSpec(f"{_place(text, start)}: {{{{ is never closed")
    said = text[after:end]
    strip = said.endswith("-") and said[-2:-1] in _SPACES
    said = (said[:-1] if strip else said).strip()
    if comment:
        return (None if not said else text[inner:end].strip()), end + 2, strip
    return said, end + 2, strip


def _reference(text: str, action: _Action, values: Mapping[str, str]) -> tuple[str, str]:
    """The function that is named, and the key where it is `variables`."""
    body = action.body or ""
    reference = _REFERENCE.fullmatch(body)
    if reference is None:
        problem = f"{body[:40]!r} is not supported; write a name or variables.KEY"
        raise InvalidSpec(f"{_place(text, action.start)}: {problem}")
    function, key = reference["function"], reference["key"] or ""
    if (function == "variables" and key) or (function in values and not key):
        return function, key
    known = ", ".join([*sorted(values), "variables.KEY"])
    raise InvalidSpec(f"{_place(text, action.start)}: {body[:40]} is not known; known are {known}")


def _open_after(opened: str, action: _Action, text: str) -> str:
    """Which PromQL string or comment is open after the action's literal, when `opened` was before it."""
    position = 0
    while (turn := _TURNS[opened].search(action.literal, position)) is not None:
        position = turn.end()
        if opened == _OUTSIDE:
            opened = turn[0]
        elif not turn[0].startswith("\\"):
            opened = _OUTSIDE
        elif turn[0] == "\\" and action.start < len(text):
            problem = "a backslash right before {{ }} would escape what is filled in"
            raise InvalidSpec(f"{_place(text, action.start)}: {problem}")
    return opened


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"
