"""From a body to an object of the kind that the path asks for: nothing unknown in it, metadata present.

    right kind? -> prune (schema.py) -> unknown fields: refused, warned of or ignored, as the client asks

Called by `operations.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.apiserver import status
from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.schema import Decoder, WrongType
from sandbox.apiserver.status import ApiError

_OPTIONS = "DeleteOptions"


def schema_of(resource: ResourceType) -> Json:
    return resource.schema if resource.schema is not None else definition_schema(resource.definition)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a body is no object of its kind, in the words of a decoder and of the converter of patches."""

    decoding: str
    conversion: str


Refuse = Callable[[ResourceType, Fault], ApiError]


def decode(call: Call, body: Json, refuse: Refuse | None = None, seen: Json | None = None) -> Json:
    """Decodes a body, which is changed; `seen` is the object that a patch made it from.

    Raises an ApiError: 400, or what `refuse` makes of the fault.
    """
    resource, refuse = call.target.resource, refuse or _undecodable
    _check_kind(resource, body)
    if body.get("metadata") is None:
        body["metadata"] = {}
    schema = schema_of(resource)
    decoder = Decoder(strict_types=not resource.custom)
    try:
        if resource.custom:
            # Metadata is built in even where the rest is custom.
            metadata_decoder = Decoder(strict_types=True, unknown=decoder.unknown)
            metadata_decoder.prune(body["metadata"], schema["properties"]["metadata"], "metadata")
        # A definition may have changed since a custom object was stored, so that is looked at as a whole.
        decoder.prune(body, schema, seen=None if resource.custom else seen)
    except WrongType as error:
        raise refuse(resource, Fault(str(error), error.conversion)) from error
    _report_unknown(call, decoder.unknown, refuse)
    return _headed(resource, body)


def decode_options(body: Json) -> None:
    """Checks the body of a delete. Raises an ApiError (400)."""
    kind, version = body.get("kind", _OPTIONS), body.get("apiVersion", "v1")
    if kind != _OPTIONS:
        scheme = '"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"'
        raise status.bad_request(f'no kind "{kind}" is registered for version "{version}" in scheme {scheme}')
    try:
        Decoder(strict_types=True).prune(body, definition_schema(f"V1{_OPTIONS}"))
    except WrongType as error:
        raise status.bad_request(str(error)) from error


def decode_other(body: Json, group: str, kind: str, definition: str) -> None:
    """Checks a body of a kind that is no resource, a Scale for example. Raises an ApiError (400)."""
    asked, version = body.get("kind", kind), body.get("apiVersion", "v1").rpartition("/")[2]
    what = f'{asked} in version "{version}" cannot be handled as a {kind}: '
    if asked != kind:
        why = f"converting ({version}.{asked}) to ({group}.{kind}): unknown conversion"
        raise status.bad_request(what + why)
    try:
        Decoder(strict_types=True).prune(body, definition_schema(definition))
    except WrongType as error:
        raise status.bad_request(what + str(error)) from error


def _check_kind(resource: ResourceType, body: Json) -> None:
    kind, api_version = body.get("kind", resource.kind), body.get("apiVersion", resource.api_version)
    if (kind, api_version) == (resource.kind, resource.api_version):
        return
    version = api_version.rpartition("/")[2]
    why = f"converting ({version}.{kind}) to ({resource.group or 'core'}.{resource.kind}): unknown conversion"
    raise status.bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {why}')


def _undecodable(resource: ResourceType, fault: Fault) -> ApiError:
    what = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    return status.bad_request(f"{what}: {fault.decoding}")


def _report_unknown(call: Call, unknown: list[str], refuse: Refuse) -> None:
    texts = [f'unknown field "{path}"' for path in unknown]
    if texts and call.field_validation == "Strict":
        why = f"strict decoding error: {', '.join(texts)}"
        raise refuse(call.target.resource, Fault(why, why))
    if call.field_validation == "Warn":
        call.warnings.extend(texts)


def _headed(resource: ResourceType, body: Json) -> Json:
    """With kind and apiVersion first, which lists rely on (see `handlers.py`)."""
    body.pop("kind", None)
    body.pop("apiVersion", None)
    return {"kind": resource.kind, "apiVersion": resource.api_version, **body}


def check_place(call: Call, metadata: Json) -> None:
    """Fills in the name and namespace of the path. Raises an ApiError (400) where an object has others."""
    target = call.target
    if "name" not in metadata and not call.content_type.startswith("application/apply-patch"):
        raise status.bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    name = metadata.setdefault("name", target.name)
    if name != target.name:
        raise status.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )
    if target.namespace and metadata.setdefault("namespace", target.namespace) != target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
