"""What a Deployment does next, and what it says about it."""

from datetime import timedelta

import pytest

from sandbox.cluster_controllers import revisions
from sandbox.cluster_controllers.deployment import Observed, Plan, decide
from sandbox.cluster_controllers.objects import condition
from tests.sandbox_objects import NOW, Json, at, deployment, rolling, stored, template


def observed(subject: Json, *sets: Json, seconds: float = 0) -> Observed:
    return Observed(subject, sets, 0, NOW + timedelta(seconds=seconds))


def replica_set(tag: str, number: int, size: int, available: int | None = None) -> Json:
    """The `number`th revision, created by our own decision."""
    plan = decide(observed(deployment(tag)))
    assert plan.create is not None
    found = stored(plan.create, number)
    found["metadata"]["annotations"][revisions.REVISION] = str(number)
    count = size if available is None else available
    found["spec"]["replicas"] = size
    found["status"] |= {"replicas": size, "readyReplicas": count, "availableReplicas": count}
    return found


def progressing(plan: Plan) -> Json:
    found = condition({"status": plan.status}, "Progressing")
    assert found is not None
    return found


def test_a_new_deployment_gets_its_first_replica_set() -> None:
    plan = decide(observed(deployment(minReadySeconds=5)))
    assert plan.create is not None
    metadata, spec = plan.create["metadata"], plan.create["spec"]
    hashed = metadata["labels"]["pod-template-hash"]
    assert metadata["name"] == f"podinfo-{hashed}"
    assert metadata["annotations"] == {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert spec["selector"]["matchLabels"] == {"app": "podinfo", "pod-template-hash": hashed}
    assert spec["template"]["metadata"]["labels"] == {"app": "podinfo", "pod-template-hash": hashed}
    assert (spec["replicas"], spec["minReadySeconds"]) == (3, 5)
    assert progressing(plan)["reason"] == "NewReplicaSetCreated"
    assert progressing(plan)["message"] == f'Created new replica set "podinfo-{hashed}"'


def test_the_hash_of_a_template_depends_on_its_content_alone() -> None:
    plain = template("1.0")
    reordered = dict(reversed(plain.items()))
    hashed = revisions.template_hash(plain)
    plain["metadata"] |= {"creationTimestamp": None}
    assert revisions.template_hash(plain) == revisions.template_hash(reordered) == hashed == "dklp8mfjbk"
    assert revisions.template_hash(template("1.1")) != hashed


def test_a_template_seen_before_is_the_same_replica_set_with_a_new_revision() -> None:
    first, second = replica_set("1.0", 1, 0), replica_set("2.0", 2, 3)
    plan = decide(observed(deployment("1.0"), first, second))
    assert plan.create is None
    assert plan.revision == 3
    assert plan.patches[first["metadata"]["name"]]["metadata"]["annotations"][revisions.REVISION] == "3"


def test_annotations_of_the_deployment_are_inherited_but_not_what_was_last_applied() -> None:
    subject = deployment()
    subject["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "image 1.0",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    plan = decide(observed(subject))
    assert plan.create is not None
    assert plan.create["metadata"]["annotations"]["kubernetes.io/change-cause"] == "image 1.0"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in plan.create["metadata"]["annotations"]


def test_a_paused_deployment_makes_no_new_revision() -> None:
    plan = decide(observed(deployment("2.0", paused=True), replica_set("1.0", 1, 3)))
    assert (plan.create, plan.patches) == (None, {})
    assert (progressing(plan)["status"], progressing(plan)["reason"]) == ("Unknown", "DeploymentPaused")
    assert plan.status["updatedReplicas"] == 0


def test_a_resumed_deployment_says_so_and_rolls() -> None:
    paused = decide(observed(deployment("1.0", paused=True), replica_set("1.0", 1, 3))).status
    plan = decide(observed(deployment("1.0", status=paused), replica_set("1.0", 1, 3)))
    assert progressing(plan)["reason"] == "DeploymentResumed"


def test_history_beyond_its_limit_is_deleted_once_the_rollout_is_complete() -> None:
    old = [replica_set(f"{number}.0", number, 0) for number in range(1, 5)]
    new = replica_set("9.0", 9, 3)
    plan = decide(observed(deployment("9.0", revisionHistoryLimit=2), *old, new))
    assert [each["metadata"]["name"] for each in plan.delete] == [
        each["metadata"]["name"] for each in old[:2]
    ]
    unfinished = replica_set("9.0", 9, 3, available=2)
    assert not decide(observed(deployment("9.0", revisionHistoryLimit=2), *old, unfinished)).delete


def test_the_status_counts_what_replica_sets_report() -> None:
    plan = decide(
        observed(deployment("2.0"), replica_set("1.0", 1, 3), replica_set("2.0", 2, 1, available=0))
    )
    counts = {name: value for name, value in plan.status.items() if name != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 4,
        "updatedReplicas": 1,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "unavailableReplicas": 1,
    }


@pytest.mark.parametrize(("available", "value"), [(3, "True"), (2, "True"), (1, "False")])
def test_available_means_no_more_are_missing_than_allowed(available: int, value: str) -> None:
    subject = deployment("1.0", strategy=rolling(1, 1))
    plan = decide(observed(subject, replica_set("1.0", 1, 3, available=available)))
    found = condition({"status": plan.status}, "Available")
    assert found is not None
    reason = {"True": "MinimumReplicasAvailable", "False": "MinimumReplicasUnavailable"}[value]
    assert (found["status"], found["reason"]) == (value, reason)


def test_a_rollout_without_progress_times_out_after_its_deadline() -> None:
    stuck = replica_set("1.0", 1, 3, available=0)
    begun = decide(observed(deployment("1.0", progressDeadlineSeconds=60), stuck))
    subject = deployment("1.0", progressDeadlineSeconds=60, status=begun.status)
    assert begun.again == 61
    patient = decide(observed(subject, stuck, seconds=60))
    assert progressing(patient)["status"] == "True"
    late = decide(observed(subject, stuck, seconds=61))
    name = stuck["metadata"]["name"]
    assert progressing(late) == {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": f'ReplicaSet "{name}" has timed out progressing.',
        "lastUpdateTime": at(61),
        "lastTransitionTime": at(61),
    }
    assert late.again is None


def test_progress_renews_the_deadline_but_not_the_transition() -> None:
    begun = decide(observed(deployment("1.0"), replica_set("1.0", 1, 3, available=0))).status
    subject = deployment("1.0", status=begun)
    plan = decide(observed(subject, replica_set("1.0", 1, 3, available=1), seconds=50))
    assert progressing(plan)["reason"] == "ReplicaSetUpdated"
    assert (progressing(plan)["lastUpdateTime"], progressing(plan)["lastTransitionTime"]) == (at(50), at(0))


def test_a_complete_rollout_stays_complete_when_a_pod_is_lost() -> None:
    done = decide(observed(deployment("1.0"), replica_set("1.0", 1, 3))).status
    assert done["conditions"][1]["reason"] == "NewReplicaSetAvailable"
    plan = decide(
        observed(deployment("1.0", status=done), replica_set("1.0", 1, 3, available=1), seconds=9999)
    )
    assert progressing(plan) == done["conditions"][1]


def test_a_deployment_without_a_deadline_has_no_progressing_condition() -> None:
    plan = decide(observed(deployment(progressDeadlineSeconds=2**31 - 1)))
    assert condition({"status": plan.status}, "Progressing") is None
