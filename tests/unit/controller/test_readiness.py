"""When a Deployment counts as ready, and Flagger's words for when it does not."""

from dataclasses import replace
from typing import Any

import pytest

from controller.projections import workload
from controller.readiness import Ready, Waiting, readiness
from tests.builders import target
from tests.recordings import stored


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"generation": 3, "observed_generation": 2, "deadline_exceeded": True},
            "waiting for rollout to finish: observed deployment generation less than desired generation",
            id="not-observed-yet-says-nothing-about-pods",
        ),
        pytest.param(
            {"updated": 1, "available": 2},
            "waiting for rollout to finish: 1 out of 2 new replicas have been updated",
            id="not-all-updated",
        ),
        pytest.param(
            {"total": 3},
            "waiting for rollout to finish: 1 old replicas are pending termination",
            id="old-pods-left",
        ),
        pytest.param(
            {"available": 1},
            "waiting for rollout to finish: 1 of 2 updated replicas are available",
            id="not-all-available",
        ),
        pytest.param(
            {"deadline_exceeded": True, "available": 1},
            'deployment "podinfo" exceeded its progress deadline',
            id="deadline-exceeded",
        ),
        pytest.param(
            {"replicas": 0, "updated": 0, "total": 0, "available": 0},
            "waiting for rollout to finish: the deployment is scaled to zero",
            id="scaled-to-zero",
        ),
    ],
)
def test_an_unfinished_rollout_waits_and_says_for_what(changes: dict[str, Any], message: str) -> None:
    assert readiness(replace(target(replicas=2), **changes), 100) == Waiting(message)


def test_a_finished_rollout_is_ready() -> None:
    assert readiness(target(replicas=2), 100) == Ready()


def test_a_recorded_deployment_is_ready_once_its_status_says_so() -> None:
    assert readiness(workload(stored("017")), 100) == Ready()
    assert isinstance(readiness(workload(stored("012")), 100), Waiting)


@pytest.mark.parametrize(
    ("threshold", "available", "ready"),
    [
        (50, 2, True),
        (50, 1, False),
        (51, 2, False),
        (99, 3, False),
        (100, 4, True),
        (0, 0, False),
        (0, 1, True),
    ],
)
def test_the_threshold_is_rounded_up_and_asks_for_at_least_one_pod(
    *, threshold: int, available: int, ready: bool
) -> None:
    assert isinstance(readiness(replace(target(replicas=4), available=available), threshold), Ready) is ready
