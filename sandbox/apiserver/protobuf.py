"""Reads Kubernetes' protobuf bodies, which kubectl and client-go prefer for built-in kinds. Answers are
always JSON.

"k8s\\0" + Unknown{typeMeta, raw} -> fields by number -> names of `builtin_numbers.json` -> a plain object
"""

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from sandbox.apiserver.builtin_schema import TYPES, is_quantity
from sandbox.apiserver.resources import BUILTINS, Json
from sandbox.apiserver.status import bad_request

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_NUMBERS: dict[str, Json] = orjson.loads(Path(__file__).with_name("builtin_numbers.json").read_bytes())
_DEFINITIONS = {(resource.api_version, resource.kind): resource.definition for resource in BUILTINS}
_BY_KIND = {
    "DeleteOptions": "V1DeleteOptions",
    "Scale": "V1Scale",
    "TokenRequest": "AuthenticationV1TokenRequest",
    "Binding": "V1Binding",
}
# Go writes the zero of every plain field, where JSON has none. For these, which are pointers in Go, zero has
# a meaning.
_ZERO_COUNTS = {
    "replicas", "minReplicas", "revisionHistoryLimit", "terminationGracePeriodSeconds", "gracePeriodSeconds",
    "automountServiceAccountToken", "enableServiceLinks", "runAsUser", "runAsGroup", "runAsNonRoot",
    "fsGroup", "privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "immutable", "optional",
    "controller", "blockOwnerDeletion", "maxUnavailable", "maxSurge", "minAvailable", "activeDeadlineSeconds",
    "ready",
    "serving",
}  # fmt: skip

_VARINT = 0
_FIXED_LENGTHS = {1: 8, 5: 4}
_MORE = 0x80
_SIGN = 1 << 63

Field = tuple[int, int, Any]
"""Number, wire type, and an int or the bytes."""


def decode(body: bytes) -> Json:
    """The object in a body. Raises an ApiError (400) for what cannot be read."""
    if not body.startswith(_MAGIC):
        raise bad_request("protobuf: the body does not begin with Kubernetes' magic number")
    try:
        unknown = {number: value for number, _, value in _fields(body[len(_MAGIC) :])}
        meta = {number: value.decode() for number, _, value in _fields(unknown[1])}
        api_version, kind = meta[1], meta[2]
        definition = _DEFINITIONS.get((api_version, kind)) or _BY_KIND[kind]
        return {"kind": kind, "apiVersion": api_version, **_message(unknown.get(2, b""), definition)}
    except (KeyError, IndexError, ValueError, struct.error, AttributeError, TypeError) as error:
        raise bad_request(f"protobuf: the body cannot be read: {error!r}; send JSON instead") from error


def _fields(data: bytes) -> Iterator[Field]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == _VARINT:
            value, position = _varint(data, position)
        else:
            length = _FIXED_LENGTHS.get(wire)
            if length is None:
                length, position = _varint(data, position)
            value, position = data[position : position + length], position + length
            if position > len(data):
                raise ValueError("a field ends after the message")
        yield number, wire, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < _MORE:
            return (result - 2 * _SIGN if result >= _SIGN else result), position
        shift += 7


def _message(data: bytes, definition: str) -> Json:
    obj: Json = {}
    _read_into(obj, data, definition, _NUMBERS[definition])
    return obj


def _read_into(obj: Json, data: bytes, definition: str, numbers: Json) -> None:
    for number, _, raw in _fields(data):
        name = numbers.get(str(number))
        if isinstance(name, dict):
            _read_into(obj, raw, definition, name)
        elif name is not None:
            expression = TYPES[definition][name]
            if is_quantity(definition, name):
                expression = expression.replace("str]", "quantity]") if "[" in expression else "quantity"
            _put(obj, name, expression, raw)


def _put(obj: Json, name: str, expression: str, raw: Any) -> None:
    container, bracket, rest = expression.partition("[")
    inner = rest.removesuffix("]")
    if not bracket:
        value = _value(raw, expression)
        if value not in ("", 0, None) or (value == 0 and name in _ZERO_COUNTS):
            obj[name] = value
    elif container == "List":
        obj.setdefault(name, []).append(_value(raw, inner))
    else:
        entry = {number: value for number, _, value in _fields(raw)}
        key = entry[1].decode() if 1 in entry else ""
        obj.setdefault(name, {})[key] = _value(entry.get(2, b""), inner.removeprefix("str, "))


def _value(raw: Any, expression: str) -> Any:
    reader = _READERS.get(expression)
    return reader(raw) if reader else _message(raw, expression)


def _quantity(raw: bytes) -> str:
    text: bytes = next(_fields(raw))[2]
    return text.decode()


def _time(raw: bytes) -> str | None:
    parts = {number: value for number, _, value in _fields(raw)}
    if not parts.get(1):
        return None
    moment = datetime.fromtimestamp(parts[1], UTC)
    micro = f".{parts[2] // 1000:06}" if parts.get(2) else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + micro + "Z"


def _int_or_string(raw: bytes) -> Any:
    parts = {number: value for number, _, value in _fields(raw)}
    return parts.get(3, b"").decode() if parts.get(1) else parts.get(2, 0)


_READERS: dict[str, Callable[[Any], Any]] = {
    "str": bytes.decode,
    "int": int,
    "bool": bool,
    "float": lambda raw: struct.unpack("<d", raw)[0],
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "datetime": _time,
    "object": _int_or_string,
    "quantity": _quantity,
    "List[str]": lambda raw: [value.decode() for _, _, value in _fields(raw)],
}
