"""An autoscaler keeps its target within bounds, and leaves it alone at zero."""

import pytest

from sandbox.cluster_controllers.hpa import decide
from tests.sandbox_objects import NOW, Json, deployment


def autoscaler() -> Json:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    return {
        "metadata": {"name": "podinfo", "namespace": "test", "generation": 3},
        "spec": {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 4},
    }


@pytest.mark.parametrize(("size", "next_size"), [(1, 2), (2, None), (3, None), (4, None), (7, 4), (0, None)])
def test_the_size_is_kept_within_bounds_but_zero_is_left_alone(size: int, next_size: int | None) -> None:
    assert decide(autoscaler(), deployment(replicas=size), NOW).replicas == next_size


def reasons(status: Json) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_a_target_at_zero_disables_scaling() -> None:
    status = decide(autoscaler(), deployment(replicas=0), NOW).status
    assert reasons(status)["ScalingActive"] == ("False", "ScalingDisabled")
    assert status["desiredReplicas"] == 0


def test_a_missing_target_is_said() -> None:
    plan = decide(autoscaler(), None, NOW)
    assert plan.replicas is None
    assert reasons(plan.status) == {"AbleToScale": ("False", "FailedGetScale")}
