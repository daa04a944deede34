"""What people and clusters do to a rollout: each ends as it should, and says so."""

from typing import Any

import pytest

from shared.names import GITOPS_IGNORE
from shared.resources import CANARIES, DEPLOYMENTS
from tests.integration.controller import objects
from tests.integration.controller.conftest import Stage, install
from tests.integration.controller.objects import FIRST, ROUTES, SECOND, image
from tests.integration.controller.world import World

ROUTE = f"{ROUTES.plural} {objects.APP}"
STATUS = f"canaries/status {objects.APP}"


async def bootstrapped(stage: Stage, **canary: Any) -> World:
    """A World whose Canary is Initialized."""
    await stage.world.start()
    await stage.world.bootstrap(**canary)
    return stage.world


async def test_the_check_that_reaches_the_threshold_takes_all_weight_in_the_same_pass(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"threshold": 1})
    stage.metrics.success_rate = 0.0
    await world.set_image(SECOND)
    await world.said(f"Rolling back podinfo.{world.namespace} failed checks threshold reached 1")
    await world.feed.until(lambda: world.replicas() == 0)
    writes = [str(sent) for sent in world.record.writes if sent.place.plural != "events"]
    # A step, the verdict with nothing between its route and its status, and the pods last.
    step = verdict = [f"PATCH {ROUTE}", f"PATCH {STATUS}"]
    assert writes[-5:] == [*step, *verdict, f"PATCH deployments {objects.APP}"]
    assert world.weights() == [0, 10, 0]


async def test_a_canary_that_is_not_ready_in_time_is_rolled_back(stage: Stage) -> None:
    world = await bootstrapped(stage, progressDeadlineSeconds=1)
    world.pods.hold(objects.APP, SECOND)
    await world.set_image(SECOND)
    await world.reached("Failed")
    await world.feed.until(lambda: world.replicas() == 0)
    assert world.weights() == [0]
    await world.said(f"Rolling back podinfo.{world.namespace} progress deadline exceeded")


async def test_a_deployment_that_gave_up_is_rolled_back_before_our_own_deadline(stage: Stage) -> None:
    world = await bootstrapped(stage, progressDeadlineSeconds=600)
    world.pods.hold(objects.APP, SECOND)
    await world.set_image(SECOND)
    await world.reached("Progressing")
    world.pods.exceed_deadline(objects.APP)
    await world.reached("Failed")
    world.pods.release(objects.APP, SECOND)
    # Its condition is about the template that it had: the next one gets a chance.
    await world.set_image("3.0")
    await world.reached("Succeeded")
    assert world.images("podinfo-primary") == [image("3.0")]


async def test_a_revision_that_is_taken_back_ends_without_a_rollout(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"interval": "1s"})
    await world.set_image(SECOND)
    await world.weighs(10)
    await world.set_image(FIRST)
    await world.reached("Succeeded")
    await world.feed.until(lambda: world.replicas() == 0)
    assert world.weights() == [0, 10, 0]
    assert world.images("podinfo-primary") == [image(FIRST)]
    await world.said(f"Revision reverted! Analysis cancelled for podinfo.{world.namespace}")


async def test_a_target_that_is_deleted_fails_and_its_next_revision_is_analysed(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"interval": "1s"})
    await world.set_image(SECOND)
    await world.weighs(10)
    await world.delete(DEPLOYMENTS, objects.APP)
    await world.reached("Failed")
    assert world.view().on_canary == 0
    await world.said(f"Rolling back podinfo.{world.namespace} its target was deleted")
    await world.feed.until(lambda: "Ready" in world.conditions())
    assert world.conditions()["Ready"]["reason"] == "TargetNotFound"
    await world.apply(objects.deployment(world.namespace, "3.0"))
    await world.reached("Succeeded")
    assert world.images("podinfo-primary") == [image("3.0")]
    assert world.conditions()["Ready"]["status"] == "True"


async def test_gitops_that_applies_everything_again_and_again_changes_nothing(stage: Stage) -> None:
    world = await bootstrapped(stage)
    await world.set_image(SECOND)
    await world.weighs(10)
    spec = objects.deployment(world.namespace, SECOND)["spec"]
    while world.view().phase != "Succeeded":
        await world.patch_deployment(objects.APP, {"replicas": 2, "template": spec["template"]})
        await world.rest(0.1)
    await world.patch_deployment(objects.APP, {"replicas": 2, "template": spec["template"]})
    await world.feed.until(lambda: world.replicas() == 0)
    assert world.weights() == [0, 10, 20, 0]
    assert world.phases()[-1] == "Succeeded"


async def test_labels_and_annotations_of_the_route_come_back_without_touching_weights(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"interval": "30s"})
    await world.set_image(SECOND)
    await world.weighs(10)
    gone = dict.fromkeys(GITOPS_IGNORE)
    await world.patch(ROUTES, objects.APP, {"metadata": {"annotations": gone | {"mine": "kept"}}})
    await world.feed.until(lambda: GITOPS_IGNORE.items() <= world.annotations(ROUTES, objects.APP).items())
    assert world.annotations(ROUTES, objects.APP)["mine"] == "kept"
    assert world.weights() == [0, 10]


async def test_a_route_of_somebody_else_is_left_alone_and_the_canary_says_so(stage: Stage) -> None:
    world = stage.world
    services = [{"name": "other", "port": 80}]
    theirs = {
        "apiVersion": ROUTES.api_version,
        "kind": ROUTES.kind,
        "metadata": {"name": objects.APP, "namespace": world.namespace},
        "spec": {"weighted": {"services": services}},
    }
    await world.create(ROUTES, theirs)
    world.oracle.excused.add((CANARIES.plural, objects.APP))
    await world.start()
    await world.apply(objects.deployment(world.namespace))
    await world.apply(objects.canary(world.namespace))
    await world.feed.until(lambda: "Ready" in world.conditions())
    assert world.conditions()["Ready"]["reason"] == "RoutingError"
    assert "is not owned by Canary" in world.conditions()["Ready"]["message"]
    await world.rest(0.3)
    assert world.feed.state[ROUTES.plural, objects.APP]["spec"]["weighted"]["services"] == services
    assert world.replicas() == 2, "the users are still on the target"
    await world.delete(ROUTES, objects.APP)
    await world.reached("Initialized")


async def test_an_invalid_canary_says_so_and_harms_no_other(stage: Stage) -> None:
    world = stage.world
    await install(world.cluster, objects.lax_canary_crd())
    try:
        await world.start()
        bad = objects.canary(world.namespace, name="bad", analysis={"stepWeight": 120, "interval": "soon"})
        await world.apply(bad)
        await world.feed.until(lambda: "Ready" in world.conditions("bad"))
        said = world.conditions("bad")["Ready"]
        assert (said["status"], said["reason"]) == ("False", "InvalidSpec")
        assert "spec.analysis.stepWeight: Invalid value: 120" in said["message"]
        assert 'spec.analysis.interval: Invalid value: "soon"' in said["message"]
        await world.bootstrap()
        await world.set_image(SECOND)
        await world.reached("Succeeded")
        repaired = objects.canary(world.namespace, name="bad")["spec"]["analysis"]
        await world.patch(CANARIES, "bad", {"spec": {"analysis": repaired}})
        await world.feed.until(lambda: world.conditions("bad")["Ready"]["reason"] == "TargetNotFound")
    finally:
        await world.delete(CANARIES, "bad")
        for crd in objects.our_crds():
            await install(world.cluster, crd)


@pytest.mark.parametrize("mirrored", [{"mirror": True}])
async def test_a_strategy_that_is_not_supported_is_refused_by_name(stage: Stage, mirrored: Any) -> None:
    world = stage.world
    await world.start()
    await world.apply(objects.deployment(world.namespace))
    await world.apply(objects.canary(world.namespace, analysis=mirrored))
    await world.feed.until(lambda: "Ready" in world.conditions())
    assert "spec.analysis.mirror: Forbidden" in world.conditions()["Ready"]["message"]
    assert world.replicas() == 2


async def test_the_message_of_a_query_with_several_series_says_what_to_do(stage: Stage) -> None:
    world = await bootstrapped(stage, analysis={"threshold": 1})
    stage.metrics.success_rate = [99.9, 99.9]
    await world.set_image(SECOND)
    await world.reached("Failed")
    await world.said("2 series; aggregate it to one, for example with sum()")
