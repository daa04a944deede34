"""No id is lost: each is a rule, what the schema refuses, or has a reason why it is neither."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from admission.rules import ALERT_PROVIDER_RULES, CANARY_RULES, KINDS, METRIC_TEMPLATE_RULES
from admission.rules.__main__ import main
from admission.rules.documentation import render
from admission.rules.rule import Kind, Rule
from admission.rules.schema import NUMBERS, SCHEMA_RULES, STRATEGY, rule_of
from admission.rules.unused import ELSEWHERE, UNUSED
from shared.errors import Problem, ProblemReason
from shared.resources import ALERT_PROVIDERS, CANARIES, METRIC_TEMPLATES

KNOWN = [
    *(f"V{number:02}" for number in range(1, 27)),
    *(f"P{number:02}" for number in range(1, 20)),
    *(f"M{number:02}" for number in range(1, 22)),
    *(f"T{number:02}" for number in range(1, 5)),
    *(f"O{number:02}" for number in range(1, 17)),
    *(f"U{number:02}" for number in range(1, 12)),
    *("A01", "C01"),
]
"""The ids that there are for the Canary in itself, its router, and changes of it."""
RULES: list[Rule[Any]] = [*CANARY_RULES, *METRIC_TEMPLATE_RULES, *ALERT_PROVIDER_RULES]
IN_TABLES = {rule.id for rule in RULES}
IN_SCHEMA = {rule.id for rule in (NUMBERS, STRATEGY, *SCHEMA_RULES)}
PAGE = Path(__file__).parents[3] / "docs/rules.md"


@pytest.mark.parametrize("rule", KNOWN)
def test_each_id_is_accounted_for(rule: str) -> None:
    assert rule in IN_TABLES | IN_SCHEMA | ELSEWHERE.keys() | UNUSED.keys()


def test_an_id_without_a_rule_has_none() -> None:
    assert not UNUSED.keys() & (IN_TABLES | IN_SCHEMA)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.kind)
def test_no_rule_is_listed_twice(kind: Kind[Any]) -> None:
    for one, other in itertools.combinations(kind.rules, 2):
        assert (one.id, one.severity) != (other.id, other.severity) or one.check is not other.check


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("spec.service", "V03"),
        ("spec.service.timeout", "V01"),
        ("spec.analysis.stepWeights[3]", "V09"),
        ("spec.analysis.metrics[0].interval", "M05"),
        ("spec.analysis.metrics[2].thresholdRange.min", "M02"),
        ("spec.analysis.webhooks[0].retries", "M15"),
        ("spec.analysis.webhooks[0].url", "M14"),
        ("spec.analysis.alerts[1].providerRef.name", "M13"),
        ("metadata.name", "V20"),
        ("spec.targetRef.kind", "V01"),
    ],
)
def test_what_the_schema_refuses_has_the_id_of_its_field(field: str, rule: str) -> None:
    assert rule_of(CANARIES, Problem(field, ProblemReason.REQUIRED, "")) == rule


def test_templates_and_providers_have_one_id_for_their_schema() -> None:
    assert rule_of(METRIC_TEMPLATES, Problem("spec.query", ProblemReason.REQUIRED, "")) == "T01"
    assert rule_of(ALERT_PROVIDERS, Problem("spec", ProblemReason.INVALID, "")) == "A01"


def test_the_page_names_every_id() -> None:
    page = render()
    assert all(f"**{rule}**" in page or f"| {rule} |" in page for rule in IN_TABLES | IN_SCHEMA | {*UNUSED})


def test_the_page_is_written_and_then_found_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "rules.md"
    monkeypatch.setattr("sys.argv", ["rules", "--check", str(page)])
    assert main() == 1
    assert "is out of date: run python -m admission.rules" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["rules", str(page)])
    assert main() == 0
    monkeypatch.setattr("sys.argv", ["rules", "--check", str(page)])
    assert main() == 0


def test_the_page_in_docs_is_that_of_the_rules() -> None:
    assert PAGE.read_text("utf-8") == render(), "run make rules"
