"""What is asked for a change, and that the webhooks' own role allows to ask it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from admission.request import Operation, User
from admission.rules.rule import Change
from admission.wanted import Wanted, wanted
from shared.resources import METRIC_TEMPLATES, Resource
from shared.types.meta import Json
from tests.unit.admission.metric_cases import alert, metric, template
from tests.unit.admission.rule_cases import canary
from tests.unit.admission.target_cases import scaled
from tests.unit.admission.test_gatherer import changed

RBAC = Path(__file__).parents[3] / "manifests/admission/rbac.yaml"
FULL = {**scaled(), **metric(), **alert("on-call")}


def may(verb: str, resource: Resource) -> bool:
    """Whether the webhooks' ClusterRole has that right."""
    roles = [each for each in yaml.safe_load_all(RBAC.read_text("utf-8")) if each["kind"] == "ClusterRole"]
    return any(
        verb in rule["verbs"] and resource.group in rule["apiGroups"] and resource.plural in rule["resources"]
        for role in roles
        for rule in role["rules"]
    )


@pytest.mark.parametrize(
    "change",
    [changed(canary(FULL)), changed(None, canary(FULL)), changed(None, template(), METRIC_TEMPLATES)],
    ids=["a new canary", "a canary that goes", "a template that goes"],
)
def test_the_webhooks_may_ask_all_that_they_want_to_know(change: Change[Any]) -> None:
    asks = wanted(change)
    assert asks != Wanted()
    assert [each for each in asks.objects if not may("get", each.resource)] == []
    assert [each for each in asks.lists if not may("list", each.resource)] == []


@pytest.mark.parametrize(
    "edits",
    [
        {"spec.analysis.stepWeight": 10},
        {"spec.suspend": True},
        {"spec.progressDeadlineSeconds": 90},
        {"metadata.labels": {"a": "b"}},
    ],
    ids=str,
)
def test_what_leaves_target_and_services_alone_wants_nothing(edits: Json) -> None:
    assert wanted(changed(canary(edits), canary())) == Wanted()


def test_references_of_before_are_wanted_too() -> None:
    """What was as wrong before is no reason to refuse, so it has to be looked at."""
    asks = wanted(changed(canary(), canary(metric())))
    assert [(ref.resource, ref.name) for ref in asks.objects] == [(METRIC_TEMPLATES, "latency")]


def test_an_object_that_cannot_be_read_wants_nothing() -> None:
    assert wanted(Change(Operation.CREATE, None, None, {"spec": 1}, None, User("kim"))) == Wanted()
