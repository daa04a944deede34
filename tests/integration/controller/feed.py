"""What happens in a namespace, as the API server tells it: every version of every object, in one order.

The tests' own eyes, independent of the controller's informers. The in-test controllers and the oracle
read it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from shared.cluster import Cluster
from shared.errors import ClusterError
from shared.resources import CANARIES, DEPLOYMENTS, ENDPOINTSLICES, EVENTS, SERVICES, Resource
from shared.types.meta import Json

FOLLOWED = (CANARIES, DEPLOYMENTS, SERVICES, ENDPOINTSLICES, EVENTS)
Ref = tuple[str, str]
"""Plural of the resource, name."""


@dataclass(frozen=True)
class Change:
    """One version of an object; `obj` is None once it is deleted. `at` is the loop's clock, in seconds."""

    at: float
    version: int
    ref: Ref
    obj: Json | None

    def __str__(self) -> str:
        return f"{self.at:9.3f} #{self.version} {self.ref[0]}/{self.ref[1]}"


class Feed:
    """The objects of one namespace now (`state`) and all that led there (`changes`)."""

    def __init__(self, cluster: Cluster, namespace: str, patience: float = 20.0) -> None:
        """`patience`: seconds that a test waits for a fact; the machine may be busy."""
        self.changes: list[Change] = []
        self.state: dict[Ref, Json] = {}
        self.listeners: list[Callable[[Change], None]] = []
        self._cluster = cluster
        self._patience = patience
        self._namespace = namespace
        self._news = asyncio.Condition()
        self._following: dict[Resource, asyncio.Task[None]] = {}
        self._told: set[asyncio.Task[None]] = set()

    async def follow(self, *resources: Resource) -> None:
        """Begin with what is there; return when that is known."""
        for resource in resources:
            items, version = await self._cluster.list(resource, self._namespace)
            for item in items:
                self._take(resource, item)
            self._following[resource] = asyncio.create_task(self._watch(resource, version))

    async def unfollow(self, resource: Resource) -> None:
        """The resource goes: everything of it counts as deleted."""
        await _cancel(self._following.pop(resource))
        for ref in [ref for ref in self.state if ref[0] == resource.plural]:
            self._note(Change(self._now(), self._latest(), ref, None))

    async def close(self) -> None:
        """Stop."""
        for task in (*self._following.values(), *self._told):
            await _cancel(task)

    async def until(self, fact: Callable[[], object], *, otherwise: Callable[[], str] = str) -> None:
        """Return once the fact is true; it is looked at after each change. `otherwise` tells what there
        is.
        """
        try:
            async with self._news, asyncio.timeout(self._patience):
                await self._news.wait_for(lambda: bool(fact()))
        except TimeoutError:
            last = "\n".join(str(change) for change in self.changes[-20:])
            raise AssertionError(f"waited in vain; {otherwise()}; the last changes:\n{last}") from None

    async def catch_up(self) -> None:
        """Return when everything that is there by now has been seen."""
        for resource in self._following:
            items, _ = await self._cluster.list(resource, self._namespace)
            there = {(resource.plural, item["metadata"]["name"]): _version(item) for item in items}
            await self.until(partial(self._has, there, resource.plural))

    def get(self, resource: Resource, name: str) -> Json | None:
        """The object as last seen."""
        return self.state.get((resource.plural, name))

    def _has(self, there: dict[Ref, int], plural: str) -> bool:
        here = {ref: _version(obj) for ref, obj in self.state.items() if ref[0] == plural}
        return here.keys() >= there.keys() and all(here[ref] >= version for ref, version in there.items())

    async def _watch(self, resource: Resource, version: str) -> None:
        while True:
            try:
                watch = self._cluster.watch(resource, self._namespace, resource_version=version)
                async with aclosing(watch) as events:
                    async for kind, item in events:
                        version = item["metadata"].get("resourceVersion", version)
                        if kind in ("ADDED", "MODIFIED", "DELETED"):
                            self._take(resource, item, gone=kind == "DELETED")
            except ClusterError:  # the resource was removed, or the server ended: the test says what is next
                await asyncio.sleep(0.05)

    def _take(self, resource: Resource, item: Json, *, gone: bool = False) -> None:
        ref = (resource.plural, item["metadata"]["name"])
        self._note(Change(self._now(), _version(item), ref, None if gone else item))

    def _note(self, change: Change) -> None:
        if change.obj is None:
            self.state.pop(change.ref, None)
        else:
            self.state[change.ref] = change.obj
        self.changes.append(change)
        for listener in self.listeners:
            listener(change)
        task = asyncio.ensure_future(self._tell())
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _latest(self) -> int:
        return max((change.version for change in self.changes), default=0)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _version(item: Json) -> int:
    return int(item["metadata"]["resourceVersion"])
