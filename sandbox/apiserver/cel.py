"""Expressions in CEL: compiled once, evaluated with the API server's words for what goes wrong.

Used for the match conditions of webhooks (`admission/webhooks.py`) and the rules in the schemas of CRDs
(`schema_rules.py`). The compiler of the library has no types, so what Kubernetes' finds by them (a field that
a schema does not have, a comparison of a number with a string) shows only when it is evaluated; optional
types (`.?`) and Kubernetes' own functions for quantities, URLs and addresses are not there.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

# The package imports its command line, which nobody needs here and takes longer than all else together.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402 - after the line above
from cel.stdlib import STDLIB_FUNCTIONS  # noqa: E402 - as above

OptionalValue = cel.OptionalValue
"""What rules see of an old value that may not be there."""

_NATIVE = {
    "all", "bool", "bytes", "contains", "double", "duration", "dyn", "endsWith", "exists", "exists_one",
    "filter", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours",
    "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "has", "int", "map", "matches", "size",
    "startsWith", "string", "timestamp", "type", "uint",
}  # fmt: skip
_TYPES = {
    "bool", "bytes", "double", "duration", "dyn", "int", "list", "map", "null_type", "string", "timestamp",
    "type", "uint",
}  # fmt: skip
_TYPE_NAMES = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "double",
    list: "list(dyn)",
    type(None): "null",
}
_MACRO = re.compile(r"\.(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*(\w+)\s*,")
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_BAD_DURATION = "Function 'duration' error"


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group() if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match.group() for match in re.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


def _is_sorted(items: list[Any]) -> bool:
    return items == sorted(items)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **STDLIB_FUNCTIONS,
    "find": _find,
    "findAll": _find_all,
    "isSorted": _is_sorted,
}


class CompileError(Exception):
    """An expression that is none; the text is the compiler's."""


class EvaluationError(Exception):
    """An expression that has no value for what it was given; the text is Kubernetes'."""


class Context:
    """Variables for expressions. What is costly to convert is converted when it is first used."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._known: set[str] = set()
        self._context = cel.Context({}, dict(_FUNCTIONS))

    def having(self, names: frozenset[str]) -> cel.Context:
        for name in names - self._known:
            self._context.add_variable(name, self._variables[name])
        self._known |= names
        return self._context


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    source: str
    variables: frozenset[str]
    _program: cel.Program

    def evaluate(self, context: Context) -> Any:
        """Raises EvaluationError."""
        try:
            return self._program.execute(context.having(self.variables))
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise EvaluationError(_told(error)) from error


@lru_cache(maxsize=4096)
def compiled(source: str, variables: frozenset[str]) -> Expression:
    """Raises CompileError, for a syntax error or a name that does not exist."""
    try:
        program = cel.compile(source)
    except ValueError as error:
        text = str(error)
        shown = text[text.find("ERROR: <input>") :].rstrip().replace("\n|", "\n |")
        raise CompileError(f"compilation failed: {shown}") from error
    bound = set(_MACRO.findall(source))
    names = frozenset(program.variables()) - bound - _TYPES
    used = {name for name in program.functions() if _NAME.fullmatch(name)}
    unknown = names - variables
    missing = used - _NATIVE - _FUNCTIONS.keys()
    namespaces = {name.partition(".")[0] for name in _FUNCTIONS if "." in name}
    unknown -= namespaces
    if unknown or missing:
        raise CompileError(f"compilation failed: {_undeclared(source, unknown, missing)}")
    return Expression(source, names & variables, program)


def type_of_constant(expression: Expression) -> str:
    """The type of an expression without variables, as Kubernetes names it; "" where it depends on some."""
    if expression.variables:
        return ""
    try:
        return _TYPE_NAMES.get(type(expression.evaluate(Context({}))), "dyn")
    except EvaluationError:
        return ""


def marked(source: str, offset: int, problem: str) -> str:
    """A compiler's error at an offset into the source."""
    before = source[:offset]
    line, column = before.count("\n"), offset - (before.rfind("\n") + 1)
    shown = source.split("\n")[line]
    return f"ERROR: <input>:{line + 1}:{column + 1}: {problem}\n | {shown}\n | {'.' * column}^"


def without_strings(source: str) -> str:
    """The source with the same offsets, but nothing in its strings to be taken for a name."""
    return _STRING.sub(lambda text: "_" * len(text.group()), source)


def _undeclared(source: str, variables: frozenset[str], functions: set[str]) -> str:
    blanked = without_strings(source)
    places: list[tuple[int, str]] = []
    for name in variables:
        found = re.search(rf"(?<![\w.]){re.escape(name)}\b", blanked)
        places.append((found.start() if found else 0, name))
    for name in functions:
        found = re.search(rf"\b{re.escape(name)}\s*\(", blanked)
        places.append((found.end() - 1 if found else 0, name))
    return "\n".join(
        marked(source, at, f"undeclared reference to '{name}' (in container '')")
        for at, name in sorted(places)
    )


def _told(error: Exception) -> str:
    """Kubernetes' words for an error of the library."""
    text = str(error)
    match error:
        case KeyError():
            return f"no such key: {error.args[0]}"
        case ZeroDivisionError():
            return "division by zero"
        case IndexError():
            return text
        case TypeError():
            return "no such overload"
        case RuntimeError() if text.startswith(_BAD_DURATION):
            return "type conversion error from 'string' to 'google.protobuf.Duration'"
        case RuntimeError() if text.startswith("Undefined variable or function"):
            return "no such overload"  # names were checked before: it is the operands that do not fit
        case _:
            return text
