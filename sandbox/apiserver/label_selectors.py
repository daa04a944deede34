"""Label selectors as text: `a=b,tier in (web, db),!canary`, and what is said of those that cannot be read.

    text -> tokens -> requirements: predicates of an object's labels

Called by `selectors.py`. The refusals are those of the real parser, which reads from left to right.
"""

import re
from collections.abc import Callable, Mapping

from sandbox.apiserver.naming import label_value, qualified
from sandbox.apiserver.status import bad_request, quoted

Labels = Mapping[str, str]
Requirement = Callable[[Labels], bool]

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^=!<>(),\s]+)")
_SYMBOLS = {"==", "!=", "=", "!", "<", ">", "(", ")", ","}
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")
_EXACT = ("=", "==", "!=", "<", ">")
_END = ""


class _Unreadable(Exception):
    """The text is no selector; says why."""


class _Tokens:
    """The tokens of a text, of which one can be looked at before it is taken."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._position = 0

    def peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else _END

    def take(self) -> str:
        token = self.peek()
        self._position += 1
        return token


def parse(text: str) -> tuple[Requirement, ...]:
    """Raises an ApiError (400)."""
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    if tokens.peek() == _END:
        return ()
    if not _is_name(tokens.peek()) and tokens.peek() != "!":
        raise bad_request(f"found '{tokens.peek()}', expected: !, identifier, or 'end of string'")
    while True:
        try:
            requirements.append(_requirement(tokens))
        except _Unreadable as why:
            raise bad_request(f"unable to parse requirement: {why}") from None
        separator = tokens.take()
        if separator == _END:
            return tuple(requirements)
        if separator != ",":
            raise bad_request(f"found '{separator}', expected: ',' or 'end of string'")
        if not _is_name(tokens.peek()) and tokens.peek() != "!":
            raise bad_request(f"found '{tokens.peek()}', expected: identifier after ','")


def _is_name(token: str) -> bool:
    return token != _END and token not in _SYMBOLS


def _requirement(tokens: _Tokens) -> Requirement:
    absent = tokens.peek() == "!"
    if absent:
        tokens.take()
    key = tokens.take()
    if not _is_name(key):
        raise _Unreadable(f"found '{key}', expected: identifier")
    if faults := qualified(key):
        raise _Unreadable(f"<nil>: Invalid value: {quoted(key)}: {'; '.join(faults)}")
    if absent:
        return lambda labels: key not in labels
    if tokens.peek() in (_END, ","):
        return lambda labels: key in labels
    operator = tokens.take()
    if operator in ("in", "notin"):
        values = _value_list(tokens)
    elif operator in _EXACT:
        values = {_exact_value(tokens)}
    else:
        raise _Unreadable(f"found '{operator}', expected: {', '.join(_OPERATORS)}")
    _check_values(key, operator, values)
    return _compared(key, operator, values)


def _exact_value(tokens: _Tokens) -> str:
    if tokens.peek() in (_END, ","):
        return ""
    value = tokens.take()
    if not _is_name(value):
        raise _Unreadable(f"found '{value}', expected: identifier")
    return value


def _value_list(tokens: _Tokens) -> set[str]:
    """The values in parentheses; one that is left out is empty."""
    opening = tokens.take()
    if opening != "(":
        raise _Unreadable(f"found '{opening}' expected: '('")
    values: set[str] = set()
    while True:
        value = tokens.take() if _is_name(tokens.peek()) else ""
        values.add(value)
        separator = tokens.take()
        if separator == ")":
            return values
        if separator != ",":
            wanted = "',' or ')'" if value else "',', ')' or identifier"
            raise _Unreadable(f"found '{separator}', expected: {wanted}")


def _check_values(key: str, operator: str, values: set[str]) -> None:
    errors = []
    if operator in ("<", ">") and not all(re.fullmatch(r"[-+]?\d+", value) for value in values):
        why = "for 'Gt', 'Lt' operators, the value must be an integer"
        errors.append(f"values[0]: Invalid value: {quoted(min(values))}: {why}")
    for index, value in enumerate(sorted(values)):
        if faults := label_value(value):
            errors.append(f"values[{index}][{key}]: Invalid value: {quoted(value)}: {'; '.join(faults)}")
    if errors:
        raise _Unreadable(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")


def _compared(key: str, operator: str, values: set[str]) -> Requirement:
    if operator in ("<", ">"):
        limit, sign = int(min(values)), 1 if operator == ">" else -1

        def beyond(labels: Labels) -> bool:
            value = labels.get(key, "")
            return re.fullmatch(r"[-+]?\d+", value) is not None and (int(value) - limit) * sign > 0

        return beyond
    negated = operator in ("notin", "!=")
    return lambda labels: (labels.get(key) in values) != negated
