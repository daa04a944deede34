"""How many pods a ReplicaSet creates, and which it deletes."""

from datetime import timedelta
from typing import Any

from sandbox.cluster_controllers.replicaset import decide, new_pod
from tests.sandbox_objects import NOW, Json, deployment, pod, template


def replica_set(size: int, **spec: Any) -> Json:
    found = deployment(replicas=size, **spec)
    found["metadata"] |= {"name": "podinfo-abc"}
    return found


def names(pods: object) -> list[str]:
    return [each["metadata"]["name"] for each in pods]  # type: ignore[attr-defined]  # a sequence of pods


def test_missing_pods_are_created_in_one_go() -> None:
    assert decide(replica_set(3), [pod("a")], NOW).create == 2


def test_deleted_and_finished_pods_are_replaced() -> None:
    pods = [pod("a", deleted=True), pod("b", phase="Failed"), pod("c")]
    plan = decide(replica_set(2), pods, NOW)
    assert (plan.create, plan.status["replicas"]) == (1, 1)


def test_what_serves_least_is_deleted_first() -> None:
    pods = [
        pod("old-and-ready", since=-1000, age=1000),
        pod("ready-for-a-moment", since=-1, age=1000),
        pod("not-ready", ready=False),
        pod("pending", ready=False, phase="Pending"),
        pod("unbound", ready=False, phase="Pending", node=""),
        pod("restarting", since=-1000, age=1000, restarts=3),
    ]
    assert names(decide(replica_set(0), pods, NOW).delete) == [
        "unbound",
        "pending",
        "not-ready",
        "ready-for-a-moment",
        "restarting",
        "old-and-ready",
    ]


def test_a_pod_is_available_only_after_it_was_ready_for_a_while() -> None:
    pods = [pod("a", since=-4), pod("b", since=-10)]
    plan = decide(replica_set(2, minReadySeconds=10), pods, NOW)
    assert (plan.status["readyReplicas"], plan.status["availableReplicas"]) == (2, 1)
    assert plan.again == 6
    later = decide(replica_set(2, minReadySeconds=10), pods, NOW + timedelta(seconds=6))
    assert (later.status["availableReplicas"], later.again) == (2, None)


def test_a_new_pod_is_what_its_template_says() -> None:
    subject = replica_set(
        1, template=template() | {"metadata": {"labels": {"app": "podinfo"}, "name": "ignored"}}
    )
    made = new_pod(subject, "x7k2p")
    assert made["metadata"]["name"] == "podinfo-abc-x7k2p"
    assert made["metadata"]["generateName"] == "podinfo-abc-"
    assert made["metadata"]["labels"] == {"app": "podinfo"}
    assert made["metadata"]["ownerReferences"][0] == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "podinfo-abc",
        "uid": "d1",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert made["spec"] == template()["spec"]
