"""Which series the builtin queries count: the canary's, by either of Traefik's names, and nobody else's."""

import re
from typing import Any

import pytest

from controller.metrics.queries import builtin_query, traefik_services
from shared.capabilities import is_builtin
from shared.errors import InvalidSpec
from shared.types.canary import Metric
from tests.builders import canary


def matches(label: str, **spec: Any) -> bool:
    return re.fullmatch(traefik_services(canary(**spec)), label) is not None


@pytest.mark.parametrize(
    "label",
    [
        "test-podinfo-canary-80@kubernetescrd",
        "test_podinfo_wrr_1_test_podinfo-canary_80@kubernetescrd",
        "test_podinfo_wrr_0_test_podinfo-canary_80@kubernetescrd",
    ],
)
def test_both_of_traefiks_names_count(label: str) -> None:
    assert matches(label)


@pytest.mark.parametrize(
    "label",
    [
        "test-podinfo-primary-80@kubernetescrd",
        "test_podinfo_wrr_0_test_podinfo-primary_80@kubernetescrd",
        "test-podinfo-v2-canary-80@kubernetescrd",
        "test_podinfo-v2_wrr_1_test_podinfo-v2-canary_80@kubernetescrd",
        "test-my-podinfo-canary-80@kubernetescrd",
        "test-2-podinfo-canary-80@kubernetescrd",
        "test-2_podinfo_wrr_1_test-2_podinfo-canary_80@kubernetescrd",
        "my-test-podinfo-canary-80@kubernetescrd",
        "test-podinfo-canary-8080@kubernetescrd",
        "test-podinfo-canary-80-v2@kubernetescrd",
        "test-podinfo-canary-80@kubernetes",
        "test-podinfo-canary-80@kubernetescrd2",
        "test_other_wrr_1_test_podinfo-canary_80@kubernetescrd",
        "test-podinfo@kubernetescrd",
    ],
)
def test_names_that_only_look_like_it_do_not(label: str) -> None:
    assert not matches(label)


def test_the_services_name_counts_not_the_targets() -> None:
    assert matches("test-web-canary-80@kubernetescrd", service={"name": "web", "port": 80})
    assert not matches("test-podinfo-canary-80@kubernetescrd", service={"name": "web", "port": 80})


def test_a_dot_in_a_targets_name_is_a_dot() -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pod.info"}
    assert matches("test_pod.info_wrr_1_test_pod.info-canary_80@kubernetescrd", targetRef=ref)
    assert not matches("test_podxinfo_wrr_1_test_podxinfo-canary_80@kubernetescrd", targetRef=ref)
    assert matches("test-pod-info-canary-80@kubernetescrd", targetRef=ref)


def test_the_interval_is_the_window() -> None:
    metric = Metric.model_validate({"name": "request-duration", "interval": "90s"})
    assert "[1m30s]" in builtin_query(canary(), metric)


def test_a_template_makes_a_builtin_name_an_ordinary_one() -> None:
    assert is_builtin(Metric(name="request-duration"))
    assert not is_builtin(Metric.model_validate({"name": "request-duration", "templateRef": {"name": "t"}}))
    assert not is_builtin(Metric(name="request-duration", query="up"))
    assert not is_builtin(Metric(name="other"))


def test_a_router_without_builtin_metrics_says_so() -> None:
    with pytest.raises(InvalidSpec, match="provider istio has no such builtin metric"):
        builtin_query(canary(provider="istio"), Metric(name="request-duration"))
