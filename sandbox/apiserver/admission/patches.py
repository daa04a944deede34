"""JSON patches in the answers of webhooks: RFC 6902 as the API server's library reads it, in its words.

Apart from `patch.py`, whose answer to a patch that does not fit is one sentence for all of them: here people
are told which operation of their webhook went wrong. Called by `chain.py`.
"""

from collections.abc import Callable
from typing import Any

import orjson

from sandbox.apiserver.resources import Json

_MISSING = "missing value"
_BAD_INDEX = "invalid index referenced"


class PatchError(Exception):
    """A patch that does not fit the object."""


def apply(obj: Json, operations: list[Any]) -> Any:
    """The patched object; `obj` stays as it is. Raises PatchError."""
    document = orjson.loads(orjson.dumps(obj))
    for operation in operations:
        kind = operation.get("op", "unknown") if isinstance(operation, dict) else "unknown"
        handler = _OPERATIONS.get(kind)
        if handler is None:
            raise PatchError(f"Unexpected kind: {kind}")
        document = handler(document, operation)
    return document


def _pointer(operation: Json, member: str = "path") -> str:
    pointer = operation.get(member)
    if not isinstance(pointer, str):
        raise PatchError(f"{operation['op']} operation failed to decode {member}: {_MISSING}")
    return pointer


def _find(document: Any, pointer: str) -> tuple[Any, str]:
    """The container and key that a pointer names; the container is None where there is none."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]] or [""]
    for name in parents:
        try:
            document = _get(document, name)
        except PatchError:
            return None, last
        if not isinstance(document, dict | list):
            return None, last
    return document, last


def _index(key: str) -> int:
    try:
        return int(key)
    except ValueError:
        raise PatchError(f'strconv.Atoi: parsing "{key}": invalid syntax') from None


def _within(index: int, length: int) -> int:
    if not -length <= index < length:
        raise PatchError(f"Unable to access invalid index: {index}: {_BAD_INDEX}")
    return index % length


def _get(container: Any, key: str) -> Any:
    if isinstance(container, dict):
        return container.get(key)
    return container[_within(_index(key), len(container))]


def _insert(container: Any, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        try:
            index = _index(key)
        except PatchError as error:
            raise PatchError(f"value was not a proper array index: '{key}': {error}") from None
        container.insert(_within(index, len(container) + 1), value)


def _drop(container: Any, key: str) -> None:
    if isinstance(container, list):
        del container[_within(_index(key), len(container))]
    elif key in container:
        del container[key]
    else:
        raise PatchError(f"Unable to remove nonexistent key: {key}: {_MISSING}")


def _within_operation(prefix: str, step: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return step(*arguments)
    except PatchError as error:
        raise PatchError(f"{prefix}: {error}") from None


def _add(document: Any, operation: Json) -> Any:
    pointer = _pointer(operation)
    container, key = _find(document, pointer)
    if container is None:
        raise PatchError(f'add operation does not apply: doc is missing path: "{pointer}": {_MISSING}')
    _within_operation(f"error in add for path: '{pointer}'", _insert, container, key, operation.get("value"))
    return document


def _remove(document: Any, operation: Json) -> Any:
    pointer = _pointer(operation)
    container, key = _find(document, pointer)
    if container is None:
        raise PatchError(f'remove operation does not apply: doc is missing path: "{pointer}": {_MISSING}')
    _within_operation(f"error in remove for path: '{pointer}'", _drop, container, key)
    return document


def _replace(document: Any, operation: Json) -> Any:
    pointer = _pointer(operation)
    if not pointer:
        return operation.get("value")
    container, key = _find(document, pointer)
    if container is None:
        raise PatchError(f"replace operation does not apply: doc is missing path: {pointer}: {_MISSING}")
    if isinstance(container, dict):
        container[key] = operation.get("value")
        return document
    try:
        container[_within(_index(key), len(container))] = operation.get("value")
    except PatchError:
        raise PatchError(
            f"replace operation does not apply: doc is missing key: {pointer}: {_MISSING}"
        ) from None
    return document


def _source(document: Any, operation: Json) -> tuple[Any, str, str]:
    """What an operation takes its value from: container, key and pointer."""
    source = _pointer(operation, "from")
    container, key = _find(document, source)
    if container is None:
        what = f"{operation['op']} operation does not apply"
        raise PatchError(f"{what}: doc is missing from path: {source}: {_MISSING}")
    return container, key, source


def _move(document: Any, operation: Json) -> Any:
    container, key, _ = _source(document, operation)
    value = _within_operation(f"error in move for path: '{key}'", _get, container, key)
    _within_operation(f"error in move for path: '{key}'", _drop, container, key)
    return _put(document, operation, value, "error in move for path: '{}'")


def _copy(document: Any, operation: Json) -> Any:
    container, key, source = _source(document, operation)
    value = _within_operation(f"error in copy for from: '{source}'", _get, container, key)
    value = orjson.loads(orjson.dumps(value))
    return _put(document, operation, value, "error while adding value during copy")


def _put(document: Any, operation: Json, value: Any, prefix: str) -> Any:
    pointer = _pointer(operation)
    container, key = _find(document, pointer)
    if container is None:
        kind = operation["op"]
        raise PatchError(
            f"{kind} operation does not apply: doc is missing destination path: {pointer}: {_MISSING}"
        )
    _within_operation(prefix.format(pointer), _insert, container, key, value)
    return document


def _test(document: Any, operation: Json) -> Any:
    pointer = _pointer(operation)
    container, key = _find({"": document} if not pointer else document, pointer)
    if container is None:
        raise PatchError(f"test operation does not apply: is missing path: {pointer}: {_MISSING}")
    found = _within_operation(f"error in test for path: '{pointer}'", _get, container, key)
    if found != operation.get("value") or type(found) is not type(operation.get("value")):
        raise PatchError(f"testing value {pointer} failed: test failed")
    return document


_OPERATIONS: dict[str, Callable[[Any, Json], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
