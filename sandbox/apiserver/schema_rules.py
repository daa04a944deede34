"""The CEL rules in the schemas of CRDs, `x-kubernetes-validations`, with the API server's wording.

    schema -> Node (compiled once) -> problems of an object        schema -> faults of the rules themselves

Called by `schema_validation.py` for objects and by `crds.py` for definitions. What only types can tell is
seen here when a rule is evaluated, not when it is written: see `cel.py`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from sandbox.apiserver import cel
from sandbox.apiserver.resources import Json
from sandbox.apiserver.schema import INT_OR_STRING, PRESERVE
from sandbox.apiserver.status import FieldError, quoted

KEY = "x-kubernetes-validations"
_VARIABLES = frozenset({"self", "oldSelf"})
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_STEP = re.compile(r"\.(\w+)|\['((?:[^'\\]|\\.)*)'\]")
_OWN_FIELD = re.compile(r"(?<![\w.])self(\.(\w+))")
_SYMBOLS = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_KEYWORDS = {
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
    "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
}  # fmt: skip
_MOST_SCHEMAS = 256


@dataclass(frozen=True, slots=True)
class _Rule:
    """One compiled rule."""

    source: str
    expression: cel.Expression
    message: str
    message_expression: cel.Expression | None
    reason: str
    field: str
    optional_old: bool

    @property
    def compares(self) -> bool:
        """Whether it is about a change."""
        return "oldSelf" in self.expression.variables


@dataclass(slots=True)
class _Node:
    """A place in a schema that has rules at or below it."""

    schema: Json
    rules: Sequence[_Rule]
    properties: dict[str, "_Node"] = field(default_factory=dict)
    items: "_Node | None" = None
    values: "_Node | None" = None


_compiled: dict[int, tuple[Json, _Node | None]] = {}


def problems(value: Json, old: Json | None, schema: Json) -> Iterator[FieldError]:
    """The rules that an object does not keep. What an update leaves as it was is not held against it."""
    known = _compiled.get(id(schema))
    if known is None or known[0] is not schema:
        if len(_compiled) >= _MOST_SCHEMAS:
            _compiled.clear()
        known = _compiled[id(schema)] = (schema, _node(schema))
    if known[1] is not None:
        yield from _check(known[1], value, old, "")


def _node(schema: Json) -> _Node | None:
    node = _Node(schema, [_rule(rule) for rule in schema.get(KEY, ())])
    for name, inner in schema.get("properties", {}).items():
        if child := _node(inner):
            node.properties[name] = child
    for word, attribute in (("items", "items"), ("additionalProperties", "values")):
        if isinstance(schema.get(word), dict):
            setattr(node, attribute, _node(schema[word]))
    return node if node.rules or node.properties or node.items or node.values else None


def _rule(rule: Json) -> _Rule:
    message = rule.get("messageExpression")
    return _Rule(
        source=rule["rule"].strip(),
        expression=cel.compiled(rule["rule"], _VARIABLES),
        message=rule.get("message", ""),
        message_expression=cel.compiled(message, _VARIABLES) if message else None,
        reason=rule.get("reason") or "FieldValueInvalid",
        field=rule.get("fieldPath", ""),
        optional_old=bool(rule.get("optionalOldSelf")),
    )


def _check(node: _Node, value: Any, old: Any, path: str) -> Iterator[FieldError]:
    if value is None:
        return
    yield from _broken(node, value, old, path)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name in sorted(value):
            child = node.properties.get(name, node.values)
            if child is not None:
                where = _joined(path, name) if name in node.properties else f"{path}[{name}]"
                yield from _check(child, value[name], before.get(name), where)
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            yield from _check(node.items, item, _earlier(node.schema, item, old), f"{path}[{index}]")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _earlier(schema: Json, item: Any, old: Any) -> Any:
    """What an item of a list was before, where its keys tell."""
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if not isinstance(old, list) or not keys or not isinstance(item, dict):
        return None
    wanted = [item.get(key) for key in keys]
    return next((other for other in old if [other.get(key) for key in keys] == wanted), None)


def _broken(node: _Node, value: Any, old: Any, path: str) -> Iterator[FieldError]:
    """The rules of one place. Those of a change need something to compare with."""
    due = [rule for rule in node.rules if _is_due(rule, value, old)]
    if not due:
        return  # values are translated for the rules' sake alone, which costs more than all else
    variables = {"self": _celled(value, node.schema), "oldSelf": _celled(old, node.schema)}
    context = cel.Context(variables)
    for rule in due:
        now = context
        if rule.optional_old:
            before = cel.OptionalValue.none() if old is None else cel.OptionalValue.of(variables["oldSelf"])
            now = cel.Context({**variables, "oldSelf": before})
        try:
            if rule.expression.evaluate(now) is not True:
                yield _error(rule, node, value, (path, _message(rule, now)))
        except cel.EvaluationError as error:
            shown = f"{error} evaluating rule: {rule.message or rule.source}"
            kind = quoted(node.schema.get("type", ""))
            yield FieldError(path, "FieldValueInvalid", f"Invalid value: {kind}: {shown}")


def _is_due(rule: _Rule, value: Any, old: Any) -> bool:
    if rule.optional_old:
        return True
    return old is not None if rule.compares else old is None or value != old


def _message(rule: _Rule, context: cel.Context) -> str:
    if rule.message_expression is not None:
        try:
            text = rule.message_expression.evaluate(context)
        except cel.EvaluationError:
            text = ""
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text.strip()
    return rule.message or f"failed rule: {rule.source}"


def _error(rule: _Rule, node: _Node, value: Any, told: tuple[str, str]) -> FieldError:
    path, message = told
    where = path + "".join(f".{plain or bracketed}" for plain, bracketed in _STEP.findall(rule.field))
    shown = "" if isinstance(value, dict | list) else f"{quoted(value)}: "
    match rule.reason:
        case "FieldValueRequired":
            text = f"Required value: {message}"
        case "FieldValueForbidden":
            text = f"Forbidden: {message}"
        case "FieldValueDuplicate":
            text = f"Duplicate value: {shown.removesuffix(': ')}".removesuffix(": ")
        case _:
            text = f"Invalid value: {shown}{message}"
    return FieldError(where, rule.reason, text)


def _celled(value: Any, schema: Json) -> Any:
    """A value as rules see it: with the types of its schema, and names that are identifiers."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        inner = partial(_member, properties, others if isinstance(others, dict) else {})
        return {(escaped(name) if name in properties else name): inner(name, v) for name, v in value.items()}
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_celled(item, items) for item in value]
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _member(properties: Json, others: Json, name: str, value: Any) -> Any:
    return _celled(value, properties.get(name, others))


def escaped(name: str) -> str:
    """A property's name as rules write it."""
    if name in _KEYWORDS:
        return f"__{name}__"
    for symbol, word in _SYMBOLS:
        name = name.replace(symbol, word)
    return name


def faults(schema: Json, path: str) -> Iterator[FieldError]:
    """What is wrong with the rules in a schema that somebody defines."""
    for index, rule in enumerate(schema.get(KEY, ())):
        yield from _rule_faults(rule, schema, f"{path}.{KEY}[{index}]")
    for name, inner in schema.get("properties", {}).items():
        yield from faults(inner, f"{path}.properties[{name}]")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from faults(schema[word], f"{path}.{word}")


def _rule_faults(rule: Json, schema: Json, path: str) -> Iterator[FieldError]:
    source, message = rule.get("rule", ""), rule.get("message")
    if not source.strip():
        yield FieldError.required(f"{path}.rule", "rule is not specified")
    elif problem := _uncompilable(source, schema):
        yield FieldError.invalid(f"{path}.rule", _internal(rule), problem)
    if "\n" in source and not message:
        yield FieldError.required(f"{path}.message", "message must be specified if rule contains line breaks")
    if message is not None and not message.strip():
        yield FieldError.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif message is not None and "\n" in message:
        yield FieldError.invalid(f"{path}.message", message, "must not contain line breaks")
    if rule.get("messageExpression"):
        try:
            cel.compiled(rule["messageExpression"], _VARIABLES)
        except cel.CompileError as error:
            yield FieldError.invalid(f"{path}.messageExpression", _internal(rule), str(error))
    if rule.get("reason") not in (None, *_REASONS):
        yield FieldError.unsupported(f"{path}.reason", rule["reason"], _REASONS)
    if rule.get("fieldPath") and not _leads_somewhere(rule["fieldPath"], schema):
        yield FieldError.invalid(f"{path}.fieldPath", rule["fieldPath"], "must be a valid path")


def _uncompilable(source: str, schema: Json) -> str:
    try:
        expression = cel.compiled(source, _VARIABLES)
    except cel.CompileError as error:
        return str(error)
    known = {escaped(name) for name in schema.get("properties", {})} | {"apiVersion", "kind", "metadata"}
    if schema.get("properties") and not schema.get(PRESERVE) and not schema.get(INT_OR_STRING):
        for found in _OWN_FIELD.finditer(cel.without_strings(source)):
            if found[2] not in known and source[found.end() : found.end() + 1] != "(":
                shown = cel.marked(source, found.start(1), f"undefined field '{found[2]}'")
                return f"compilation failed: {shown}"
    wrong = cel.type_of_constant(expression) not in ("", "bool")
    return "cel expression must evaluate to a bool" if wrong else ""


def _internal(rule: Json) -> Json:
    """A rule as the real server's errors show it: by the names of its own type."""
    names = ("Rule", "Message", "MessageExpression", "Reason", "FieldPath", "OptionalOldSelf")
    absent = {"Reason": None, "OptionalOldSelf": None}
    shown = {name: rule.get(name[0].lower() + name[1:], absent.get(name, "")) for name in names}
    copy: Json = orjson.loads(orjson.dumps(shown))
    return copy


def _leads_somewhere(path: str, schema: Json) -> bool:
    steps = _STEP.findall(path)
    if "".join(f".{plain}" if plain else f"['{other}']" for plain, other in steps) != path:
        return False
    for plain, other in steps:
        inner = schema.get("properties", {}).get(plain or other, schema.get("additionalProperties"))
        if not isinstance(inner, dict):
            return False
        schema = inner
    return True
