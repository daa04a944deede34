"""Percentages of a rolling update become pods as in Kubernetes."""

import pytest

from sandbox.cluster_controllers.rollout import Group, Limits, limits, recreate, rescale, roll
from tests.sandbox_objects import rolling


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        pytest.param(3, "25%", "25%", Limits(3, 1, 0), id="surge-up-unavailable-down"),
        pytest.param(10, "25%", "25%", Limits(10, 3, 2), id="default-of-ten"),
        pytest.param(2, 0, "10%", Limits(2, 0, 1), id="never-both-zero"),
        pytest.param(2, 1, 5, Limits(2, 1, 2), id="no-more-than-all-unavailable"),
        pytest.param(0, 1, 0, Limits(0, 0, 0), id="scaled-to-zero"),
    ],
)
def test_shares_are_rounded_as_kubernetes_rounds_them(
    replicas: int, surge: int | str, unavailable: int | str, expected: Limits
) -> None:
    assert limits({"replicas": replicas, "strategy": rolling(surge, unavailable)}) == expected


def test_a_deployment_scaled_to_zero_may_have_no_pod_at_all() -> None:
    assert Limits(0, 3, 0).most == 0


def test_the_new_replica_set_grows_before_an_old_one_shrinks() -> None:
    bounds = Limits(3, 1, 0)
    assert roll(bounds, Group("new", 0, 0), [Group("old", 3, 3)]) == {"new": 1}
    assert roll(bounds, Group("new", 1, 0), [Group("old", 3, 3)]) == {}
    assert roll(bounds, Group("new", 1, 1), [Group("old", 3, 3)]) == {"old": 2}


def test_old_pods_that_serve_nobody_go_first() -> None:
    bounds = Limits(2, 1, 0)
    old = [Group("good", 1, 1, "1"), Group("broken", 1, 0, "2")]
    assert roll(bounds, Group("new", 1, 1), old) == {"broken": 0}


def test_recreate_starts_nothing_before_the_last_old_pod_has_ended() -> None:
    bounds = Limits(2, 0, 0)
    new, old = Group("new", 0, 0), Group("old", 2, 2)
    assert recreate(bounds, new, [old], old_pods=2) == {"old": 0}
    assert recreate(bounds, new, [Group("old", 0, 0)], old_pods=1) == {}
    assert recreate(bounds, new, [Group("old", 0, 0)], old_pods=0) == {"new": 2}


def test_a_deployment_without_pods_scales_its_newest_replica_set() -> None:
    groups = [Group("old", 0, 0), Group("new", 0, 0)]
    assert rescale(Limits(2, 1, 0), groups, "new") == {"new": 2}


def test_a_rollout_that_is_scaled_keeps_its_proportions() -> None:
    groups = [Group("old", 8, 8, "1", before=13), Group("new", 5, 5, "2", before=13)]
    assert rescale(Limits(15, 3, 2), groups, "new") == {"old": 11, "new": 7}
