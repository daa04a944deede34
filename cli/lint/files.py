"""Objects out of YAML and JSON files, each with the place of every field.

Apart because admission never sees files: what the API server does with a manifest before it asks (documents,
lists, the default namespace) is done here.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TextIO

import yaml

from shared.types.meta import Json

STDIN = "-"
SUFFIXES = (".json", ".yaml", ".yml")
DEFAULT_NAMESPACE = "default"
DEEPEST = 100
"""Levels of mappings and lists; the deepest types of Kubernetes have about twenty."""
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C's where there is one
    """Reads what Kubernetes reads: dates are strings."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _untagged(loader: Any, _: str, node: yaml.Node) -> Any:
    """A value of a type that only some other program knows, without the type: as Kubernetes reads it."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("", _untagged)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object and where it stands."""

    file: str
    obj: Json
    node: yaml.MappingNode

    def line(self, field: str) -> int:
        """The line of a field, counted from 1; of what is not there, the line of what it would be in."""
        node: yaml.Node = self.node
        line, rest = node.start_mark.line, field
        while rest:
            step = _step(node, rest)
            if step is None:
                break
            at, node, rest = step
            line = at.start_mark.line
        return int(line) + 1


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or a part of it, that is no manifest."""

    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Files:
    """All that was read."""

    objects: tuple[Manifest, ...]
    unreadable: tuple[Unreadable, ...]


def read(paths: Iterable[str], stdin: TextIO) -> Files:
    """The objects of files, of the folders' files, and of `stdin` for `-`."""
    objects, unreadable = list[Manifest](), list[Unreadable]()
    for path in dict.fromkeys(each for given in paths for each in _expanded(given)):
        name = "<stdin>" if path == STDIN else path
        try:
            text = stdin.read() if path == STDIN else Path(path).read_text("utf-8-sig")
            objects += _objects(name, text)
        except OSError as error:
            unreadable.append(Unreadable(name, 1, f"cannot be read: {error.strerror}"))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            unreadable.append(Unreadable(name, line, f"is no YAML: {error.problem}"))
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
            unreadable.append(Unreadable(name, 1, f"is no YAML: {error}"))
    return Files(tuple(objects), tuple(unreadable))


def _expanded(path: str) -> Iterator[str]:
    """The path, or the manifests below it; hidden ones are not meant."""
    if path == STDIN or not Path(path).is_dir():
        yield path
        return
    for found in sorted(Path(path).rglob("*")):
        hidden = any(part.startswith(".") for part in found.relative_to(path).parts)
        if found.suffix in SUFFIXES and found.is_file() and not hidden:
            yield str(found)


def _objects(file: str, text: str) -> Iterator[Manifest]:
    _refuse_depth(text)
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _refuse_twins(node, set())
            yield from _of_document(file, _plain(loader.construct_document(node), {}), node)
    finally:
        loader.dispose()


def _of_document(file: str, obj: Any, node: yaml.Node) -> Iterator[Manifest]:
    """The object, or the objects of a List; what has no kind is no object."""
    if not isinstance(obj, dict) or not isinstance(node, yaml.MappingNode):
        return
    kind, items = obj.get("kind"), obj.get("items")
    if not isinstance(kind, str):
        return
    if kind.endswith("List") and isinstance(items, list):
        nodes = next(value.value for key, value in node.value if key.value == "items")
        for each, at in zip(items, nodes, strict=True):
            yield from _of_document(file, each, at)
        return
    if isinstance(obj.get("metadata"), dict):
        obj["metadata"].setdefault("namespace", DEFAULT_NAMESPACE)
    yield Manifest(file, obj, node)


def _refuse_depth(text: str) -> None:
    """Raise if something is nested deeper than any manifest: what reads YAML after this does not look."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            problem = f"nested more than {DEEPEST} levels deep"
            mark: Any = event.start_mark  # the C parser's own class, which its stubs do not let pass
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _refuse_twins(node: yaml.Node, seen: set[int]) -> None:
    """Raise if a key stands twice in a mapping: kubectl refuses that, and PyYAML takes the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_twins(each, seen)
    if isinstance(node, yaml.MappingNode):
        keys = set[str]()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                problem = f"key {json.dumps(key.value)} is there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            keys.add(str(key.value))
            _refuse_twins(value, seen)


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """The value with the keys that JSON would have. What is there by reference is made once, as it was."""
    if not isinstance(value, dict | list):
        return value
    if id(value) not in done:
        if isinstance(value, list):
            done[id(value)] = [_plain(each, done) for each in value]
        else:
            keys = (key if isinstance(key, str) else json.dumps(key) for key in value)
            done[id(value)] = {
                key: _plain(each, done) for key, each in zip(keys, value.values(), strict=True)
            }
    return done[id(value)]


def _step(node: yaml.Node, rest: str) -> tuple[yaml.Node, yaml.Node, str] | None:
    """One step along a path: the node that shows the place, the one to go on from, and the rest."""
    if isinstance(node, yaml.SequenceNode) and (found := re.match(r"\[(\d+)\]\.?", rest)):
        index = int(found[1])
        if index < len(node.value):
            return node.value[index], node.value[index], rest[found.end() :]
    if isinstance(node, yaml.MappingNode):
        # The longest, since keys may have dots in them.
        for key, value in sorted(node.value, key=lambda pair: -len(str(pair[0].value))):
            found = re.match(rf"\[?{re.escape(str(key.value))}(\]\.?|\.|(?=\[)|$)", rest)
            if found:
                return key, value, rest[found.end() :]
    return None
