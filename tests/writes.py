"""Builders of admission requests about podinfo in namespace test, and what is stored after an answer."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jsonpatch

from admission.answer import Answer
from admission.governed import Governed
from admission.request import Operation, Request, User
from shared.hold import Hold, hold_of
from shared.names import CANARY_LABEL
from shared.resources import DEPLOYMENTS, Resource
from shared.types.canary import Phase
from tests.builders import Json, deployment

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ALICE = User("alice", groups=("system:authenticated",))
FIRST, SECOND, THIRD = (f"stefanprodan/podinfo:6.0.{patch}" for patch in range(3))


def governed(phase: Phase = Phase.PROGRESSING, **changes: Any) -> Governed:
    """The guide's Canary."""
    known = Governed("test", "podinfo", "u1", "podinfo", "podinfo", autoscaler="", phase=phase)
    return replace(known, **changes)


def target(image: str = FIRST, *, replicas: int = 2, **spec: Any) -> Json:
    """podinfo, governed."""
    obj = deployment(image=image, replicas=replicas)
    obj["metadata"]["labels"] = {"app": "podinfo", CANARY_LABEL: "podinfo"}
    obj["spec"].update(spec)
    return obj


def with_image(obj: Json, image: str) -> Json:
    """The object with another image."""
    return edited(obj, lambda new: new["spec"]["template"]["spec"]["containers"][0].update(image=image))


def edited(obj: Json, *edits: Any) -> Json:
    """A copy, changed."""
    new = copy.deepcopy(obj)
    for edit in edits:
        edit(new)
    return new


def request(
    new: Json | None,
    old: Json | None,
    *,
    user: User = ALICE,
    resource: Resource = DEPLOYMENTS,
    at: datetime = NOW,
) -> Request:
    """What the API server asks about a write."""
    named = new or old or {}
    operation = Operation.CREATE if old is None else Operation.DELETE if new is None else Operation.UPDATE
    return Request(
        uid="r1",
        operation=operation,
        resource=resource,
        subresource="",
        namespace=named["metadata"]["namespace"],
        name=named["metadata"]["name"],
        user=user,
        dry_run=False,
        received=at,
        new=new,
        old=old,
    )


def stored(new: Json, answer: Answer) -> Json:
    """The object after the answer's patch, as the API server applies it (RFC 6902)."""
    operations: list[Mapping[str, Any]] = [
        {"op": each.op, "path": each.path} | ({} if each.op == "remove" else {"value": each.value})
        for each in answer.patch
    ]
    patched: Json = jsonpatch.apply_patch(new, operations)
    return patched


def hold(obj: Json) -> Hold | None:
    """The hold of an object."""
    return hold_of(obj["metadata"])


def annotations(obj: Json) -> dict[str, str]:
    """The object's annotations."""
    found: dict[str, str] = obj["metadata"].get("annotations") or {}
    return found
