"""Admission in a simulation: the webhooks' own decisions, called as the API server calls them.

    a person's write ─► MemoryApi ─► Door ─► pinning, protection ─► what is stored, or a refusal

Its view of Canaries may be late, and it may be down: then failurePolicy says what happens.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from admission.governed import Governed
from admission.pinning import mutate
from admission.protection import protect
from admission.request import Operation, Request, User
from shared.errors import ClusterUnavailable, Forbidden
from shared.names import CANARY_LABEL
from shared.resources import CANARIES, DEPLOYMENTS, HPAS, SERVICES, Resource
from shared.types.canary import Phase
from shared.types.meta import Json
from tests.integration.controller.memory import MemoryApi, Place
from tests.integration.controller.objects import ROUTES
from tests.writes import stored

PERSON = User("somebody")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
GOVERNED = {each.plural: each for each in (DEPLOYMENTS, SERVICES, HPAS, ROUTES)}


@dataclass
class Door:
    """`lag` is in seconds."""

    api: MemoryApi
    lag: float = 0.0
    up: bool = True

    def __call__(self, place: Place, old: Json | None, new: Json | None) -> Json | None:
        """What is stored.

        Raises:
            ClusterUnavailable: a webhook with failurePolicy Fail is down.
            Forbidden: refused.
        """
        if place.plural not in GOVERNED or place.subresource:
            return new
        if not self.up:
            if _labels(old) | _labels(new):
                raise ClusterUnavailable("failed calling webhook")
            return new
        if place.plural == DEPLOYMENTS.plural and new is not None:
            target = next((each for each in self._canaries() if each.target == new["metadata"]["name"]), None)
            new = stored(new, mutate(_request(place, old, new), target))
        labels = _labels(old) | _labels(new)
        if old is not None and labels:
            owner = next((each for each in self._canaries() if each.name in labels), None)
            answer = protect(_request(place, old, new), owner)
            if not answer.allowed:
                raise Forbidden("; ".join(str(violation.problem) for violation in answer.violations))
        return new

    def _canaries(self) -> list[Governed]:
        """The Canaries as they were `lag` seconds ago."""
        until = asyncio.get_running_loop().time() - self.lag
        known = dict[str, Governed]()
        for told in self.api.told:
            if told.plural != CANARIES.plural or told.at > until:
                continue
            event = orjson.loads(told.line)
            name = event["object"]["metadata"]["name"]
            known.pop(name, None)
            if event["type"] != "DELETED":
                known[name] = _governed(event["object"])
        return list(known.values())


def _governed(obj: Json) -> Governed:
    metadata, spec = obj["metadata"], obj["spec"]
    return Governed(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        target=spec["targetRef"]["name"],
        apex=spec["targetRef"]["name"],
        autoscaler=(spec.get("autoscalerRef") or {}).get("name", ""),
        phase=Phase((obj.get("status") or {}).get("phase", "")),
        suspended=spec.get("suspend", False),
    )


def _request(place: Place, old: Json | None, new: Json | None) -> Request:
    named = new or old or {}
    operation = Operation.CREATE if old is None else Operation.DELETE if new is None else Operation.UPDATE
    resource: Resource = GOVERNED[place.plural]
    return Request(
        uid="r",
        operation=operation,
        resource=resource,
        subresource="",
        namespace=place.namespace,
        name=named["metadata"]["name"],
        user=PERSON,
        dry_run=False,
        received=EPOCH + timedelta(seconds=asyncio.get_running_loop().time()),
        new=new,
        old=old,
    )


def _labels(obj: Json | None) -> set[str]:
    labels = ((obj or {}).get("metadata") or {}).get("labels") or {}
    return {labels[CANARY_LABEL]} if CANARY_LABEL in labels else set()
