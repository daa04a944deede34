"""Follows the Canary, its route and its Events as they change, and tells the show.

Run by `play` for the whole demo.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.demo.scenarios import CANARY, NAMESPACE
from sandbox.demo.show import Show
from shared.cluster import Cluster
from shared.informer import Informer, Key
from shared.names import TRAEFIK_GROUPS, canary_name
from shared.resources import CANARIES, EVENTS, traefik_services
from shared.types.meta import Json
from shared.types.status import Phase


@dataclass(frozen=True, slots=True)
class CanarySeen:
    """What is read of a Canary."""

    phase: Phase
    weight: int


@dataclass(frozen=True, slots=True)
class EventSeen:
    """What is read of an Event."""

    about: tuple[str, str]
    """Kind and name."""
    type: str
    message: str
    count: int


def project_canary(body: Json) -> CanarySeen:
    """The part of a Canary that is shown."""
    status = body.get("status") or {}
    return CanarySeen(Phase(status.get("phase", "")), int(status.get("canaryWeight", 0)))


def project_event(body: Json) -> EventSeen:
    """The part of an Event that is shown."""
    about = body.get("involvedObject") or {}
    return EventSeen(
        (about.get("kind", ""), about.get("name", "")),
        body.get("type", ""),
        body.get("message", ""),
        int(body.get("count") or 1),
    )


def project_route(body: Json) -> int:
    """The weight that a TraefikService gives the canary."""
    services = ((body.get("spec") or {}).get("weighted") or {}).get("services") or ()
    weights = (int(each.get("weight", 1)) for each in services if each["name"] == canary_name(CANARY))
    return next(weights, 0)


def route_listener(show: Show) -> Callable[[Key, int | None, int | None], None]:
    """An informer's listener that tells the show how its canary is weighted."""

    def changed(key: Key, _: int | None, new: int | None) -> None:
        if key == (NAMESPACE, CANARY):
            show.see_route(new or 0)

    return changed


def canary_listener(show: Show) -> Callable[[Key, CanarySeen | None, CanarySeen | None], None]:
    """An informer's listener that tells the show where its Canary is."""

    def changed(key: Key, _: CanarySeen | None, new: CanarySeen | None) -> None:
        if key == (NAMESPACE, CANARY):
            new = new or CanarySeen(Phase.NONE, 0)
            show.see_canary(new.phase, new.weight)

    return changed


def event_listener(show: Show) -> Callable[[Key, EventSeen | None, EventSeen | None], None]:
    """An informer's listener that tells the show its Canary's Events. A higher count: once more."""

    def changed(_: Key, old: EventSeen | None, new: EventSeen | None) -> None:
        if new is None or new.about != ("Canary", CANARY):
            return
        if old is None or new.count > old.count:
            show.see_event(new.type, new.message)

    return changed


async def follow(cluster: Cluster, show: Show, ready: asyncio.Event) -> None:
    """Tell the show of every change from `ready` on; ends by cancellation. Older Events are not told."""
    canaries = Informer(cluster, CANARIES, project_canary, namespace=NAMESPACE)
    events = Informer(cluster, EVENTS, project_event, namespace=NAMESPACE)
    routes = Informer(cluster, traefik_services(TRAEFIK_GROUPS[0]), project_route, namespace=NAMESPACE)
    canaries.add_listener(canary_listener(show))
    routes.add_listener(route_listener(show))
    async with asyncio.TaskGroup() as tasks:
        for informer in (canaries, routes, events):
            tasks.create_task(informer.run())
        for informer in (canaries, routes, events):
            await informer.synced.wait()
        events.add_listener(event_listener(show))
        ready.set()
