"""logs, of pods that the sandbox runs: a real API server without nodes has none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.kubectl.command import BINARY, Kubectl
from tests.integration.sandbox.node import Node, running


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    if not BINARY.exists():
        pytest.skip("kubectl is not installed beside this Python")
    async with running(tmp_path / "state") as started:
        await started.deploy("6.0.0")
        await started.until(lambda: len(started.ready_addresses()) == 1)
        yield started


async def test_logs_are_read_tailed_and_followed(node: Node, tmp_path: Path) -> None:
    kubectl = Kubectl(node.state / "kubeconfig", "test", tmp_path)
    everything = await kubectl("logs", "deploy/podinfo")
    assert everything.count("\n") >= 1
    last = await kubectl("logs", "-l", "app=podinfo", "--tail=1")
    assert (
        last.count("\n") == 1
        and everything.splitlines()[0] == (await kubectl("logs", "deploy/podinfo")).splitlines()[0]
    )
    following = await kubectl.start("logs", "-f", "deploy/podinfo")
    assert following.stdout is not None
    assert (await following.stdout.readline()).decode() == everything.splitlines(keepends=True)[0]
    await kubectl("delete", "deploy/podinfo")
    await following.stdout.read()
    assert await following.wait() == 0, "it ends with the pod"


async def test_logs_that_there_are_not_are_refused_with_the_reason(node: Node, tmp_path: Path) -> None:
    kubectl = Kubectl(node.state / "kubeconfig", "test", tmp_path)
    (pod,) = (each["metadata"]["name"] for each in node.pods())
    assert (
        await kubectl.fails("logs", "nope")
        == 'error: error from server (NotFound): pods "nope" not found in namespace "test"\n'
    )
    assert (
        await kubectl.fails("logs", pod, "-c", "nope")
        == f"error: container nope is not valid for pod {pod} out of: podinfod\n"
    )
    error = await kubectl.fails("logs", pod, "--previous")
    assert f'previous terminated container "podinfod" in pod "{pod}" not found' in error
