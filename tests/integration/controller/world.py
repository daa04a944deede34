"""A cluster as small as it can be, with the controller in it: everything that a test of the controller needs.

    API server (the sandbox's, a real one, or one in memory)
      ▲            ▲                ▲
    Tap          Pods             Feed ─► Oracle
      │      (no real pods)
    control ──► Prometheus, hooks: scripted

A World is one namespace. The controller can be stopped, killed by its Tap, and started again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from controller.__main__ import Outside, control
from controller.metrics import MetricsProvider
from controller.rounds import Calls
from controller.settings import Settings
from shared.cluster import Cluster
from shared.resources import CANARIES, DEPLOYMENTS, EVENTS, Resource
from shared.types.meta import Json
from shared.types.metric import MetricProviderType
from tests.integration.controller import objects
from tests.integration.controller.feed import FOLLOWED, Feed
from tests.integration.controller.oracle import Oracle
from tests.integration.controller.pods import Pods
from tests.integration.controller.tap import Crash, Fault, Faults, Record, Tap, Wire, none
from tests.integration.controller.view import View, shares_of

T = TypeVar("T")

DONE = ("Succeeded", "Failed")


@dataclass
class Answers:
    """What the world outside of the cluster is to the controller."""

    hooks: Calls
    told: Settings
    providers: Mapping[MetricProviderType, MetricsProvider] | None = None
    drain: float = 0.1
    startup: float = 0.02
    """Seconds until pods are ready."""
    patience: float = 20.0
    """Seconds that a test waits for anything."""


@dataclass
class World:
    """One namespace of a cluster."""

    namespace: str
    cluster: Cluster
    """The tests' own connection, as a cluster admin."""
    wire: Callable[[], Any]
    """Makes the controller's connection: a coroutine with a Wire."""
    answers: Answers
    feed: Feed
    pods: Pods
    oracle: Oracle
    record: Record
    faults: Faults = none
    lives: int = 0
    """How often the controller was started."""
    _running: "asyncio.Task[None] | None" = None
    _synced: asyncio.Event = field(default_factory=asyncio.Event)

    # The controller

    async def start(self) -> None:
        """Start the controller; return once its caches are filled."""
        self._synced = asyncio.Event()
        self._running = asyncio.create_task(self._supervise())
        await self._synced.wait()

    async def stop(self) -> None:
        """End the controller as SIGTERM does."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
            running, self._running = self._running, None
            if not running.cancelled():
                running.result()

    @asynccontextmanager
    async def another_controller(self) -> AsyncIterator[None]:
        """A second one beside the first, as if the Lease did not exist."""
        synced = asyncio.Event()
        second = asyncio.create_task(self._live(synced))
        await synced.wait()
        try:
            yield
        finally:
            second.cancel()
            await asyncio.wait((second,))

    async def _supervise(self) -> None:
        """Start it again each time it was killed."""
        while True:
            self.lives += 1
            try:
                await self._live(self._synced)
            except Crash:
                continue
            except BaseExceptionGroup as ended:
                if ended.split(Crash)[1] is not None:
                    raise

    async def _live(self, synced: asyncio.Event) -> None:
        wire: Wire = await self.wire()
        cluster = Cluster(Tap(wire, self.record, self._fault))  # type: ignore[arg-type] # has what a Cluster uses
        outside = Outside(
            cluster,
            self.answers.hooks,
            providers=self.answers.providers,
            registry=CollectorRegistry(),
            drain=self.answers.drain,
        )
        async with cluster:
            await control(self.answers.told, outside, synced.set)

    def _fault(self, number: int) -> Fault | None:
        """As `faults` is at the time of the write."""
        return self.faults(number)

    # What people do

    async def apply(self, manifest: Json) -> Json:
        """Create an object of any kind that the tests use."""
        return await self.create({"Canary": CANARIES, "Deployment": DEPLOYMENTS}[manifest["kind"]], manifest)

    async def create(self, resource: Resource, manifest: Json) -> Json:
        """Create an object."""
        return await self._seen(resource, await self.cluster.create(resource, manifest))

    async def set_image(self, version: str, name: str = objects.APP) -> None:
        """`kubectl set image`."""
        container = {"name": "podinfod", "image": objects.image(version), "ports": [{"containerPort": 9898}]}
        await self.patch_deployment(name, {"template": {"spec": {"containers": [container]}}})

    async def patch_deployment(self, name: str, spec: Json) -> None:
        """Change a Deployment's spec."""
        await self.patch(DEPLOYMENTS, name, {"spec": spec})

    async def patch(self, resource: Resource, name: str, body: Json) -> Json:
        """Merge-patch any object."""
        return await self._seen(resource, await self.cluster.patch(resource, name, self.namespace, body))

    async def delete(self, resource: Resource, name: str) -> None:
        """Delete any object."""
        await self.cluster.delete(resource, name, self.namespace)
        await self.feed.until(lambda: self.feed.get(resource, name) is None)

    async def _seen(self, resource: Resource, written: Json) -> Json:
        """What the test wrote, once its own eyes have seen it."""
        ref, version = (resource.plural, written["metadata"]["name"]), written["metadata"]["resourceVersion"]
        await self.feed.until(
            lambda: (
                int((self.feed.state.get(ref) or written)["metadata"]["resourceVersion"]) >= int(version)
                and ref in self.feed.state
            )
        )
        return written

    async def bootstrap(self, **canary: Any) -> None:
        """The application and its Canary, up to Initialized. The controller has to run."""
        await self.apply(objects.deployment(self.namespace))
        await self.apply(objects.canary(self.namespace, **canary))
        await self.reached("Initialized")
        await self.feed.until(lambda: self.replicas() == 0 == self.view().ready(f"{objects.APP}-canary"))

    async def rest(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)
        await self.feed.catch_up()

    # What people see

    def view(self, name: str = objects.APP) -> View:
        """A Canary and what is around it, now."""
        return View(self.feed.state[CANARIES.plural, name], self.feed.state)

    def replicas(self, name: str = objects.APP) -> int:
        """spec.replicas of a Deployment."""
        return int(self.feed.state[DEPLOYMENTS.plural, name]["spec"]["replicas"])

    def annotations(self, resource: Resource, name: str) -> dict[str, str]:
        """Annotations of an object."""
        return self.feed.state[resource.plural, name]["metadata"].get("annotations") or {}

    def images(self, name: str) -> list[str]:
        """Images of a Deployment."""
        pods = self.feed.state[DEPLOYMENTS.plural, name]["spec"]["template"]["spec"]
        return [container["image"] for container in pods["containers"]]

    async def reached(self, phase: str, name: str = objects.APP) -> None:
        """Return when a Canary is in that phase."""
        await self.feed.until(lambda: self.view(name).phase == phase)

    async def weighs(self, weight: int, name: str = objects.APP) -> None:
        """Return when Traefik gives the canary that much, and the status says so."""
        await self.feed.until(
            lambda: self.view(name).on_canary == weight == self.view(name).weight and self.view(name).route
        )

    def phases(self, name: str = objects.APP) -> list[str]:
        """The phases that a Canary went through."""
        return _without_repeats(
            [
                (change.obj.get("status") or {}).get("phase", "")
                for change in self.feed.changes
                if change.ref == (CANARIES.plural, name) and change.obj is not None
            ]
        )

    def weights(self, name: str = objects.APP) -> list[int]:
        """The canary's shares that Traefik was given, one after the other."""
        return _without_repeats(
            [
                shares_of(change.obj).get(f"{name}-canary") or 0
                for change in self.feed.changes
                if change.ref == ("traefikservices", name) and change.obj is not None
            ]
        )

    def conditions(self, name: str = objects.APP) -> dict[str, Json]:
        """The conditions of a Canary, by type."""
        status = self.feed.state[CANARIES.plural, name].get("status") or {}
        return {condition["type"]: condition for condition in status.get("conditions") or ()}

    def events(self) -> list[str]:
        """The messages of all Events so far, a line each."""
        return [
            line
            for (plural, _), event in self.feed.state.items()
            if plural == EVENTS.plural
            for line in event["message"].splitlines()
        ]

    async def said(self, text: str) -> None:
        """Return when an Event has a line with the text; Events come a little after what they tell of."""
        await self.feed.until(
            lambda: any(text in line for line in self.events()),
            otherwise=lambda: f"nobody said {text!r}, but:\n" + "\n".join(self.events()),
        )

    async def check(self) -> None:
        """Have the oracle judge everything so far."""
        await self.feed.catch_up()
        self.oracle.check(asyncio.get_running_loop().time())

    async def excuse(self) -> None:
        """What is wrong right now could not be mended: nobody was there to do it."""
        await self.feed.catch_up()
        self.oracle.excuse(asyncio.get_running_loop().time())


def _without_repeats(values: list[T]) -> list[T]:
    return [value for index, value in enumerate(values) if index == 0 or value != values[index - 1]]


@asynccontextmanager
async def world(
    cluster: Cluster, wire: Callable[[], Any], namespace: str, answers: Answers
) -> AsyncIterator[World]:
    """A World whose controller was not started yet. At its end the oracle has the last word."""
    record, feed = Record(), Feed(cluster, namespace, answers.patience)
    pods = Pods(cluster, feed, namespace, answers.startup)
    made = World(namespace, cluster, wire, answers, feed, pods, Oracle(feed, record), record)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(feed.close)
        await feed.follow(*FOLLOWED)
        working = asyncio.create_task(pods.run())
        try:
            yield made
            await made.check()
        finally:
            working.cancel()
            await made.stop()
            await asyncio.wait((working,))
        if not working.cancelled():
            working.result()
