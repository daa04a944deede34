"""set image, rollout and scale: a Deployment's life as people drive it."""

import pytest

from tests.integration.kubectl.command import Kubectl

IMAGE = ".spec.template.spec.containers[0].image"
DONE = 'deployment "web" successfully rolled out\n'


async def rolled_out(web: Kubectl) -> None:
    assert (await web("rollout", "status", "deploy/web", "--timeout=30s")).endswith(DONE)


async def test_a_new_image_is_rolled_out_and_taken_back(web: Kubectl) -> None:
    assert await web("set", "image", "deploy/web", "app=web:2") == "deployment.apps/web image updated\n"
    await rolled_out(web)
    await web("annotate", "deploy/web", "kubernetes.io/change-cause=second")
    assert await web("rollout", "history", "deploy/web") == (
        "deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         <none>\n2         second\n\n"
    )
    assert "Image:\tweb:1" in await web("rollout", "history", "deploy/web", "--revision=1")
    assert await web("rollout", "undo", "deploy/web") == "deployment.apps/web rolled back\n"
    await rolled_out(web)
    assert await web.value("deploy/web", IMAGE) == "web:1"
    error = await web.fails("rollout", "undo", "deploy/web", "--to-revision=99")
    assert error.splitlines()[-1] == "error: unable to find specified revision 99 in history"
    error = await web.fails("set", "image", "deploy/web", "nope=web:3")
    assert error == 'error: unable to find container named "nope"\n'


async def test_a_paused_deployment_waits_until_it_is_resumed(web: Kubectl) -> None:
    assert await web("rollout", "pause", "deploy/web") == "deployment.apps/web paused\n"
    assert await web.fails("rollout", "pause", "deploy/web") == (
        'error: deployments.apps "web" is already paused\n'
    )
    await web("set", "image", "deploy/web", "app=web:2")
    assert await web.value("rs", ".items[*].spec.template.spec.containers[0].image") == "web:1"
    assert await web("rollout", "resume", "deploy/web") == "deployment.apps/web resumed\n"
    await rolled_out(web)
    assert sorted((await web.value("rs", f".items[*]{IMAGE}")).split()) == ["web:1", "web:2"]


async def test_a_restart_makes_new_pods_of_the_same_image(web: Kubectl) -> None:
    before = await web("get", "pods", "-o", "name")
    assert await web("rollout", "restart", "deploy/web") == "deployment.apps/web restarted\n"
    await rolled_out(web)
    await web("wait", "--for=delete", "--timeout=20s", *before.split())
    assert await web.value("deploy/web", IMAGE) == "web:1"


async def test_a_deployment_is_scaled_with_and_without_conditions(web: Kubectl) -> None:
    assert await web("scale", "deploy/web", "--replicas=4") == "deployment.apps/web scaled\n"
    await web("wait", "deploy/web", "--for=jsonpath={.status.readyReplicas}=4", "--timeout=20s")
    error = await web.fails("scale", "deploy/web", "--current-replicas=9", "--replicas=1")
    assert error == "error: Expected replicas to be 9, was 4\n"
    patch = '{"spec":{"replicas":-2}}'
    error = await web.fails("patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", patch)
    assert error == (
        'The Scale "web" is invalid: spec.replicas: Invalid value: -2: must be greater than or equal to 0\n'
    )


async def test_the_generation_counts_what_people_change_and_nothing_else(web: Kubectl) -> None:
    assert await web.value("deploy/web", ".metadata.generation") == "1", "the controllers' notes do not count"
    await web("label", "deploy/web", "tier=front")
    assert await web.value("deploy/web", ".metadata.generation") == "1"
    await web("scale", "deploy/web", "--replicas=3")
    assert await web.value("deploy/web", ".metadata.generation") == "2"


@pytest.mark.parametrize("condition", ["Available", "Progressing"])
async def test_conditions_are_waited_for(web: Kubectl, condition: str) -> None:
    told = await web("wait", "deploy/web", f"--for=condition={condition}", "--timeout=10s")
    assert told == "deployment.apps/web condition met\n"
    assert await web.fails("wait", "deploy/web", "--for=condition=Nope", "--timeout=1s") == (
        "error: timed out waiting for the condition on deployments/web\n"
    )
