"""Marks on objects that decide how a write to them is treated. Pure; read by `pinning` and `protection`."""

from admission.request import Request
from shared.names import BREAK_GLASS_ANNOTATION, CANARY_LABEL, GROUP
from shared.types.meta import Json


def is_generated(obj: Json) -> bool:
    """Whether a Canary made the object: it is the object's controller."""
    return owner_of(obj) is not None


def owner_of(obj: Json) -> Json | None:
    """The reference to the Canary that made the object."""
    owners: list[Json] = (obj.get("metadata") or {}).get("ownerReferences") or []
    return next(
        (
            owner
            for owner in owners
            if owner.get("controller")
            and owner.get("kind") == "Canary"
            and str(owner.get("apiVersion", "")).startswith(f"{GROUP}/")
        ),
        None,
    )


def label_in(obj: Json) -> str | None:
    """The Canary that the object's label names."""
    labels: dict[str, str] = (obj.get("metadata") or {}).get("labels") or {}
    return labels.get(CANARY_LABEL)


def glass_broken(request: Request) -> bool:
    """Whether somebody marked the object so that nothing is held or refused."""
    return any(
        BREAK_GLASS_ANNOTATION in ((obj.get("metadata") or {}).get("annotations") or {})
        for obj in (request.new, request.old)
        if obj is not None
    )


def glass_warning(request: Request) -> str:
    """What the person is told then."""
    return (
        f"annotation {BREAK_GLASS_ANNOTATION} of {request.namespace}/{request.name} takes all protection "
        "off: new templates may serve users at once; remove it when you are done"
    )
