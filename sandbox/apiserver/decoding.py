"""From a body to an object of the kind that the path asks for: nothing unknown in it, metadata present.

    right kind? -> prune (schema.py) -> unknown fields: refused, warned of or ignored, as the client asks

Called by `operations.py`.
"""

from sandbox.apiserver import status
from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.schema import Decoder, WrongType
from sandbox.apiserver.status import ApiError


def schema_of(resource: ResourceType) -> Json:
    return resource.schema if resource.schema is not None else definition_schema(resource.definition)


def decode(call: Call, body: Json) -> Json:
    """Decodes a body, which is changed. Raises an ApiError (400)."""
    resource = call.target.resource
    _check_kind(resource, body)
    body["metadata"] = body.get("metadata") or {}
    schema = schema_of(resource)
    decoder = Decoder(strict_types=not resource.custom)
    try:
        if resource.custom:
            # Metadata is built in even where the rest is custom.
            metadata_decoder = Decoder(strict_types=True, unknown=decoder.unknown)
            metadata_decoder.prune(body["metadata"], schema["properties"]["metadata"], "metadata")
        decoder.prune(body, schema)
    except WrongType as error:
        raise _undecodable(resource, str(error)) from error
    _report_unknown(call, decoder.unknown)
    body["metadata"].pop("managedFields", None)
    return _headed(resource, body)


def _check_kind(resource: ResourceType, body: Json) -> None:
    kind, api_version = body.get("kind", resource.kind), body.get("apiVersion", resource.api_version)
    if (kind, api_version) == (resource.kind, resource.api_version):
        return
    version = api_version.rpartition("/")[2]
    why = f"converting ({version}.{kind}) to ({resource.group or 'core'}.{resource.kind}): unknown conversion"
    raise status.bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {why}')


def _undecodable(resource: ResourceType, why: str) -> ApiError:
    return status.bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'
    )


def _report_unknown(call: Call, unknown: list[str]) -> None:
    texts = [f'unknown field "{path}"' for path in unknown]
    if texts and call.field_validation == "Strict":
        raise _undecodable(call.target.resource, f"strict decoding error: {', '.join(texts)}")
    if call.field_validation == "Warn":
        call.warnings.extend(texts)


def _headed(resource: ResourceType, body: Json) -> Json:
    """With kind and apiVersion first, which lists rely on (see `handlers.py`)."""
    body.pop("kind", None)
    body.pop("apiVersion", None)
    return {"kind": resource.kind, "apiVersion": resource.api_version, **body}
