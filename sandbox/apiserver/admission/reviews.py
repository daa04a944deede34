"""AdmissionReviews: what a webhook is asked, and whether what it answers is an answer.

Pure; called by `chain.py`.
"""

import base64
import binascii
import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.apiserver.admission.webhooks import Attributes, Kind
from sandbox.apiserver.resources import Json, ResourceType

_GROUP = "admission.k8s.io"
_HEADER = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
_GO_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"), (str, "string"), (int, "number"), (float, "number"), (list, "array"), (dict, "object"),
)  # fmt: skip


class CallFailed(Exception):
    """A webhook that could not be asked, or whose answer is none; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook decided. `patch` is None where it changes nothing."""

    allowed: bool
    status: Json = field(default_factory=dict)
    patch: bytes = b""
    patch_type: str = ""
    warnings: tuple[str, ...] = ()


def kind_of(resource: ResourceType) -> Kind:
    return Kind(resource.group, resource.version, resource.kind)


def _resource(resource: ResourceType) -> Json:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def described(attributes: Attributes, resource: ResourceType) -> Json:
    """The request of a review but for its uid and objects: conditions see this as `request`."""
    target = attributes.call.target
    part = target.subresource
    request = {
        "kind": (attributes.kind or kind_of(resource)).shown,
        "resource": _resource(resource),
        "subResource": part,
        "requestKind": (attributes.kind or kind_of(target.resource)).shown,
        "requestResource": _resource(target.resource),
        "requestSubResource": part,
        "name": attributes.name,
        "namespace": attributes.namespace,
        "operation": attributes.operation,
        "userInfo": attributes.call.user.info,
        "dryRun": attributes.call.dry_run,
        "options": attributes.options or _write_options(attributes),
    }
    return {name: value for name, value in request.items() if value != ""}


def review(request: Json, objects: tuple[Json | None, Json | None], version: str) -> tuple[str, bytes]:
    """The uid and body of a new review; `objects` are the new and the old one."""
    uid = str(uuid.uuid4())
    obj, old = objects
    whole = {"uid": uid, **request, "object": obj, "oldObject": old}
    body = {"kind": "AdmissionReview", "apiVersion": f"{_GROUP}/{version}", "request": whole}
    return uid, orjson.dumps(body)


def _write_options(attributes: Attributes) -> Json:
    call = attributes.call
    kind = "CreateOptions" if attributes.operation == "CREATE" else "UpdateOptions"
    options: Json = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if call.dry_run:
        options["dryRun"] = ["All"]
    given = {name: call.query.get(name) for name in ("fieldManager", "fieldValidation")}
    return options | {name: value for name, value in given.items() if value}


def read(body: bytes, version: str) -> Json:
    """The response in a webhook's answer. Raises CallFailed."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = ""  # the real one reads YAML, in which nearly every text is a string
    if not isinstance(answer, dict):
        why = f"json: cannot unmarshal {_go_type(answer)} into Go value of type {_HEADER}"
        raise CallFailed(f"failed to call webhook: couldn't get version/kind; json parse error: {why}")
    _check_kind(answer, version)
    response = answer.get("response")
    if response is None:
        raise CallFailed("received invalid webhook response: webhook response was absent")
    _check_types(response)
    return dict(response)


def _check_kind(answer: Json, version: str) -> None:
    kind, api_version = answer.get("kind", ""), answer.get("apiVersion", "")
    group, _, theirs = api_version.rpartition("/")
    if not kind and not api_version:
        return  # as the real one: what has no type is taken for what was asked for
    if (kind, api_version) == ("AdmissionReview", f"{_GROUP}/{version}"):
        return
    known = (kind == "AdmissionReview" and group == _GROUP) or (kind, api_version) == ("Status", "v1")
    if known:
        why = f"converting ({theirs}.{kind}) to ({version}.AdmissionReview): unknown conversion"
    else:
        scheme = "k8s.io/apiserver/pkg/util/webhook/client.go:71"
        why = f'no kind "{kind}" is registered for version "{api_version}" in scheme "{scheme}"'
    raise CallFailed(f"failed to call webhook: {why}")


_FIELDS: dict[str, tuple[type, str]] = {
    "uid": (str, "types.UID"),
    "allowed": (bool, "bool"),
    "status": (dict, "v1.Status"),
    "patch": (str, "[]uint8"),
    "patchType": (str, "v1.PatchType"),
    "warnings": (list, "[]string"),
}


def _check_types(response: Any) -> None:
    if not isinstance(response, dict):
        raise _wrong_type(response, "AdmissionReview.response", "v1.AdmissionResponse")
    for name, (expected, shown) in _FIELDS.items():
        value = response.get(name)
        if value is not None and not isinstance(value, expected):
            raise _wrong_type(value, f"AdmissionResponse.response.{name}", shown)
    for warning in response.get("warnings") or ():
        if not isinstance(warning, str):
            raise _wrong_type(warning, "AdmissionResponse.response.warnings", "string")


def _wrong_type(value: Any, where: str, expected: str) -> CallFailed:
    why = f"json: cannot unmarshal {_go_type(value)} into Go struct field {where} of type {expected}"
    return CallFailed(f"failed to call webhook: {why}")


def _go_type(value: Any) -> str:
    return next((name for kind, name in _GO_TYPES if isinstance(value, kind)), "null")


def checked(response: Json, uid: str, *, mutating: bool) -> Answer:
    """A response with all that is asked of one. Raises CallFailed."""
    problem = _problem(response, uid, mutating=mutating)
    if problem:
        raise CallFailed(f"received invalid webhook response: {problem}")
    try:
        patch = base64.b64decode(response.get("patch") or "", validate=True)
    except binascii.Error as error:
        raise CallFailed("failed to call webhook: illegal base64 data at input byte 0") from error
    return Answer(
        allowed=bool(response.get("allowed")),
        status=response.get("status") or {},
        patch=patch,
        patch_type=response.get("patchType") or "",
        warnings=tuple(response.get("warnings") or ()),
    )


def _problem(response: Json, uid: str, *, mutating: bool) -> str:
    given, patch, patch_type = response.get("uid") or "", response.get("patch"), response.get("patchType")
    if given != uid:
        return f'expected response.uid="{uid}", got "{given}"'
    if not mutating:
        if patch:
            return "validating webhook may not return response.patch"
        return "" if patch_type is None else "validating webhook may not return response.patchType"
    if patch and patch_type is None:
        return "webhook returned response.patch but not response.patchType"
    if not patch and patch_type is not None:
        return "webhook returned response.patchType but not response.patch"
    return 'webhook returned invalid response.patchType of ""' if patch_type == "" else ""
