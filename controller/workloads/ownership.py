"""Whose an object is: the mark on what a Canary generates, and the refusal to touch what it did not."""

from controller.observation import Manifest
from shared.errors import Blocked
from shared.resources import CANARIES
from shared.types.canary import Canary
from shared.types.meta import Json


def owner_reference(canary: Canary) -> Json:
    """The controlling owner reference; with it an object is ours, and goes when the Canary is deleted."""
    return {
        "apiVersion": CANARIES.api_version,
        "kind": CANARIES.kind,
        "name": canary.metadata.name,
        "uid": canary.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def check_owned(kind: str, found: Manifest, canary: Canary) -> None:
    """Let an object through that this Canary controls.

    Raises:
        Blocked: NotOwned; the object is somebody else's, and is left alone.
    """
    if found.owner == canary.metadata.uid:
        return
    raise Blocked(
        "NotOwned",
        f"{kind} {found.name}.{found.namespace} exists and does not belong to Canary {canary.metadata.name}; "
        "delete or rename it, or let the Canary use another name",
    )
