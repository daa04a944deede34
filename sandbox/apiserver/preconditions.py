"""What must hold of the object that is stored before a write or delete that names it goes on.

Called by `operations.py`.
"""

from sandbox.apiserver import lifecycle, status
from sandbox.apiserver.lifecycle import DeleteOptions
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.storage import Entry


def check_namespace(resource: ResourceType, name: str, space: Entry) -> None:
    """That a namespace takes a new object. Raises an ApiError (403) where it is going away."""
    metadata = space.obj["metadata"]
    if "deletionTimestamp" not in metadata:
        return
    going = "being terminated"
    why = f"unable to create new content in namespace {metadata['name']} because it is {going}"
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {metadata['name']} is {going}",
        "field": "metadata.namespace",
    }
    raise status.forbidden(resource, name, why, [cause])


def check_update(call: Call, storage: ResourceType, old: Json, new: Json) -> None:
    """The uid and resourceVersion that an update brings. Raises an ApiError (409, 422)."""
    before, after, resource = old["metadata"], new["metadata"], call.target.resource
    name = before["name"]
    if after.get("uid", before["uid"]) != before["uid"] and call.method == "PATCH":
        fixed = status.FieldError.invalid("metadata.uid", after["uid"], "field is immutable")
        raise status.invalid(resource, name, [fixed])
    if after.get("uid", before["uid"]) != before["uid"]:
        uids = f"UID in precondition: {after['uid']}, UID in object meta: {before['uid']}"
        why = f"Precondition failed: {uids}"
        raise status.conflict(resource, name, why)
    version = after.get("resourceVersion", "")
    if not version and call.method == "PUT" and not storage.unconditional_update:
        error = status.FieldError.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise status.invalid(resource, name, [error])
    if version and not version.isdecimal():
        raise status.unexplained(f"strconv.ParseUint: parsing {status.quoted(version)}: invalid syntax")
    if version not in ("", "0", before["resourceVersion"]):
        raise status.conflict(resource, name)


def check_delete(resource: ResourceType, current: Entry, options: DeleteOptions) -> None:
    """What a delete asks for. Raises an ApiError (403, 409)."""
    metadata = current.obj["metadata"]
    if resource.kind == "Namespace" and metadata["name"] in lifecycle.PROTECTED_NAMESPACES:
        raise status.forbidden(resource, metadata["name"], "this namespace may not be deleted")
    for label, wanted, actual in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != actual:
            why = (
                f"the {label} in the precondition ({wanted}) does not match the {label} in record ({actual})."
                " The object might have been deleted and then recreated"
            )
            raise status.conflict(resource, current.key[1], why)
