"""A pod's status follows from its containers."""

from typing import Any

import pytest

from sandbox.kubelet.status import ContainerState, PodFacts, pod_status
from tests.sandbox_objects import NOW, Json, at, pod

RUNNING: Json = {"running": {"startedAt": at(0)}}
WAITING: Json = {"waiting": {"reason": "ContainerCreating"}}
CRASHED: Json = {"terminated": {"exitCode": 1, "reason": "Error"}}
DONE: Json = {"terminated": {"exitCode": 0, "reason": "Completed"}}
BACKOFF: Json = {"waiting": {"reason": "CrashLoopBackOff"}}


def container(state: Json, **fields: Any) -> ContainerState:
    return ContainerState("podinfod", "stefanprodan/podinfo:1.0", state, **fields)


def status(
    *containers: ContainerState, init: tuple[ContainerState, ...] = (), subject: Json | None = None
) -> Json:
    return pod_status(PodFacts(subject or pod("a", ready=False), "127.10.0.1", at(0), init, containers, NOW))


@pytest.mark.parametrize(
    ("found", "phase"),
    [
        (container(WAITING), "Pending"),
        (container(RUNNING), "Running"),
        (container(CRASHED), "Running"),
        (container(BACKOFF, last=CRASHED), "Running"),
        (container(DONE, finished=True), "Succeeded"),
        (container(CRASHED, finished=True), "Failed"),
    ],
)
def test_the_phase_follows_from_the_containers(found: ContainerState, phase: str) -> None:
    assert status(found)["phase"] == phase


def test_a_pod_whose_init_containers_run_is_pending() -> None:
    assert status(container(WAITING), init=(container(RUNNING),))["phase"] == "Pending"


def conditions(found: Json) -> dict[str, Json]:
    return {each["type"]: each for each in found["conditions"]}


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    assert conditions(status(container(RUNNING, ready=True)))["Ready"]["status"] == "True"
    found = conditions(status(container(RUNNING, ready=True), container(RUNNING)))["Ready"]
    assert (found["status"], found["reason"]) == ("False", "ContainersNotReady")
    assert found["message"] == "containers with unready status: [podinfod]"


def test_a_condition_keeps_its_time_while_it_says_the_same() -> None:
    before = pod("a", ready=True, since=-50)
    assert conditions(status(container(RUNNING, ready=True), subject=before))["Ready"][
        "lastTransitionTime"
    ] == at(-50)
    assert conditions(status(container(RUNNING), subject=before))["Ready"]["lastTransitionTime"] == at(0)


def test_the_address_is_told() -> None:
    assert (status(container(RUNNING))["podIP"], status(container(RUNNING))["podIPs"]) == (
        "127.10.0.1",
        [{"ip": "127.10.0.1"}],
    )
