"""Refusals: every error the server answers, as the `Status` object that Kubernetes clients expect.

All modules raise `ApiError` made by a constructor here; `server.py` is the only place that turns it into a
response. The wording is that of kube-apiserver 1.36, because people and programs match on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.apiserver.access.attributes import Access
from sandbox.apiserver.resources import Json, ResourceType

_INCONSISTENT = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - objects "
    "that were created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list."
)


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
    def not_found(cls, field: str, value: Any) -> "FieldError":
        return cls(field, "FieldValueNotFound", f"Not found: {quoted(value)}")

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
    return _invalid(resource.qualified_kind, _details(resource, name, kind=resource.kind), errors)


def invalid_kind(group: str, kind: str, errors: Sequence[FieldError]) -> ApiError:
    """Of something that is no resource: options, or ("", "") a patch."""
    details = {key: value for key, value in (("group", group), ("kind", kind)) if value}
    return _invalid(f"{kind}.{group}" if group else kind, details, errors)


def _invalid(what: str, details: Json, errors: Sequence[FieldError]) -> ApiError:
    texts = [f"{error.field}: {error.message}" for error in errors]
    summary = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": e.reason, "message": e.message, "field": e.field} for e in errors]
    message = f'{what} "{details.get("name", "")}" is invalid: {summary}'
    return ApiError(status_object(422, "Invalid", message, {**details, "causes": causes}))


def forbidden(resource: ResourceType, name: str, why: str, causes: Sequence[Json] = ()) -> ApiError:
    details = _details(resource, name)
    if causes:
        details["causes"] = list(causes)
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return ApiError(status_object(403, "Forbidden", message, details))


def access_denied(user: str, access: Access) -> ApiError:
    """What somebody may not do."""
    if access.path:
        message = f"forbidden: User {quoted(user)} cannot {access.verb} path {quoted(access.path)}"
        return ApiError(status_object(403, "Forbidden", message, {}))
    qualified = f"{access.plural}.{access.group}" if access.group else access.plural
    what = f"{qualified} {quoted(access.name)}" if access.name else qualified
    where = f"in the namespace {quoted(access.namespace)}" if access.namespace else "at the cluster scope"
    asked = f"{access.verb} resource {quoted(access.resource)} in API group {quoted(access.group)} {where}"
    parts = {"name": access.name, "group": access.group, "kind": access.plural}
    details = {key: value for key, value in parts.items() if value}
    message = f"{what} is forbidden: User {quoted(user)} cannot {asked}"
    return ApiError(status_object(403, "Forbidden", message, details))


def bad_request(message: str) -> ApiError:
    return ApiError(status_object(400, "BadRequest", message))


def unprocessable() -> ApiError:
    """A JSON patch that does not fit the object."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(status_object(422, "Invalid", message, {}))


def invalid_patch(shown: str, why: str) -> ApiError:
    """A patch whose outcome is no object of the kind."""
    cause = FieldError.invalid("patch", shown, why)
    causes = [{"reason": cause.reason, "message": cause.message, "field": cause.field}]
    message = f' "" is invalid: {cause.field}: {cause.message}'
    return ApiError(status_object(422, "Invalid", message, {"causes": causes}))


def unexplained(message: str) -> ApiError:
    """A failure that the real server has no reason for, and answers with 500 though it is the client's."""
    refusal = status_object(500, "", message)
    del refusal["reason"]
    return ApiError(refusal)


def unauthorized() -> ApiError:
    return ApiError(status_object(401, "Unauthorized", "Unauthorized"))


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(status_object(405, "MethodNotAllowed", message, {}))


def unsupported_media_type(message: str, details: Json | None = None) -> ApiError:
    return ApiError(status_object(415, "UnsupportedMediaType", message, details))


def too_large(limit: int) -> ApiError:
    message = f"Request entity too large: limit is {limit}"
    return ApiError(status_object(413, "RequestEntityTooLarge", message))


def too_many_operations(limit: int, found: int) -> ApiError:
    """Of a JSON patch."""
    why = f"The allowed maximum operations in a JSON patch is {limit}, got {found}"
    return ApiError(status_object(413, "RequestEntityTooLarge", f"Request entity too large: {why}"))


def not_implemented(what: str) -> ApiError:
    message = f"{what} is not available in the sandbox: its pods are plain processes on this machine"
    return ApiError(status_object(501, "NotImplemented", message))


def not_acceptable(message: str, details: Json | None = None) -> ApiError:
    return ApiError(status_object(406, "NotAcceptable", message, details))


def too_new(asked: int, current: int) -> ApiError:
    """A resourceVersion that there is not yet."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    details = {"causes": causes, "retryAfterSeconds": 1}
    return ApiError(status_object(504, "Timeout", message, details))


def list_expired(continue_token: str = "") -> ApiError:
    """A list whose version is gone. The token goes on with what there is now."""
    if not continue_token:
        return ApiError(
            status_object(410, "Expired", "The resourceVersion for the provided list is too old.")
        )
    error = ApiError(status_object(410, "Expired", _INCONSISTENT))
    error.status["metadata"] = {"continue": continue_token}
    return error


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
