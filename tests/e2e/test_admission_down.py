"""Without admission governed objects cannot be changed, everything else can; with it back, all goes on."""

import asyncio
import signal
from collections.abc import AsyncIterator
from os import kill
from pathlib import Path

import pytest

from sandbox import processes
from shared.cluster import Cluster
from shared.errors import ClusterError
from shared.resources import DEPLOYMENTS, SERVICES
from tests.e2e.town import SYSTEM, Town, town

BACKEND = "manifests/examples/backend.yaml"
ADMISSION = ("-n", SYSTEM, "deployment/pinfeather-admission")
IMAGE = "podinfod=stefanprodan/podinfo:4.0."
WRONG = "sandbox/demo/wrong-canary.yaml"
OBJECTS = (
    (DEPLOYMENTS, "backend"),
    (DEPLOYMENTS, "backend-primary"),
    (SERVICES, "backend-primary"),
    (SERVICES, "backend-canary"),
)
"""Governed, and written all the time; each by one writer, as two would be in each other's way."""
RESTARTS = 2

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Town]:
    """A sandbox with one application under a Canary, and one under none."""
    async with town(tmp_path / "sandbox", "prometheus", "loadtester", "traefik") as made:
        await made.done("apply", "-f", BACKEND)
        await made.done("create", "deployment", "free", "--image=stefanprodan/podinfo:4.0.5")
        await made.done("-n", "test", "wait", "canary/backend", "--for=jsonpath={.status.phase}=Initialized")
        yield made


async def test_while_nobody_answers_only_what_canaries_govern_stands_still(here: Town) -> None:
    await here.done("scale", *ADMISSION, "--replicas=0")
    await here.until("", "-n", SYSTEM, "get", "pods", "-o", "name")
    await _governed_objects_stay_as_they_are(here)
    await _everybody_else_goes_on(here)
    await here.done("scale", *ADMISSION, "--replicas=1")
    await here.done("rollout", "status", *ADMISSION)
    await _all_is_checked_again(here)


async def _governed_objects_stay_as_they_are(here: Town) -> None:
    for webhook, command in (
        ("target", f"-n test set image deployment/backend {IMAGE}6"),
        ("target", f"-n test set image deployment/backend-primary {IMAGE}6"),
        ("governed", "-n test delete service backend-canary"),
        ("governed", "-n test delete deployment backend"),
        ("governed", "-n test label traefikservice backend a=b"),
        ("canaries", "-n test delete canary backend"),
        ("canaries", f"apply -f {WRONG}"),
    ):
        said = await here.refused(*command.split())
        assert f'failed calling webhook "{webhook}.pinfeather.dev"' in said
        assert 'no endpoints available for service "pinfeather-admission"' in said
    images = "jsonpath={.items[*].spec.template.spec.containers[0].image}"
    said = await here.done("-n", "test", "get", "deployment", "backend", "backend-primary", "-o", images)
    assert said.split() == ["stefanprodan/podinfo:4.0.5"] * 2


async def _everybody_else_goes_on(here: Town) -> None:
    await here.done("set", "image", "deployment/free", "podinfo=stefanprodan/podinfo:4.0.6")
    await here.done("rollout", "status", "deployment/free")
    await here.done("scale", "deployment/free", "--replicas=2")
    await here.done("create", "configmap", "anything")
    await here.done("-n", "test", "create", "deployment", "late", "--image=stefanprodan/podinfo:4.0.5")
    # Kubernetes' own controllers, and scaling, which passes by another door.
    await here.done("-n", "test", "delete", "pods", "-l", "app=backend-primary", "--wait=false")
    await here.done("-n", "test", "scale", "deployment/backend-primary", "--replicas=3")
    await here.done("-n", "test", "rollout", "status", "deployment/backend-primary")
    # Our controller: it takes the target's pods away again, and gives the number to the primary.
    await here.done("-n", "test", "scale", "deployment/backend", "--replicas=1")
    for name, replicas in (("backend", "0"), ("backend-primary", "1")):
        await here.until(replicas, "-n", "test", "get", "deployment", name, "-o", "jsonpath={.spec.replicas}")


async def _all_is_checked_again(here: Town) -> None:
    assert "(V09)" in await here.refused("apply", "-f", WRONG)
    said = await here.refused("-n", "test", "set", "image", "deployment/backend-primary", f"{IMAGE}6")
    assert "backend-primary is written by Canary test/backend alone" in said
    await here.done("-n", "test", "set", "image", "deployment/backend", f"{IMAGE}6")
    progressing = "--for=jsonpath={.status.phase}=Progressing"
    await here.done("-n", "test", "wait", "canary/backend", progressing, "--timeout=20s")


async def test_admission_that_was_killed_comes_back_by_itself(here: Town) -> None:
    (victim,) = _processes_of_admission(here)
    kill(victim, signal.SIGKILL)
    async with await Cluster.connect(here.folder.kubeconfig) as cluster:
        while True:
            try:
                await _write(cluster, 0)
            except ClusterError as error:
                assert "failed calling webhook" in str(error)
            else:
                break
    assert victim not in _processes_of_admission(here)


async def test_a_rolling_restart_of_admission_fails_no_write(here: Town) -> None:
    ended = asyncio.Event()
    async with await Cluster.connect(here.folder.kubeconfig) as cluster, asyncio.TaskGroup() as group:
        writers = [group.create_task(_keep_writing(cluster, number, ended)) for number in range(len(OBJECTS))]
        before = await here.done("-n", SYSTEM, "get", "pods", "-o", "name")
        for _ in range(RESTARTS):
            await here.done("rollout", "restart", *ADMISSION)
            await here.done("rollout", "status", *ADMISSION)
        ended.set()
    assert await here.done("-n", SYSTEM, "get", "pods", "-o", "name") != before
    assert all(writer.result() > 10 * RESTARTS for writer in writers)


async def _keep_writing(cluster: Cluster, number: int, ended: asyncio.Event) -> int:
    """Change governed objects until the end; how often that was. Each write has to succeed."""
    count = 0
    while not ended.is_set():
        await _write(cluster, number)
        count += 1
    return count


async def _write(cluster: Cluster, number: int) -> None:
    """One write of this writer's own object."""
    resource, name = OBJECTS[number]
    annotations = {f"example.com/writer-{number}": str(asyncio.get_running_loop().time())}
    await cluster.patch(resource, name, "test", {"metadata": {"annotations": annotations}})


def _processes_of_admission(here: Town) -> list[int]:
    state = here.folder.read()
    assert state is not None
    return [
        number
        for number in processes.of_run(state.id)
        if b"\0-m\0admission\0" in Path(f"/proc/{number}/cmdline").read_bytes()
    ]
