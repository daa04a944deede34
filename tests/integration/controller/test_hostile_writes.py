"""What somebody who may edit Deployments, but no Canary, can bring about; and beginnings that go wrong."""

from typing import Any

from shared.names import CANARY_LABEL, HOLD_ANNOTATION
from shared.resources import CANARIES, DEPLOYMENTS
from shared.types.meta import Json
from tests.integration.controller import objects
from tests.integration.controller.door import Door
from tests.integration.controller.objects import APP, FIRST, SECOND, THIRD, image
from tests.integration.controller.simulated import NAMESPACE, Simulation, run

PRIMARY = f"{APP}-primary"
HALF: Json = {"stepWeights": [50], "interval": "100s"}
OWNER: Json = {"kind": "Application", "name": "shop", "uid": "a1", "controller": True}


async def begin(sim: Simulation, **canary: Any) -> None:
    """The application and its Canary, with both processes at work."""
    sim.api.admit = Door(sim.api)
    await sim.world.start()
    await sim.world.apply(objects.deployment(NAMESPACE))
    await sim.world.apply(objects.canary(NAMESPACE, **canary))


async def at_half(sim: Simulation) -> None:
    """Version 2.0 is analysed, and has half of the users for a while."""
    await begin(sim, analysis=HALF)
    await sim.world.reached("Initialized")
    await sim.world.rest(20)
    await sim.world.set_image(SECOND)
    await sim.world.weighs(50)


async def scale(sim: Simulation, replicas: int) -> None:
    """`kubectl scale`, which admission only hears of."""
    body: Json = {"spec": {"replicas": replicas}}
    await sim.world.cluster.patch(DEPLOYMENTS, APP, NAMESPACE, body, subresource="scale")
    await sim.world.rest(5)


def serves(sim: Simulation) -> str:
    """The version of the target's ready pods."""
    live = sim.world.pods.live[APP]
    assert live.template is not None and live.count
    return str(live.template["spec"]["containers"][0]["image"])


def target(sim: Simulation, name: str = APP) -> Json:
    return sim.world.feed.state[DEPLOYMENTS.plural, name]


def is_free(deployment: Json) -> bool:
    metadata = deployment["metadata"]
    marked = CANARY_LABEL in (metadata.get("labels") or {}) or HOLD_ANNOTATION in metadata["annotations"]
    return not marked and not deployment["spec"].get("paused")


def test_a_template_does_not_slip_in_through_zero_while_the_controller_is_down() -> None:
    async def story(sim: Simulation) -> None:
        await at_half(sim)
        await sim.world.stop()
        await scale(sim, 0)
        await sim.world.set_image(THIRD)
        assert HOLD_ANNOTATION in target(sim)["metadata"]["annotations"]
        await scale(sim, 2)
        assert sim.world.pods.live[APP].count == 0 or serves(sim) != image(THIRD)
        await sim.world.excuse()
        await sim.world.start()
        await sim.world.feed.until(lambda: sim.world.images(PRIMARY) == [image(THIRD)])

    run(story)


def test_nor_by_creating_the_target_again_from_a_copy_label_and_all() -> None:
    async def story(sim: Simulation) -> None:
        await at_half(sim)
        await sim.world.stop()
        copy = objects.deployment(NAMESPACE, THIRD)
        copy["metadata"]["labels"] = {CANARY_LABEL: APP}
        copy["metadata"]["ownerReferences"] = [
            {"apiVersion": "flagger.app/v1beta1", **OWNER, "kind": "Canary", "name": APP}
        ]
        await sim.world.delete(DEPLOYMENTS, APP)
        await sim.world.apply(copy)
        await sim.world.rest(5)
        assert sim.world.replicas() == 0
        await sim.world.excuse()

    run(story)


def test_a_first_image_that_never_starts_can_be_mended() -> None:
    async def story(sim: Simulation) -> None:
        for name in (APP, PRIMARY):
            sim.world.pods.hold(name, FIRST)
        await begin(sim)
        await sim.world.rest(30)
        await sim.world.set_image(SECOND)
        await sim.world.reached("Initialized")
        assert sim.world.images(PRIMARY) == [image(SECOND)]

    run(story)


def test_a_primary_that_never_starts_is_born_again_from_what_serves() -> None:
    async def story(sim: Simulation) -> None:
        sim.world.pods.hold(PRIMARY, FIRST)
        sim.world.pods.hold(PRIMARY, SECOND)
        await begin(sim)
        await sim.world.rest(30)
        await sim.world.set_image(SECOND)
        await sim.world.rest(30)
        assert sim.world.images(PRIMARY) == [image(FIRST)]  # that serves; the other one is held
        sim.world.pods.release(PRIMARY, FIRST)
        sim.world.pods.release(PRIMARY, SECOND)
        await sim.world.reached("Progressing")
        assert sim.world.images(PRIMARY) == [image(FIRST)]

    run(story)


def test_who_scales_while_a_canary_begins_keeps_his_pods() -> None:
    async def story(sim: Simulation) -> None:
        await begin(sim)
        await sim.world.feed.until(lambda: sim.world.view().primary)
        await sim.world.patch_deployment(APP, {"replicas": 10})
        await sim.world.reached("Initialized")
        assert sim.world.replicas(PRIMARY) == 10

    run(story)


def test_users_keep_their_pods_when_the_target_is_created_again_with_another_selector() -> None:
    async def story(sim: Simulation) -> None:
        await begin(sim)
        await sim.world.reached("Initialized")
        body = objects.deployment(NAMESPACE, SECOND)
        body["spec"]["selector"]["matchLabels"] = body["spec"]["template"]["metadata"]["labels"] = {
            "app": "shop"
        }
        await sim.world.delete(DEPLOYMENTS, APP)
        await sim.world.apply(body)
        await sim.world.rest(0)
        while sim.world.view().phase != "Succeeded":
            assert sim.world.view().ready(PRIMARY) and sim.world.view().ready(APP)
            await sim.world.rest(1)
        assert sim.world.images(PRIMARY) == [image(SECOND)]

    run(story)


def test_a_target_that_a_canary_gave_up_for_another_is_free() -> None:
    async def story(sim: Simulation) -> None:
        sim.world.pods.hold(PRIMARY, FIRST)
        await begin(sim)
        await sim.world.apply(objects.deployment(NAMESPACE, name="other"))
        await sim.world.feed.until(lambda: CANARY_LABEL in (target(sim)["metadata"].get("labels") or {}))
        await sim.world.set_image(SECOND)
        await sim.world.patch(CANARIES, APP, {"spec": {"targetRef": {"name": "other"}}})
        await sim.world.feed.until(lambda: is_free(target(sim)))
        await sim.world.set_image(THIRD)
        await sim.world.rest(10)
        assert serves(sim) == image(THIRD)

    run(story)


def test_so_is_one_that_somebody_elses_controller_owns_once_the_canary_is_gone() -> None:
    async def story(sim: Simulation) -> None:
        await begin(sim, analysis=HALF)
        await sim.world.patch(
            DEPLOYMENTS, APP, {"metadata": {"ownerReferences": [{"apiVersion": "app/v1", **OWNER}]}}
        )
        await sim.world.reached("Initialized")
        await sim.world.delete(CANARIES, APP)
        await sim.world.feed.until(lambda: is_free(target(sim)))

    run(story)


def test_a_label_that_was_copied_is_taken_off() -> None:
    async def story(sim: Simulation) -> None:
        await begin(sim)
        await sim.world.reached("Initialized")
        for name, label in (("copy", APP), ("relic", "gone")):
            body = objects.deployment(NAMESPACE, name=name)
            body["metadata"]["labels"] = {CANARY_LABEL: label}
            await sim.world.apply(body)
            await sim.world.set_image(SECOND, name)
            await sim.world.feed.until(lambda name=name: is_free(target(sim, name)))  # type: ignore[misc] # a default

    run(story)
