"""From the bytes of a body to a plain object: JSON, YAML or protobuf, and what is said where it is none.

    media type? -> parse -> an object, not too deep? -> duplicate keys: refused, warned of or ignored

Called by the verbs; the object is checked against its kind later, by `decoding.py`.
"""

from typing import Any

import orjson
import yaml

from sandbox.apiserver import json_words, protobuf, status
from sandbox.apiserver.documents import Duplicates, read_yaml
from sandbox.apiserver.gotypes import json_word
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Json

_YAML = "application/yaml"
_READABLE = ("application/json", _YAML, protobuf.CONTENT_TYPE)
_ACCEPTED = ", ".join(_READABLE)
_STRATEGIC = "application/strategic-merge-patch+json"
_NO_KIND = "couldn't get version/kind; json parse error: "
_TYPE_META = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
)
_SHOWN = 30
"""How many bytes of a body a refusal repeats."""


def parse_body(call: Call, kind: str) -> Json:
    """The object in a request's body. Raises an ApiError: 400, 415."""
    media = call.content_type or _READABLE[0]
    if media == protobuf.CONTENT_TYPE:
        return protobuf.decode(call.body)
    if media not in _READABLE:
        raise status.unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}"
        )
    try:
        parsed, duplicates = read(call.body, is_yaml=media == _YAML)
    except Unreadable as error:
        why = str(error) if error.is_yaml else f"{_NO_KIND}{error}"
        raise _unrecognized(call, kind, why) from error
    if parsed is None:
        parsed = {}
    if not isinstance(parsed, dict):
        why = f"json: cannot unmarshal {json_word(parsed, {})} into Go value of type {_TYPE_META}"
        raise _unrecognized(call, kind, _NO_KIND + why)
    for name in ("kind", "apiVersion"):
        if not isinstance(parsed.get(name, ""), str | None):
            why = (
                f"cannot unmarshal {json_word(parsed[name], {})} into Go struct field .{name} of type string"
            )
            raise _unrecognized(call, kind, f"{_NO_KIND}json: {why}")
    if str(parsed.get("apiVersion") or "").count("/") > 1:
        raise _unrecognized(call, kind, f"unexpected GroupVersion string: {parsed['apiVersion']}")
    _report(call, parsed, duplicates)
    return parsed


def parse_patch(call: Call, expected: str) -> Any:
    """The document of a patch that is JSON. `expected` is the type that Go would read it into.

    Raises an ApiError (400).
    """
    prefix = "" if call.content_type == _STRATEGIC else "error decoding patch: "
    try:
        document, _ = read(call.body, is_yaml=False)
    except Unreadable as error:
        raise status.bad_request(f"{prefix}{error}") from error
    if document is None:
        document = [] if expected.startswith("[]") else {}
    if isinstance(document, list) != expected.startswith("[]") or not isinstance(document, list | dict):
        why = f"json: cannot unmarshal {json_word(document, {})} into Go value of type {expected}"
        raise status.bad_request(prefix + why)
    return document


def parse_applied(call: Call) -> Json:
    """The configuration in the body of an apply, which is YAML. Raises an ApiError (400)."""
    try:
        parsed, duplicates = read(call.body, is_yaml=True)
    except Unreadable as error:
        raise status.bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from error
    if parsed is None:
        parsed = {}
    if not isinstance(parsed, dict):
        why = f"cannot unmarshal {json_word(parsed, {})} into Go value of type map[string]interface {{}}"
        what = "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: "
        raise status.bad_request(what + why)
    _report(call, parsed, duplicates)
    return parsed


class Unreadable(Exception):
    """A body that is neither JSON nor YAML; the text says why."""

    def __init__(self, why: str, *, is_yaml: bool) -> None:
        super().__init__(why)
        self.is_yaml = is_yaml


def read(body: bytes, *, is_yaml: bool) -> tuple[Any, Duplicates]:
    """The value and its duplicate keys, in the order in which they come. Raises Unreadable."""
    if is_yaml and (plain := _plain_json(body)) is not None:
        return plain
    if is_yaml:
        try:
            value, duplicates = read_yaml(body)
        except (yaml.YAMLError, ValueError) as error:
            raise Unreadable(f"yaml: {_yaml_words(error)}", is_yaml=True) from error
    else:
        value, duplicates = _read_json(body)
    if not _storable(value):
        raise Unreadable("exceeded max depth", is_yaml=is_yaml)
    return value, duplicates


def _plain_json(body: bytes) -> tuple[Any, Duplicates] | None:
    """JSON is YAML, and what most clients send as such; None where there is more to it."""
    if not body.startswith(b"{"):
        return None
    try:
        value, duplicates = _read_json(body)
    except Unreadable:
        return None
    return None if duplicates.found or not _storable(value) else (value, duplicates)


def _read_json(body: bytes) -> tuple[Any, Duplicates]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if complaint := json_words.complaint(body):
            raise Unreadable(complaint, is_yaml=False) from error
        # What is JSON to Go but not to orjson is not UTF-8: Go replaces what it cannot read.
        body = body.decode(errors="replace").encode()
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Unreadable(str(error), is_yaml=False) from error
    return value, Duplicates.of_json(body, value) if _storable(value) else Duplicates()


def _storable(value: Any) -> bool:
    """Whether JSON can be made of the value again when it is part of an object."""
    for _ in range(254 - json_words.MAX_DEPTH):  # orjson writes 254 levels
        value = [value]
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _unrecognized(call: Call, kind: str, why: str) -> status.ApiError:
    what = f"the object provided is unrecognized (must be of type {kind})"
    return status.bad_request(f"{what}: {why} ({_summary(call.body)})")


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    head = body[:_SHOWN].decode(errors="replace") if body.startswith(b"{") else body[:_SHOWN].hex()
    return f"{head} ..." if len(body) > _SHOWN else head


def _yaml_words(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + isinstance(error, yaml.scanner.ScannerError) if mark else 0
    words = getattr(error, "problem", None) or str(error)
    return f"line {line}: {words}" if line else words


def _report(call: Call, parsed: Json, duplicates: Duplicates) -> None:
    if not duplicates.found or call.field_validation == "Ignore":
        return
    if call.field_validation == "Strict":
        kind, version = parsed.get("kind", ""), str(parsed.get("apiVersion", "")).rpartition("/")[2]
        what = f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: '
        raise status.bad_request(what + duplicates.refusal)
    call.warnings.extend(duplicates.found)
