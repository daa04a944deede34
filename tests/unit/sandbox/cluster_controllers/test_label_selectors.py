"""Selectors match as Kubernetes' do."""

import pytest

from sandbox.cluster_controllers.objects import differences, selects
from tests.sandbox_objects import Json


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "podinfo"}}, True),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo", "x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["podinfo"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_a_selector_matches(selector: Json | None, expected: bool) -> None:  # noqa: FBT001 - a test's parameter
    assert selects(selector, {"app": "podinfo"}) is expected


def test_counts_that_became_zero_are_removed_from_a_status() -> None:
    assert differences({"replicas": 3, "readyReplicas": 1}, {"replicas": 3, "readyReplicas": 0}) == {
        "readyReplicas": None
    }


def test_an_equal_status_needs_no_patch() -> None:
    assert differences({"replicas": 3}, {"replicas": 3, "readyReplicas": 0}) == {}
