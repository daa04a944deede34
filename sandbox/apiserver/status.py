"""Refusals: every error the server answers, as the `Status` object that Kubernetes clients expect.

All modules raise `ApiError` made by a constructor here; `server.py` is the only place that turns it into a
response. The wording is that of kube-apiserver 1.36, because people and programs match on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.apiserver.resources import Json, ResourceType


class ApiError(Exception):
    """A request that is answered with `status`, whose `code` is the HTTP code."""

    def __init__(self, status: Json) -> None:
        super().__init__(status["message"])
        self.status = status


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: becomes a cause of an Invalid status."""

    field: str
    reason: str
    message: str

    @classmethod
    def invalid(cls, field: str, value: Any, why: str) -> "FieldError":
        return cls(field, "FieldValueInvalid", f"Invalid value: {quoted(value)}: {why}")

    @classmethod
    def required(cls, field: str, why: str = "") -> "FieldError":
        return cls(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")

    @classmethod
    def unsupported(cls, field: str, value: Any, supported: Sequence[Any]) -> "FieldError":
        options = ", ".join(quoted(option) for option in supported)
        text = f"Unsupported value: {quoted(value)}: supported values: {options}"
        return cls(field, "FieldValueNotSupported", text)

    @classmethod
    def duplicate(cls, field: str, value: Any) -> "FieldError":
        return cls(field, "FieldValueDuplicate", f"Duplicate value: {quoted(value)}")

    @classmethod
    def forbidden(cls, field: str, why: str) -> "FieldError":
        return cls(field, "FieldValueForbidden", f"Forbidden: {why}")

    @classmethod
    def too_long(cls, field: str, limit: int) -> "FieldError":
        return cls(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")

    @classmethod
    def too_many(cls, field: str, count: int, limit: int) -> "FieldError":
        return cls(field, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} items")


def quoted(value: Any) -> str:
    return orjson.dumps(value).decode()


def status_object(code: int, reason: str, message: str, details: Json | None = None) -> Json:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details is not None:
        body["details"] = details
    return {**body, "code": code}


def _details(resource: ResourceType, name: str, *, kind: str = "") -> Json:
    parts = {"name": name, "group": resource.group, "kind": kind or resource.plural}
    return {key: value for key, value in parts.items() if value}


def not_found(resource: ResourceType, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(status_object(404, "NotFound", message, _details(resource, name)))


def no_such_path() -> ApiError:
    return ApiError(status_object(404, "NotFound", "the server could not find the requested resource", {}))


def already_exists(resource: ResourceType, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(status_object(409, "AlreadyExists", message, _details(resource, name)))


def conflict(resource: ResourceType, name: str, why: str = "") -> ApiError:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(status_object(409, "Conflict", message, _details(resource, name)))


def invalid(resource: ResourceType, name: str, errors: Sequence[FieldError]) -> ApiError:
    texts = [f"{error.field}: {error.message}" for error in errors]
    summary = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(resource, name, kind=resource.kind)
    details["causes"] = [{"reason": e.reason, "message": e.message, "field": e.field} for e in errors]
    message = f'{resource.qualified_kind} "{name}" is invalid: {summary}'
    return ApiError(status_object(422, "Invalid", message, details))


def forbidden(resource: ResourceType, name: str, why: str, causes: Sequence[Json] = ()) -> ApiError:
    details = _details(resource, name)
    if causes:
        details["causes"] = list(causes)
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return ApiError(status_object(403, "Forbidden", message, details))


def bad_request(message: str) -> ApiError:
    return ApiError(status_object(400, "BadRequest", message))


def unprocessable() -> ApiError:
    """A JSON patch that does not fit the object."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(status_object(422, "Invalid", message, {}))


def unauthorized() -> ApiError:
    return ApiError(status_object(401, "Unauthorized", "Unauthorized"))


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(status_object(405, "MethodNotAllowed", message, {}))


def unsupported_media_type(message: str, details: Json | None = None) -> ApiError:
    return ApiError(status_object(415, "UnsupportedMediaType", message, details))


def too_large(limit: int) -> ApiError:
    message = f"Request entity too large: limit is {limit}"
    return ApiError(status_object(413, "RequestEntityTooLarge", message, {}))


def not_implemented(what: str) -> ApiError:
    message = f"{what} is not available in the sandbox: its pods are plain processes on this machine"
    return ApiError(status_object(501, "NotImplemented", message))


def expired(asked: int, oldest: int) -> ApiError:
    """A resourceVersion whose history is gone."""
    return ApiError(status_object(410, "Expired", f"too old resource version: {asked} ({oldest})"))


def success(resource: ResourceType, name: str, uid: str) -> Json:
    """What a delete that is complete answers."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**_details(resource, name), "uid": uid},
    }
