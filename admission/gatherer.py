"""Gathers what the rules want to know, before they run: from the caches, else from the API server, at once.

    Wanted ─┬─ cached? ────────► Caches ─┐
            ├─ object, list ───► GET ────┼─► Snapshot
            └─ right of a user ► SubjectAccessReview

A snapshot is whole or there is none: what cannot be asked is an error, never taken for an absence. It is the
handlers' deadline that bounds the time.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from cachetools import TTLCache

from admission.request import Request, User
from admission.rules.access import Access
from admission.rules.rule import Change
from admission.wanted import All, Ref, Wanted, wanted
from shared.errors import ClusterError, ClusterUnavailable, NotFound
from shared.names import TRAEFIK_GROUPS
from shared.resources import (
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    RESOURCE_QUOTAS,
    SUBJECT_ACCESS_REVIEWS,
    Resource,
    ingress_routes,
)
from shared.types.meta import Json

ALLOWED_SECONDS = 30.0
"""How long a right that a user has counts as his. One that he lacks is asked for each time: it may be the
next thing that he is given."""
MOST_RIGHTS = 10_000
GROUP_SECONDS = 60.0
"""How long it is remembered which of Traefik's groups the API server has."""
MOST_LISTED = 200
"""Canaries in a namespace that are listed anew for each one that is made. Above, the cache has to do: what
another replica let through a moment ago is missed, and the controller lets the older of the two act."""

ADVISORY = frozenset(
    {POD_DISRUPTION_BUDGETS, NETWORK_POLICIES, RESOURCE_QUOTAS, *map(ingress_routes, TRAEFIK_GROUPS)}
)
"""What no refusal depends on: without it there is a warning less."""

Right = tuple[str, str, tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...], Access]

log = logging.getLogger(__name__)


class Api(Protocol):
    """As much of the API server as is asked, of `shared.cluster.Cluster`. All of it raises ClusterError."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        """One object."""

    async def list(self, resource: Resource, namespace: str | None = None) -> tuple[Sequence[Json], str]:
        """All objects, and their version."""

    async def create(self, resource: Resource, body: Json) -> Json:
        """What was made of the body."""

    async def served(self, group: str) -> Mapping[str, str] | None:
        """The resources of a group; None where it is not served."""


class Known(Protocol):
    """What is cached; `admission.caches.Caches` is one."""

    @property
    def resources(self) -> Iterable[Resource]:
        """What is cached at all."""

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """An object, or None where it is not known."""

    def list(self, resource: Resource, namespace: str) -> Sequence[Json]:
        """The objects of a namespace, or of all, with what was let through a moment ago."""

    def count(self, resource: Resource, namespace: str) -> int:
        """How many objects a namespace has."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was found, as a Lookup. What nobody wanted is not there."""

    complete: bool
    objects: Mapping[Ref, Json]
    lists: Mapping[All, Sequence[Json]]
    denied: frozenset[Access]

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """See `Lookup`."""
        return self.objects.get(Ref(resource, namespace, name))

    def list(self, resource: Resource, namespace: str) -> Sequence[Json]:
        """See `Lookup`."""
        return self.lists.get(All(resource, namespace), ())

    def allowed(self, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        """See `Lookup`."""
        return Access(verb, resource, namespace, name) not in self.denied


class ClusterGatherer:
    """Asks the caches and the API server; holds what users were found to be allowed."""

    def __init__(self, cluster: Api, known: Known) -> None:
        self._cluster = cluster
        self._known = known
        self._rights: TTLCache[Right, bool] = TTLCache(MOST_RIGHTS, ALLOWED_SECONDS)
        self._groups: TTLCache[str, bool] = TTLCache(len(TRAEFIK_GROUPS), GROUP_SECONDS)

    async def gather(self, request: Request, change: Change[Any]) -> Snapshot:
        """All that the rules can ask about the change.

        The caches are read last and without waiting in between, so that of two Canaries that are made at the
        same moment the second finds the first.

        Raises:
            ClusterUnavailable: something could not be asked; the text says what.
        """
        asked = wanted(change)
        objects, lists, denied = await _all(
            self._objects(asked.objects), self._lists(asked.lists), self._denied(request.user, asked)
        )
        for each in asked.lists:
            if self._is_cached(each.resource):
                lists[each] = _merged(lists.get(each, ()), self._known.list(each.resource, each.namespace))
            objects |= {Ref(each.resource, each.namespace, _name(obj)): obj for obj in lists[each]}
        return Snapshot(
            asked != Wanted(), MappingProxyType(objects), MappingProxyType(lists), frozenset(denied)
        )

    async def _objects(self, refs: Iterable[Ref]) -> dict[Ref, Json]:
        ordered = tuple(refs)
        found = await _all(*(self._object(ref) for ref in ordered))
        return {ref: obj for ref, obj in zip(ordered, found, strict=True) if obj is not None}

    async def _object(self, ref: Ref) -> Json | None:
        """From the cache; what is not in it may be newer than it."""
        if self._is_cached(ref.resource):
            known = self._known.get(ref.resource, ref.namespace, ref.name)
            if known is not None:
                return known
        try:
            return await self._cluster.get(ref.resource, ref.name, ref.namespace)
        except NotFound:
            return None
        except ClusterError as error:
            what = f"{ref.resource.kind} {ref.namespace}/{ref.name}"
            raise ClusterUnavailable(f"cannot be judged without {what}: {error}") from error

    async def _lists(self, wants: Iterable[All]) -> dict[All, Sequence[Json]]:
        ordered = tuple(each for each in wants if not self._suffices(each))
        found = await _all(*(self._list(each) for each in ordered))
        return dict(zip(ordered, found, strict=True))

    def _suffices(self, each: All) -> bool:
        """Whether the cache has to do. A list of all namespaces is for warnings alone."""
        if not self._is_cached(each.resource):
            return False
        return not each.namespace or self._known.count(each.resource, each.namespace) > MOST_LISTED

    async def _list(self, each: All) -> Sequence[Json]:
        try:
            return (await self._cluster.list(each.resource, each.namespace))[0]
        except NotFound:  # the API server does not know the resource at all
            return ()
        except ClusterError as error:
            if each.resource in ADVISORY:
                log.warning(
                    "warning without a look", extra={"resource": each.resource.plural, "error": str(error)}
                )
                return ()
            what = f"the {each.resource.plural} of namespace {each.namespace}"
            raise ClusterUnavailable(f"cannot be judged without {what}: {error}") from error

    async def _denied(self, user: User, asked: Wanted) -> list[Access]:
        """What the user may not do of what is asked."""
        groups = [group for group in TRAEFIK_GROUPS if any(a.resource.group == group for a in asked.access)]
        unserved = {
            group
            for group, served in zip(groups, await _all(*map(self._is_served, groups)), strict=True)
            if not served
        }
        ordered = [access for access in asked.access if access.resource.group not in unserved]
        answers = await _all(*(self._may(user, access) for access in ordered))
        return [access for access, may in zip(ordered, answers, strict=True) if not may]

    async def _is_served(self, group: str) -> bool:
        if group not in self._groups:
            try:
                self._groups[group] = await self._cluster.served(group) is not None
            except ClusterError as error:
                raise ClusterUnavailable(f"cannot be judged without API group {group}: {error}") from error
        return self._groups[group]

    async def _may(self, user: User, access: Access) -> bool:
        right = (user.name, user.uid, user.groups, tuple(sorted(user.extra.items())), access)
        if right in self._rights:
            return True
        try:
            answer = await self._cluster.create(SUBJECT_ACCESS_REVIEWS, _review(user, access))
        except ClusterError as error:
            what = f'knowing whether user "{user.name}" may {access}'
            raise ClusterUnavailable(f"cannot be judged without {what}: {error}") from error
        status = answer.get("status") or {}
        if status.get("allowed") is not True:
            return False
        self._rights[right] = True
        return True

    def _is_cached(self, resource: Resource) -> bool:
        return resource in self._known.resources


def _review(user: User, access: Access) -> Json:
    return {
        "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SUBJECT_ACCESS_REVIEWS.kind,
        "metadata": {},
        "spec": {
            "user": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
            "resourceAttributes": {
                "verb": access.verb,
                "group": access.resource.group,
                "version": access.resource.version,
                "resource": access.resource.plural,
                "namespace": access.namespace,
                "name": access.name,
            },
        },
    }


async def _all(*asking: Coroutine[Any, Any, Any]) -> list[Any]:
    """The answers in order. The first error ends all questions, and is raised."""
    tasks = [asyncio.ensure_future(each) for each in asking]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _merged(listed: Sequence[Json], known: Sequence[Json]) -> Sequence[Json]:
    """Both; of what is in both the known one, which may have been let through a moment ago."""
    by_name = {(_namespace(obj), _name(obj)): obj for obj in (*listed, *known)}
    return tuple(by_name.values())


def _name(obj: Json) -> str:
    return str(obj["metadata"].get("name", ""))


def _namespace(obj: Json) -> str:
    return str(obj["metadata"].get("namespace", ""))
