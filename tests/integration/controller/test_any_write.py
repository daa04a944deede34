"""Whatever people write to a target, at any moment, with either process dead: no template serves users but
the promoted one and the one that is analysed.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from shared.errors import ClusterUnavailable, Forbidden
from shared.names import CANARY_LABEL
from shared.resources import DEPLOYMENTS
from shared.types.meta import Json
from tests.integration.controller import objects
from tests.integration.controller.door import Door
from tests.integration.controller.objects import APP
from tests.integration.controller.pods import Roll
from tests.integration.controller.test_any_history import PAUSES, PRIMARY, VERSIONS, AnyHistory

TOLERANCE = 0.1
"""Seconds that requests of the simulated controllers take."""


class AnyWrite(AnyHistory):
    """Histories with admission at the door."""

    @property
    def door(self) -> Door:
        door = self.here.api.admit
        assert isinstance(door, Door)
        return door

    def do(self, edit: Coroutine[Any, Any, object], pause: float) -> None:
        """As in any history; a refusal changes nothing, which is no problem."""
        if not isinstance(self.here.api.admit, Door):
            self.here.api.admit = Door(self.here.api)

        async def or_refused() -> None:
            try:
                await edit
            except (ClusterUnavailable, Forbidden):
                pass

        super().do(or_refused(), pause)

    @rule(up=st.booleans(), lag=st.sampled_from([0.0, 0.0, 0.3, 5.0]), pause=PAUSES)
    def admission_goes_or_comes(self, up: bool, lag: float, pause: float) -> None:  # noqa: FBT001 - drawn
        self.do(asyncio.sleep(0), 0.0)
        self.door.up, self.door.lag = up, lag
        self.do(asyncio.sleep(0), pause)

    @rule(version=VERSIONS, replicas=st.integers(0, 3), pause=PAUSES)
    def gitops_replaces_the_target(self, version: str, replicas: int, pause: float) -> None:
        """With a manifest that knows nothing of our marks, nor of a pause."""

        async def edit() -> None:
            found = await self.here.world.cluster.get(DEPLOYMENTS, APP, self.here.world.namespace)
            await self.here.world.cluster.replace(DEPLOYMENTS, _plain(found, version, replicas))

        self.do(edit(), pause)

    @rule(replicas=st.integers(0, 3), pause=PAUSES)
    def somebody_scales(self, replicas: int, pause: float) -> None:
        """By the subresource, which admission only hears of."""
        body: Json = {"spec": {"replicas": replicas}}
        namespace = self.here.world.namespace
        self.do(self.here.world.cluster.patch(DEPLOYMENTS, APP, namespace, body, subresource="scale"), pause)

    @rule(paused=st.booleans(), pause=PAUSES)
    def somebody_pauses_or_resumes(self, paused: bool, pause: float) -> None:  # noqa: FBT001 - drawn
        self.do(self.here.world.patch_deployment(APP, {"paused": paused or None}), pause)

    @rule(pause=PAUSES)
    def marks_are_taken_off(self, pause: float) -> None:
        body: Json = {"metadata": {"annotations": None, "labels": {CANARY_LABEL: None}}}
        self.do(self.here.world.patch(DEPLOYMENTS, APP, body), pause)

    @rule(version=VERSIONS, pause=PAUSES)
    def the_primary_is_edited(self, version: str, pause: float) -> None:
        before = self.here.world.feed.get(DEPLOYMENTS, PRIMARY)
        self.do(self.here.world.set_image(version, PRIMARY), 0.0)
        after = self.here.world.feed.get(DEPLOYMENTS, PRIMARY)
        if before is not None and after is not None:
            assert after["spec"]["template"] == before["spec"]["template"]
        self.do(asyncio.sleep(0), pause)

    @invariant()
    def no_pods_were_replaced_while_they_served(self) -> None:
        if self.sim is not None:
            for roll in self.here.world.pods.rolls:
                assert self.may_roll(roll), f"{roll}\n" + "\n".join(
                    map(str, self.here.world.feed.changes[-20:])
                )
            self.here.world.pods.rolls.clear()

    def may_roll(self, roll: Roll) -> bool:
        """Whether users were off the target's pods when these got another template."""
        if roll.deployment != APP or not roll.governed:
            return True
        drain = self.here.world.answers.drain
        shared = False
        for change in self.here.world.feed.changes:
            if change.at > roll.at:
                break
            if change.ref == ("traefikservices", APP):
                last = change.at
                weights = (change.obj or {}).get("spec", {}).get("weighted", {}).get("services", [])
                now = any(each["name"] == f"{APP}-canary" and each.get("weight", 1) for each in weights)
                if shared and not now and roll.at - last < drain - TOLERANCE:
                    return False
                shared = now
        return not shared

    def all_is_well(self) -> None:
        """So is admission."""
        super().all_is_well()
        if isinstance(self.here.api.admit, Door):
            self.door.up = True


def _plain(found: Json, version: str, replicas: int) -> Json:
    metadata = {key: found["metadata"][key] for key in ("name", "namespace")}
    template = found["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": objects.image(version)}
    spec = {key: value for key, value in found["spec"].items() if key != "paused"}
    spec |= {"replicas": replicas, "template": {**template, "spec": {"containers": [container]}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@pytest.mark.timeout(300)
def test_no_write_brings_a_template_to_users_that_is_not_analysed() -> None:
    run_state_machine_as_test(
        AnyWrite,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
