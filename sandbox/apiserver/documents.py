"""Parsers that remember duplicate keys, of which plain ones keep the last and say nothing.

`bodies.py` calls both; for JSON the slow way is taken only where a count says that something was lost.
"""

import json
from dataclasses import dataclass
from typing import Any

import orjson
import yaml

from sandbox.apiserver import json_words

_MOST_ALIASES = 10
"""Aliases of aliases grow exponentially: ten of them make a text at most some fifty times as large."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Complaints about keys that a body has twice."""

    found: tuple[str, ...] = ()
    is_yaml: bool = False

    @classmethod
    def of_json(cls, body: bytes, value: Any) -> "Duplicates":
        """Of a body that was parsed to `value`."""
        # Every key is followed by a colon, so without a duplicate the value has as many when it is written.
        if body.count(b":") == orjson.dumps(value).count(b":") and b"\\u003" not in body:
            return cls()
        pairs = json.loads(body, object_pairs_hook=_Pairs)
        return cls(tuple(f'duplicate field "{path}"' for path in _duplicates(pairs, "")))

    @property
    def refusal(self) -> str:
        """As a strict decoder says it."""
        if self.is_yaml:
            return "yaml: unmarshal errors:" + "".join(f"\n  {line}" for line in self.found)
        return ", ".join(self.found)


class _Pairs(list[tuple[str, Any]]):
    """An object as its keys and values, in the order of the text."""


def _duplicates(value: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, inner in value:
            where = f"{path}.{key}" if path else key
            if key in seen:
                found.append(where)
            seen.add(key)
            found += _duplicates(inner, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _duplicates(item, f"{path}[{index}]")
    return found


def read_yaml(body: bytes) -> tuple[Any, Duplicates]:
    """The first document and its duplicate keys. Raises yaml.YAMLError or ValueError (no UTF-8, a bomb)."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ValueError("invalid leading UTF-8 octet") from error
    _check_shape(text)
    loader = _Loader(text)
    try:
        value = loader.get_data() if loader.check_data() else None  # type: ignore[no-untyped-call] # of PyYAML
        return value, Duplicates(tuple(loader.duplicates), is_yaml=True)
    finally:
        loader.dispose()


def _check_shape(text: str) -> None:
    """Raises ValueError for what cannot be built: the parser reads step by step, but builds by recursion."""
    depth = aliases = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > json_words.MAX_DEPTH:
            raise ValueError("exceeded max depth")
        if aliases > _MOST_ALIASES:
            raise ValueError("document contains excessive aliasing")
        if isinstance(event, yaml.DocumentEndEvent):
            return


class _Loader(yaml.CSafeLoader):
    """YAML that stands for JSON: keys are text, there are no dates, and tags mean nothing."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.duplicates: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        self.flatten_mapping(node)
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=deep))
            if key in mapping:
                line = key_node.start_mark.line + 1
                self.duplicates.append(f'line {line}: key "{key}" already set in map')
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def _key(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict)):
        raise ValueError("invalid map key")
    return json.dumps(value)


def _construct_untagged(loader: _Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return str(node.value)


_DATE = "tag:yaml.org,2002:timestamp"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
for _tag in ("timestamp", "binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _construct_untagged)
_Loader.add_constructor(None, _construct_untagged)
