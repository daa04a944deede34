"""A World in memory on a simulated clock: hours pass in milliseconds, and every run is like the last.

run(story, plan) ─► SimulatedLoop ─► MemoryApi, Pods, control ─► what the story returns
"""

import asyncio
import math
import random
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from controller.hooks import Answer
from controller.metrics.source import Source
from controller.observation import Failure
from controller.settings import Settings
from shared.cluster import Cluster
from shared.errors import MetricsUnavailable, NoData
from shared.resources import (
    CANARIES,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    EVENTS,
    HPAS,
    METRIC_TEMPLATES,
    REPLICASETS,
    SERVICES,
)
from shared.types.canary import Canary, Webhook
from shared.types.metric import MetricProviderType
from tests.integration.controller.memory import MemoryApi, MemoryExchange
from tests.integration.controller.objects import ROUTES
from tests.integration.controller.tap import Faults, none
from tests.integration.controller.world import Answers, World, world

NAMESPACE = "test"
BEGIN = 1000.0
"""What the clock says at first, in seconds."""
TICKS = 2**20
"""A second."""
T = TypeVar("T")


@dataclass
class SimulatedMetrics:
    """Every metric has this value, or none, or the server is down."""

    value: float | None = 100.0
    down: bool = False
    takes: float = 0.05
    """Seconds until an answer comes."""
    asked: int = 0

    async def query(self, source: Source, query: str) -> float:
        self.asked += 1
        await asyncio.sleep(self.takes)
        if self.down:
            raise MetricsUnavailable(f"{source.origin}: Connection refused")
        if self.value is None:
            raise NoData("no values found")
        return self.value

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class SimulatedHooks:
    """Hooks say yes, but for those whose names are in `closed`."""

    closed: set[str] = field(default_factory=set)
    event_webhook: str = ""
    takes: float = 0.05

    async def call(self, hook: Webhook, canary: Canary, about: dict[str, str] | None = None) -> Answer:
        await asyncio.sleep(self.takes)
        return Answer(Failure.REFUSED, "status 403") if hook.name in self.closed else Answer()


@dataclass(frozen=True)
class Plan:
    """What is out of the ordinary in a simulation. Times are in seconds."""

    faults: Faults = none
    lag: Mapping[str, float] = field(default_factory=dict)
    """How late the controller's watches are, by plural."""
    startup: float = 1.0
    drain: float = 3.0


@dataclass
class Simulation:
    """A World in memory with what is around it."""

    world: World
    api: MemoryApi
    metrics: SimulatedMetrics
    hooks: SimulatedHooks


@asynccontextmanager
async def simulation(plan: Plan) -> AsyncIterator[Simulation]:
    """In memory, on whatever clock the running loop has."""
    api = MemoryApi()
    served = (CANARIES, METRIC_TEMPLATES, DEPLOYMENTS, REPLICASETS, SERVICES, ENDPOINTSLICES, HPAS, EVENTS)
    for resource in (*served, ROUTES):
        api.serve(resource.group, resource.version, resource.plural)
    metrics, hooks = SimulatedMetrics(), SimulatedHooks()
    providers = {MetricProviderType.PROMETHEUS: metrics}
    answers = Answers(
        hooks, Settings(threadiness=2), providers, plan.drain, startup=plan.startup, patience=86_400
    )

    async def wire() -> MemoryExchange:
        return api.exchange(plan.lag)

    cluster = Cluster(api.exchange())  # type: ignore[arg-type] # has what a Cluster uses
    async with world(cluster, wire, NAMESPACE, answers) as made:
        made.cluster = Cluster(api.exchange(person=True))  # type: ignore[arg-type] # as above
        made.faults = plan.faults
        made.oracle.grace += 2 * max(plan.lag.values(), default=0.0)  # two edits in a row are seen one by one
        await made.feed.follow(ROUTES)
        yield Simulation(made, api, metrics, hooks)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to whatever is due next, for code that waits for nothing from outside.

    Its ticks are a power of two, so that times subtract exactly: after a timer of 10 s, 10 s have passed, and
    not a little less.
    """

    def __init__(self) -> None:
        self._now = BEGIN
        super().__init__(_NoWait(self._pass))

    def time(self) -> float:
        return self._now

    def _pass(self, seconds: float) -> None:
        self._now = math.ceil((self._now + seconds) * TICKS) / TICKS


class _NoWait(selectors.SelectSelector):
    """Lets the clock go on instead of waiting."""

    def __init__(self, let_pass: Callable[[float], None]) -> None:
        super().__init__()
        self._let_pass = let_pass

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else, for ever")
        if timeout > 0:
            self._let_pass(timeout)
        return []


def run(story: Callable[[Simulation], Awaitable[T]], plan: Plan | None = None) -> T:
    """Play a story from beginning to end."""

    async def whole() -> T:
        async with simulation(plan or Plan()) as made:
            return await story(made)

    random.seed(0)  # of the jitter in back-offs: every run is like the last
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(whole())
