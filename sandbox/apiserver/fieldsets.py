"""Sets of fields, in the `fieldsV1` form in which objects carry them: who owns what of an object.

    {"f:spec": {"f:replicas": {}, "f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}}}}}

An empty node is a member. A node with children is a member only if it has "." too. `f:` is a field, `k:` an
item of a keyed list, `v:` a member of a set. All functions are pure; results share nodes with their
arguments.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.apiserver.resources import Json

FieldSet = dict[str, Any]

SELF = "."


def _is_member(node: FieldSet) -> bool:
    return not node or SELF in node


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Nodes in either. At the root an empty set is empty, not a member."""
    merged = dict(left)
    for name, node in right.items():
        merged[name] = _union_node(merged[name], node) if name in merged else node
    return merged


def _union_node(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left and not right:
        return {}
    merged = union(left, right)
    if _is_member(left) or _is_member(right):
        merged[SELF] = {}
    return merged


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of `left` that are not members of `right`."""
    return _combine(left, right, keep_common=False)


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of both."""
    return _combine(left, right, keep_common=True)


def _combine(left: FieldSet, right: FieldSet, *, keep_common: bool) -> FieldSet:
    result: FieldSet = {}
    for name, node in left.items():
        if name == SELF:
            continue
        other = right.get(name)
        if other is None:
            if not keep_common:
                result[name] = node
            continue
        rest = _combine(node, other, keep_common=keep_common)
        if _is_member(node) and _is_member(other) == keep_common:
            result[name] = {**rest, SELF: {}} if rest else {}
        elif rest:
            result[name] = rest
    return result


def with_parents(fields: FieldSet) -> FieldSet:
    """The set with every field that holds a member as a member itself."""
    whole: FieldSet = {}
    for name, node in fields.items():
        inner = with_parents(node)
        whole[name] = {SELF: {}, **inner} if inner and name.startswith("f:") else inner
    return whole


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Members as people read them, `.spec.template.spec.containers[name="a"].image`: those of a node before
    those of the nodes below it.
    """
    named = [(prefix + readable(name), node) for name, node in sorted(fields.items()) if name != SELF]
    yield from (where for where, node in named if _is_member(node))
    for where, node in named:
        yield from paths(node, where)


def readable(name: str) -> str:
    """One element of a path: `.image`, `[name="a"]`."""
    kind, _, rest = name.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    keys = orjson.loads(rest)
    return "[" + ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in keys.items()) + "]"


@dataclass(slots=True)
class Comparison:
    """What differs between two values."""

    added: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)


def compare(old: Json, new: Json, schema: Json) -> Comparison:
    """The fields that differ from one object to the next."""
    result = Comparison()
    _compare_children(old, new, schema, result)
    return result


def _compare_children(old: Any, new: Any, schema: Json, into: Comparison) -> None:
    if isinstance(old, dict) and isinstance(new, dict) and _is_granular(new, schema):
        _compare_fields(old, new, schema, into)
        return
    before, after = children(old, schema), children(new, schema)
    for name, (value, inner) in after.items():
        if name not in before:
            into.added[name] = full(value, inner)
        elif before[name][0] != value:  # most of an object is alike: equality is far cheaper than a walk
            _compare_node(name, before[name][0], value, inner, into)
    for name, (value, inner) in before.items():
        if name not in after:
            into.removed[name] = full(value, inner)


def _compare_fields(old: Json, new: Json, schema: Json, into: Comparison) -> None:
    """The commonest case, without tables of all children: most of them are alike."""
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    others = others if isinstance(others, dict) else {}
    for name, value in new.items():
        if name not in old:
            into.added[f"f:{name}"] = full(value, known.get(name, others))
        elif old[name] != value:
            _compare_node(f"f:{name}", old[name], value, known.get(name, others), into)
    for name, value in old.items():
        if name not in new:
            into.removed[f"f:{name}"] = full(value, known.get(name, others))


def _compare_node(name: str, old: Any, new: Any, schema: Json, into: Comparison) -> None:
    if _is_granular(old, schema) and _is_granular(new, schema):
        inner = Comparison()
        _compare_children(old, new, schema, inner)
        for attribute in ("added", "modified", "removed"):
            if getattr(inner, attribute):
                getattr(into, attribute)[name] = getattr(inner, attribute)
    elif old != new:
        into.modified[name] = {}


def full(value: Any, schema: Json) -> FieldSet:
    """The node of `value` with everything below it as members."""
    inside = children(value, schema)
    if not inside:
        return {}
    return {SELF: {}, **{name: full(inner, sub) for name, (inner, sub) in inside.items()}}


def owned(value: Any, schema: Json) -> FieldSet:
    """What applying `value` claims: its leaves, keyed items and empty or free keys, but not the objects
    around them.
    """
    result: FieldSet = {}
    declared = schema.get("properties", {})
    for name, (inner, sub) in children(value, schema).items():
        node = owned(inner, sub)
        free = not name.startswith("f:") or name[2:] not in declared
        result[name] = {SELF: {}, **node} if node and free else node
    return result


def _is_granular(value: Any, schema: Json) -> bool:
    if isinstance(value, dict):
        return schema.get("x-kubernetes-map-type") != "atomic"
    if isinstance(value, list):
        return schema.get("x-kubernetes-list-type") in ("map", "set")
    return value is None and schema.get("x-kubernetes-list-type") in ("map", "set")


def children(value: Any, schema: Json) -> dict[str, tuple[Any, Json]]:
    """The parts of `value` that can be owned apart from each other: path element -> (value, schema)."""
    if isinstance(value, dict) and schema.get("x-kubernetes-map-type") != "atomic":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        return {f"f:{name}": (inner, known.get(name, others)) for name, inner in value.items()}
    if isinstance(value, list):
        kind, items = schema.get("x-kubernetes-list-type"), schema.get("items", {})
        if kind == "map":
            keys = schema["x-kubernetes-list-map-keys"]
            return {item_key(item, keys): (item, items) for item in value}
        if kind == "set":
            return {f"v:{orjson.dumps(item).decode()}": (item, items) for item in value}
    return {}


def item_key(item: Any, keys: list[str]) -> str:
    """The path element of a keyed list's item. A missing protocol means TCP, the only key with a default."""
    parts = {key: item.get(key, "TCP" if key == "protocol" else None) for key in sorted(keys)}
    present = {key: value for key, value in parts.items() if value is not None}
    return f"k:{orjson.dumps(present).decode()}"
