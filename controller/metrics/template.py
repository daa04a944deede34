"""Queries with names to fill in: the part of Go's text/template that MetricTemplates use. Pure.

    {{ namespace }}   {{ variables.code }}   {{- interval -}}   {{/* a comment */}}

No expressions. What is filled in can never change what the query is: inside a PromQL string it may not end
the string, outside it may only be of the characters of names, numbers and durations. So a Canary's variables
choose what a template's author left open, and nothing else.
"""

import re
from collections.abc import Mapping

from shared.duration import render as render_duration
from shared.errors import InvalidSpec
from shared.types.canary import Canary, Metric

_ACTION = re.compile(
    r"\{\{(?P<left>-\s)?\s*(?:/\*(?:(?!\*/).)*\*/|(?P<body>.*?))\s*(?P<right>(?<=\s)-)?\}\}", re.DOTALL
)
_REFERENCE = re.compile(r"(?P<function>[A-Za-z_]\w*)(?:\.(?P<key>\w+))?", re.ASCII)

_OUTSIDE, _COMMENT = "", "#"
_STRINGS = "\"'`"
# What may be filled in where: the key is the string or comment that is open, by its first character.
_FITTING = {
    _OUTSIDE: re.compile(r"[A-Za-z0-9_.:-]*"),
    _COMMENT: re.compile(r"[^\n]*"),
    '"': re.compile(r'(?:[^"\\\n]|\\.)*'),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*"),
    "`": re.compile(r"[^`]*"),
}


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
    rendered, position, opened, strip_next = "", 0, _OUTSIDE, False
    for action in _ACTION.finditer(text):
        literal = text[position : action.start()]
        literal = literal.lstrip() if strip_next else literal
        literal = literal.rstrip() if action["left"] else literal
        rendered += literal
        if (body := action["body"]) is not None:
            at = _place(text, action.start())
            opened = _open_after(opened, literal, at)
            value = _lookup(body, at, values, variables)
            if not _FITTING[opened].fullmatch(value):
                where = f"inside {opened}" if opened else "outside of strings"
                raise InvalidSpec(f"{at}: the value of {body} may not stand {where}: {value[:40]!r}")
            rendered += value
        position, strip_next = action.end(), action["right"] is not None
    rest = text[position:]
    if (unclosed := rest.find("{{")) >= 0:
        raise InvalidSpec(f"{_place(text, position + unclosed)}: {{{{ is never closed")
    return rendered + (rest.lstrip() if strip_next else rest)


def _lookup(body: str, at: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    reference = _REFERENCE.fullmatch(body)
    if reference is None:
        raise InvalidSpec(f"{at}: {body[:40]!r} is not supported; write a name or variables.KEY")
    function, key = reference["function"], reference["key"]
    if function == "variables" and key:
        if key not in variables:
            raise InvalidSpec(f"{at}: variable {key} is not set; set templateVariables.{key} on the metric")
        return variables[key]
    if key or function not in values:
        known = ", ".join([*sorted(values), "variables.KEY"])
        raise InvalidSpec(f"{at}: {body[:40]} is not known; known are {known}")
    return values[function]


def _open_after(opened: str, text: str, at: str) -> str:
    """Which PromQL string or comment is open after `text`, when `opened` was before it."""
    chars = iter(text)
    for char in chars:
        if opened == _OUTSIDE:
            opened = char if char in _STRINGS or char == _COMMENT else _OUTSIDE
        elif opened == _COMMENT:
            opened = _OUTSIDE if char == "\n" else _COMMENT
        elif char == "\\" and opened != "`":
            if next(chars, "") == "":
                raise InvalidSpec(f"{at}: a backslash right before {{{{ }}}} would escape what is filled in")
        elif char == opened:
            opened = _OUTSIDE
    return opened


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"
