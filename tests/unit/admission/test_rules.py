"""Every rule refuses what it is about, in these words, and lets the nearest good neighbour through."""

import pytest

from admission.rules import ALERT_PROVIDER_RULES, CANARY_RULES, METRIC_TEMPLATE_RULES
from admission.rules.documentation import documentation
from admission.rules.rule import Options, Rule, Stage
from shared.types.canary import Canary
from tests.unit.admission import (
    change_cases,
    metric_cases,
    provider_cases,
    schema_cases,
    structure_cases,
    target_cases,
)
from tests.unit.admission.rule_cases import DENY, WARN, Case, canary, deployment, rules_of, said, violations

OWN = (
    *(*structure_cases.CASES, *provider_cases.CASES, *change_cases.CASES),
    *(*metric_cases.CASES, *target_cases.CASES),
)
EVERY = (*schema_cases.CASES, *OWN)
FAMILIES = "VPUMO"


@pytest.mark.parametrize("case", EVERY, ids=str)
def test_what_breaks_a_rule_is_said_with_its_field_and_what_to_do(case: Case) -> None:
    assert (case.severity, case.says) in case.refused()


@pytest.mark.parametrize("case", EVERY, ids=str)
def test_the_nearest_good_neighbour_passes(case: Case) -> None:
    assert case.passed() == []


@pytest.mark.parametrize(
    "rule",
    [
        rule
        for rule in CANARY_RULES
        if rule.id[0] in FAMILIES and rule.stage not in (Stage.STATUS, Stage.DELETE)
    ],
    ids=lambda rule: rule.id,
)
def test_each_rule_has_a_case_and_its_documentation_shows_one_word_for_word(rule: Rule[Canary]) -> None:
    says = [case.says for case in OWN if (case.rule, case.severity) == (rule.id, rule.severity)]
    shown = documentation(rule.check)
    assert shown.what.endswith(".") and shown.why.endswith(".")
    assert shown.example in says


@pytest.mark.parametrize(
    "rule",
    [*CANARY_RULES, *METRIC_TEMPLATE_RULES, *ALERT_PROVIDER_RULES],
    ids=lambda rule: f"{rule.id} {rule.check.__name__}",
)
def test_every_rule_is_documented_and_a_warning_fits_a_terminal(rule: Rule[Canary]) -> None:
    shown = documentation(rule.check)
    assert shown.what and shown.why and shown.example
    if rule.severity is WARN:
        assert len(f"{shown.example} ({rule.id})") <= 256, "the API server cuts longer warnings"


def test_the_usual_canary_breaks_no_rule_at_all() -> None:
    assert violations(canary(), around=[deployment(replicas=2)]) == ()


def test_all_violations_are_said_in_one_answer() -> None:
    wrong = canary(
        {
            "spec.provider": "nginx",
            "spec.targetRef.name": "podinfo-primary",
            "spec.analysis.stepWeight": None,
            "spec.analysis.maxWeight": None,
            "spec.analysis.stepWeights": [20, 10, 5],
            "spec.analysis.mirror": True,
            "spec.progressDeadlineSeconds": 5,
        }
    )
    found = violations(wrong, complete=False)
    assert sorted(set(rules_of(found)) - {"M11"}) == ["P02", "P19", "V09", "V18", "V21"]
    assert [each.rule for each in found if each.severity is DENY].count("V09") == 2, "one for each step"


def test_problems_of_the_schema_come_all_at_once_too() -> None:
    wrong = canary({"spec.service.port": 0, "spec.analysis.stepWeight": 120, "spec.canaryAnalysis": {}})
    assert rules_of(violations(wrong)) == ["V03", "V08", "V02"]


def test_of_a_thousand_unknown_fields_the_first_are_told() -> None:
    many = canary({"spec": {**canary()["spec"], **{f"field{number}": 1 for number in range(1000)}}})
    assert rules_of(violations(many, complete=False)) == ["V26"] * 20


@pytest.mark.parametrize("provider", ["traefik", None])
def test_the_default_provider_counts_where_the_canary_names_none(provider: str | None) -> None:
    wrong = canary({"spec.provider": provider})
    found = violations(wrong, around=[deployment(replicas=2)], options=Options(provider="traefik"))
    assert found == ()


def test_break_glass_makes_warnings_of_the_refusals_that_say_so() -> None:
    before = canary({"metadata.annotations": {"pinfeather.dev/break-glass": "moving house"}})
    after = canary(
        {**{"metadata.annotations": before["metadata"]["annotations"]}, "spec.service.name": "shop"}
    )
    assert [severity for severity, _ in said("U01", violations(after, before))] == [WARN]
    wrong = canary({"metadata.annotations": before["metadata"]["annotations"], "spec.provider": "nginx"})
    assert [severity for severity, _ in said("P19", violations(wrong))] == [DENY]


def test_a_threshold_that_takes_longer_than_time_can_tell_is_answered() -> None:
    greatest = {"spec.analysis.interval": "9998h", "spec.analysis.threshold": 2**31 - 1}
    assert "V16" not in rules_of(violations(canary(greatest)))
