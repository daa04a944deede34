"""Any history that people, clusters and faults can make: the oracle watches, and in the end no revision
is lost.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.errors import NotFound
from shared.resources import CANARIES, DEPLOYMENTS, ENDPOINTSLICES, SERVICES
from shared.revision import template_hash
from shared.types.meta import Json
from tests.integration.controller import objects
from tests.integration.controller.objects import APP, METRICS, ROUTES
from tests.integration.controller.simulated import NAMESPACE, Plan, SimulatedLoop, Simulation, simulation
from tests.integration.controller.tap import Fault, only
from tests.integration.controller.world import DONE

PRIMARY = f"{APP}-primary"
GATES = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion")
PLANS: list[Json] = [
    {"stepWeight": 20, "maxWeight": 40},
    {"stepWeights": [5, 50, 100]},
    {"stepWeight": 50, "stepWeightPromotion": 20},
    {"stepWeight": 30, "maxWeight": 30, "webhooks": []},
]
VERSIONS = st.sampled_from(["1.0", "2.0", "3.0", "4.0"])
PAUSES = st.sampled_from([0.0, 0.001, 0.01, 0.5, 1.0, 3.0, 10.0, 10.0, 25.0, 90.0])
"""Seconds that pass after an edit."""
LAGS = st.dictionaries(
    st.sampled_from([each.plural for each in (CANARIES, DEPLOYMENTS, ENDPOINTSLICES, ROUTES, SERVICES)]),
    st.sampled_from([0.03, 0.25, 2.0]),
)
"""By how many seconds the controller's view of a resource lags behind."""
UNDER_WAY = ["Progressing", "Promoting", "Finalising"]
THEN = [
    "another revision",
    "another revision while the controller is down",
    "its pods fail",
    "the primary's pods fail",
    "it is suspended",
    "nothing",
]
GOOD = 100.0
IN_FLIGHT = 6.0
"""Seconds within which a verdict of before may still be written, late watches and retries included."""
FAULTS = st.tuples(st.sampled_from(list(Fault)), st.integers(1, 6))


def analysis(plan: Json) -> Json:
    """A plan with a metric and all gates."""
    gates = [{"name": gate, "type": gate, "url": "http://gate/"} for gate in GATES]
    return {"interval": "10s", "threshold": 2, "metrics": METRICS[:1], "webhooks": gates} | plan


class AnyHistory(RuleBasedStateMachine):
    """Edits in any order, with any time between them."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=SimulatedLoop)
        self.stack = AsyncExitStack()
        self.sim: Simulation | None = None
        self.bad_since = math.inf
        """Since when no metric has had a good value, on the loop's clock."""
        self.looked_at = 0

    @property
    def here(self) -> Simulation:
        assert self.sim is not None
        return self.sim

    def do(self, edit: Coroutine[Any, Any, object], pause: float) -> None:
        """Carry an edit out and let time pass. What is not there cannot be edited, which is no problem."""

        async def whole() -> None:
            try:
                await edit
            except NotFound:
                pass
            await self.here.world.rest(pause)

        self.runner.run(whole())

    @initialize(plan=st.sampled_from(PLANS), lag=LAGS, drain=st.sampled_from([0.0, 3.0]))
    def begin(self, plan: Json, lag: dict[str, float], drain: float) -> None:
        random.seed(0)

        async def whole() -> None:
            self.sim = await self.stack.enter_async_context(simulation(Plan(lag=lag, drain=drain)))
            await self.sim.world.start()
            await self.sim.world.apply(objects.deployment(NAMESPACE))
            await self.sim.world.apply(
                objects.canary(NAMESPACE, analysis=analysis(plan), progressDeadlineSeconds=60)
            )

        self.runner.run(whole())

    # The application's owner

    @rule(version=VERSIONS, pause=PAUSES)
    def set_image(self, version: str, pause: float) -> None:
        self.do(self.here.world.set_image(version), pause)

    @rule(
        version=VERSIONS,
        phase=st.sampled_from(UNDER_WAY),
        then=st.sampled_from(THEN),
        other=VERSIONS,
        pause=PAUSES,
    )
    def in_the_middle_of_a_rollout(
        self, version: str, phase: str, then: str, other: str, pause: float
    ) -> None:
        """The moment that it gets there, something else happens."""
        self.all_is_well()
        world = self.here.world

        def there() -> bool:
            view = world.view()
            return view.phase == phase and (view.weight > 0 or phase == "Finalising")

        async def edit() -> None:
            await world.set_image(version)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(200):
                    await world.feed.until(there)
            match then:
                case "another revision":
                    await world.set_image(other)
                case "another revision while the controller is down":
                    await self.while_it_is_down(world.set_image(other), 1.0)
                case "its pods fail":
                    world.pods.hold(APP, version)
                case "the primary's pods fail":
                    world.pods.hold(PRIMARY, version)
                case "it is suspended":
                    await world.patch(CANARIES, APP, {"spec": {"suspend": True}})

        self.do(edit(), pause)

    @rule(replicas=st.integers(0, 3), pause=PAUSES)
    def scale_the_target(self, replicas: int, pause: float) -> None:
        self.do(self.here.world.patch_deployment(APP, {"replicas": replicas}), pause)

    @rule(replicas=st.integers(1, 4), pause=PAUSES)
    def scale_the_primary(self, replicas: int, pause: float) -> None:
        self.do(self.here.world.patch_deployment(PRIMARY, {"replicas": replicas}), pause)

    @rule(version=VERSIONS, pause=PAUSES)
    def delete_and_recreate_the_target(self, version: str, pause: float) -> None:
        async def edit() -> None:
            await self.here.world.delete(DEPLOYMENTS, APP)
            await self.here.world.rest(pause)
            await self.here.world.apply(objects.deployment(NAMESPACE, version))

        self.do(edit(), pause)

    @rule(plan=st.sampled_from(PLANS), pause=PAUSES)
    def change_the_plan(self, plan: Json, pause: float) -> None:
        gone = dict.fromkeys(("stepWeight", "stepWeights", "maxWeight", "stepWeightPromotion"))
        self.do(self.here.world.patch(CANARIES, APP, {"spec": {"analysis": gone | analysis(plan)}}), pause)

    @rule(field=st.sampled_from(["suspend", "skipAnalysis"]), on=st.booleans(), pause=PAUSES)
    def switch(self, field: str, on: bool, pause: float) -> None:  # noqa: FBT001 - drawn
        self.do(self.here.world.patch(CANARIES, APP, {"spec": {field: on}}), pause)

    # The cluster and its surroundings

    @rule(name=st.sampled_from([APP, PRIMARY]), version=VERSIONS, pause=PAUSES)
    def pods_fail(self, name: str, version: str, pause: float) -> None:
        self.here.world.pods.hold(name, version)
        self.do(asyncio.sleep(0), pause)

    @rule(name=st.sampled_from([APP, PRIMARY]), version=VERSIONS, pause=PAUSES)
    def pods_recover(self, name: str, version: str, pause: float) -> None:
        self.here.world.pods.release(name, version)
        self.do(asyncio.sleep(0), pause)

    @rule(pause=PAUSES)
    def the_deployment_gives_up(self, pause: float) -> None:
        self.here.world.pods.exceed_deadline(APP)
        self.do(asyncio.sleep(0), pause)

    @rule(value=st.sampled_from([GOOD, GOOD, 0.0, None]), down=st.booleans(), pause=PAUSES)
    def metrics_change(self, value: float | None, down: bool, pause: float) -> None:  # noqa: FBT001 - drawn
        self.here.metrics.value, self.here.metrics.down = value, down
        bad = down or value != GOOD
        self.bad_since = min(self.bad_since, self.runner.get_loop().time()) if bad else math.inf
        self.do(asyncio.sleep(0), pause)

    @rule(closed=st.sets(st.sampled_from(GATES)), pause=PAUSES)
    def gates_change(self, closed: set[str], pause: float) -> None:
        self.here.hooks.closed = closed
        self.do(asyncio.sleep(0), pause)

    # People who meddle

    @rule(weight=st.sampled_from([None, 0, 1, 50, 100]), pause=PAUSES)
    def weights_are_set_by_hand(self, weight: int | None, pause: float) -> None:
        services = [
            {"name": name, "kind": "Service", "port": 80} | ({"weight": weight} if weight is not None else {})
            for name in (PRIMARY, f"{APP}-canary")
        ]
        self.do(self.here.world.patch(ROUTES, APP, {"spec": {"weighted": {"services": services}}}), pause)

    @rule(pause=PAUSES)
    def the_route_is_deleted(self, pause: float) -> None:
        self.do(self.here.world.delete(ROUTES, APP), pause)

    @rule(name=st.sampled_from([APP, PRIMARY, f"{APP}-canary"]), pause=PAUSES)
    def a_service_is_deleted(self, name: str, pause: float) -> None:
        self.do(self.here.world.delete(SERVICES, name), pause)

    # Faults

    @rule(pause=PAUSES)
    def the_controller_is_restarted(self, pause: float) -> None:
        async def edit() -> None:
            await self.here.world.stop()
            await self.here.world.start()

        self.do(edit(), pause)

    @rule(down=st.sampled_from([1.0, 30.0]), version=VERSIONS, pause=PAUSES)
    def a_revision_lands_while_the_controller_is_down(self, down: float, version: str, pause: float) -> None:
        self.do(self.while_it_is_down(self.here.world.set_image(version), down), pause)

    @rule(fault=FAULTS, pause=PAUSES)
    def something_breaks_at_a_write_to_come(self, fault: tuple[Fault, int], pause: float) -> None:
        kind, ahead = fault
        self.here.world.faults = only(self.here.world.record.tried + ahead, kind)
        self.do(asyncio.sleep(0), pause)

    @invariant()
    def nothing_wrong_was_written(self) -> None:
        if self.sim is not None:
            self.runner.run(self.sim.world.check())

    @invariant()
    def no_step_was_taken_on_bad_metrics(self) -> None:
        if self.sim is None:
            return
        changes = [change for change in self.sim.world.feed.changes if change.ref == (CANARIES.plural, APP)]
        for before, after in pairwise(changes[self.looked_at :]):
            assert before.obj is not None and after.obj is not None
            old, new = before.obj.get("status") or {}, after.obj.get("status") or {}
            rose = new.get("canaryWeight", 0) > old.get("canaryWeight", 0) > 0
            passed = new.get("phase") == "Promoting" != old.get("phase") and not after.obj["spec"].get(
                "skipAnalysis"
            )
            assert not (rose or passed) or after.at < self.bad_since + IN_FLIGHT, f"{after}: {new}"
        self.looked_at = max(0, len(changes) - 1)

    def teardown(self) -> None:
        try:
            if self.sim is not None:
                self.runner.run(self.end())
        finally:
            self.runner.run(self.stack.aclose())
            self.runner.close()

    async def while_it_is_down(self, edit: Coroutine[Any, Any, object], seconds: float) -> None:
        """Nobody can mend anything meanwhile."""
        world = self.here.world
        await world.stop()
        await world.check()
        try:
            await edit
        finally:
            await world.rest(seconds)
            await world.excuse()
            await world.start()

    def all_is_well(self) -> None:
        """Metrics are good, gates are open, pods become ready."""
        self.here.hooks.closed, self.here.metrics.value, self.here.metrics.down = set(), GOOD, False
        self.bad_since = math.inf
        for name, image in list(self.here.world.pods.held):
            self.here.world.pods.release(name, image.rpartition(":")[2])
        self.here.world.pods.late.clear()

    async def end(self) -> None:
        """Everybody stops and everything is well: the last template has to be dealt with."""
        world = self.here.world
        self.all_is_well()
        await world.patch(CANARIES, APP, {"spec": {"suspend": False}})
        await world.rest(3600)
        await world.check()
        view = world.view()
        assert view.target is not None and view.primary is not None
        last = template_hash(view.target["spec"]["template"])
        assert view.phase in (*DONE, "Initialized"), view.status
        assert last in (view.status["lastAppliedSpec"], view.status["lastPromotedSpec"])
        if view.phase == "Succeeded":
            assert view.status["lastPromotedSpec"] == last
            assert world.images(PRIMARY) == world.images(APP)
        assert view.shares == {PRIMARY: 100}
        assert world.replicas() == 0
        assert all(each["status"] == "True" for each in view.status["conditions"] if each["type"] == "Ready")


@pytest.mark.timeout(300)
def test_any_history_is_safe_and_ends_well() -> None:
    run_state_machine_as_test(
        AnyHistory,
        settings=settings(
            max_examples=100,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
