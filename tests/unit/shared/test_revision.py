"""A revision's name depends on the pod template and on nothing else."""

from typing import Any

import pytest

from shared.revision import bare_template, template_hash

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "podinfo", "tier": "web"}},
    "spec": {"containers": [{"name": "podinfod", "image": "podinfo:1"}]},
}


def test_the_hash_of_a_template_never_changes() -> None:
    # A different value here is a rollout of every Canary in every cluster that upgrades.
    assert template_hash(TEMPLATE) == "9f9c8137fad4109c054a093ed3943d7d"


def test_the_order_of_keys_does_not_matter() -> None:
    turned = {
        "spec": {"containers": [{"image": "podinfo:1", "name": "podinfod"}]},
        "metadata": {"labels": {"tier": "web", "app": "podinfo"}},
    }
    assert template_hash(turned) == template_hash(TEMPLATE)


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_creation_time_does_not_matter(empty: str | None) -> None:
    written_by_kubectl = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "creationTimestamp": empty}}
    assert template_hash(written_by_kubectl) == template_hash(TEMPLATE)
    assert bare_template(written_by_kubectl) == TEMPLATE


def test_a_restart_is_a_revision_of_its_own() -> None:
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-11-22T20:11:15Z"}
    restarted = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "annotations": annotations}}
    assert template_hash(restarted) != template_hash(TEMPLATE)


def test_the_order_of_containers_matters() -> None:
    containers = [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]
    turned = template_hash({"metadata": {}, "spec": {"containers": containers[::-1]}})
    assert template_hash({"metadata": {}, "spec": {"containers": containers}}) != turned
