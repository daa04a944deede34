"""Deleting: no application without pods, and nobody's metrics or alerts gone unsaid."""

import pytest

from shared.resources import ALERT_PROVIDERS, METRIC_TEMPLATES
from tests.unit.admission.rule_cases import DENY, WARN, canary, deployment, said, thing, violations

GONE = (
    "<object>: Forbidden: the primary goes with the Canary, and Deployment podinfo has no pods of its own; "
    "delete "
    "the Deployment first, or set annotation pinfeather.dev/break-glass to a reason"
)
PROMETHEUS = {"provider": {"type": "prometheus", "address": "http://prometheus:9090"}, "query": "vector(1)"}
TEMPLATE = thing("MetricTemplate", "errors", "flagger.app/v1beta1", spec=PROMETHEUS)
PROVIDER = thing(
    "AlertProvider", "on-call", "flagger.app/v1beta1", spec={"type": "slack", "address": "https://chat/hook"}
)


def test_a_canary_whose_target_has_no_pods_stays() -> None:
    assert said("U07", violations(None, canary(), around=[deployment(replicas=0)])) == [(DENY, GONE)]


@pytest.mark.parametrize(
    ("before", "around"),
    [
        ({}, [deployment(replicas=2)]),
        ({}, []),
        ({"status.phase": ""}, [deployment(replicas=0)]),
    ],
    ids=["the target has pods", "the target is gone", "it never began"],
)
def test_any_other_canary_may_be_deleted(before: dict[str, object], around: list[dict[str, object]]) -> None:
    assert violations(None, canary(before), around=around) == ()


def test_break_glass_lets_even_that_go_with_a_warning() -> None:
    before = canary({"metadata.annotations": {"pinfeather.dev/break-glass": "tearing it down"}})
    assert said("U07", violations(None, before, around=[deployment(replicas=0)])) == [(WARN, GONE)]


def test_deleting_in_the_middle_of_a_rollout_is_warned_about() -> None:
    found = violations(None, canary({"status.phase": "Progressing"}), around=[deployment(replicas=2)])
    what = "what stays is the target, with a revision that was not analysed to its end"
    assert said("U07", found) == [(WARN, f"<object>: Forbidden: is Progressing; {what}")]


def test_a_canary_that_cannot_be_read_can_be_deleted() -> None:
    assert violations(None, canary({"spec.analysis": 5}), around=[deployment()]) == ()


@pytest.mark.parametrize("namespace", [None, "test"])
def test_deleting_a_template_names_the_canaries_that_measure_with_it(namespace: str | None) -> None:
    ref = {"name": "errors", "namespace": namespace} if namespace else {"name": "errors"}
    user = canary({"spec.analysis.metrics": [{"name": "builtin"}, {"name": "e", "templateRef": ref}]})
    says = "<object>: Forbidden: Canary test/podinfo measures with it; change that first, or its rounds fail"
    found = violations(None, TEMPLATE, around=[user], resource=METRIC_TEMPLATES)
    assert said("U10", found) == [(WARN, says)]


def test_so_it_names_those_of_other_namespaces() -> None:
    ref = {"name": "errors", "namespace": "test"}
    user = canary(
        {"metadata.namespace": "shop", "spec.analysis.metrics": [{"name": "e", "templateRef": ref}]}
    )
    found = violations(None, TEMPLATE, around=[user], resource=METRIC_TEMPLATES)
    assert "Canary shop/podinfo measures with it" in said("U10", found)[0][1]


@pytest.mark.parametrize("ref", [{"name": "other"}, {"name": "errors", "namespace": "other"}])
def test_a_template_that_nobody_measures_with_goes_silently(ref: dict[str, str]) -> None:
    other = canary({"spec.analysis.metrics": [{"name": "e", "templateRef": ref}]})
    assert violations(None, TEMPLATE, around=[other], resource=METRIC_TEMPLATES) == ()


def test_deleting_an_alert_provider_names_the_canaries_that_send_by_it() -> None:
    user = canary({"spec.analysis.alerts": [{"name": "a", "providerRef": {"name": "on-call"}}]})
    says = "<object>: Forbidden: Canary test/podinfo sends its alerts through it; change that first"
    found = violations(None, PROVIDER, around=[user], resource=ALERT_PROVIDERS)
    assert said("U10", found) == [(WARN, says)]
    other = canary({"spec.analysis.alerts": [{"name": "a", "providerRef": {"name": "off-call"}}]})
    assert violations(None, PROVIDER, around=[other], resource=ALERT_PROVIDERS) == ()
