"""The ids of what the schema refuses: bounds, types and required fields, which the models hold.

The API server refuses most of it before it asks a webhook, by the CRDs that are made of the same models.
Offline, and with an older CRD, `admission.check` finds it. Apart because no rule runs here: the field alone
says what a problem is about.
"""

import re
from dataclasses import dataclass

from shared.errors import Problem, ProblemReason
from shared.resources import ALERT_PROVIDERS, CANARIES, METRIC_TEMPLATES, Resource


@dataclass(frozen=True, slots=True)
class SchemaRule:
    """Problems of some fields, under one id."""

    id: str
    resource: Resource
    fields: str
    """A regular expression for the whole path; list indexes are left out of it."""
    what: str
    """What the schema asks for."""


NUMBERS = SchemaRule("V01", CANARIES, ".*", "a value of its type; whole numbers have no fraction")

SCHEMA_RULES = (
    SchemaRule("V02", CANARIES, "spec|spec.analysis", "spec.analysis is there"),
    SchemaRule("V03", CANARIES, "spec.service|spec.service.port", "service.port is there, 1 to 65535"),
    SchemaRule("V04", CANARIES, "spec.service.targetPort", "a port, or a port name of at most 15 characters"),
    SchemaRule("V05", CANARIES, "spec.service.portName", "a DNS label of at most 63 characters"),
    SchemaRule("V06", CANARIES, "spec.analysis.interval", "the whole text is a duration, longer than zero"),
    SchemaRule("V08", CANARIES, "spec.analysis.stepWeight", "1 to 100"),
    SchemaRule("V09", CANARIES, "spec.analysis.stepWeights", "not empty, each 1 to 100"),
    SchemaRule("V10", CANARIES, "spec.analysis.maxWeight", "0 to 100; 0 means 100"),
    SchemaRule("V13", CANARIES, "spec.analysis.stepWeightPromotion", "0 to 100"),
    SchemaRule("V14", CANARIES, "spec.analysis.iterations", "1 to 10000"),
    SchemaRule("V15", CANARIES, "spec.analysis.threshold", "not negative"),
    SchemaRule("V17", CANARIES, "spec.analysis.(primary|canary)ReadyThreshold", "1 to 100"),
    SchemaRule("V18", CANARIES, "spec.progressDeadlineSeconds", "at least 1"),
    SchemaRule("V19", CANARIES, "spec.analysis.mirrorWeight", "0 to 100"),
    SchemaRule("V20", CANARIES, "metadata.*|spec.service.name", "a name that leaves room for -primary"),
    SchemaRule(
        "V23", CANARIES, "spec.analysis.sessionAffinity.*", "cookieName is there, maxAge not negative"
    ),
    SchemaRule("P19", CANARIES, "spec.provider", "one of Flagger's providers"),
    SchemaRule("M02", CANARIES, "spec.analysis.metrics.threshold.*", "numbers"),
    SchemaRule("M05", CANARIES, "spec.analysis.metrics.interval", "a duration, longer than zero"),
    SchemaRule("M09", CANARIES, "spec.analysis.metrics.templateVariables.*", "at most 64 texts"),
    SchemaRule(
        "M01", CANARIES, "spec.analysis.metrics.*", "a name, and references and queries that are none empty"
    ),
    SchemaRule("M13", CANARIES, "spec.analysis.alerts.*", "a name, a provider and a severity that there is"),
    SchemaRule("M14", CANARIES, "spec.analysis.webhooks.url", "an absolute http or https URL"),
    SchemaRule(
        "M15",
        CANARIES,
        "spec.analysis.webhooks.*",
        "a name, a type that there is, a duration, 0 to 10 retries",
    ),
    SchemaRule("M21", CANARIES, "spec.metricsServer", "an absolute http or https URL"),
    SchemaRule("O11", CANARIES, "spec.autoscalerRef.primaryScalerReplicas.*", "at least 1"),
    SchemaRule("T01", METRIC_TEMPLATES, ".*", "a provider that there is, an address that is a URL, a query"),
    SchemaRule(
        "A01", ALERT_PROVIDERS, ".*", "a type that there is, and exactly one of address and secretRef"
    ),
)
"""In order: the first that matches counts."""

STRATEGY = SchemaRule(
    "V07", CANARIES, "spec.analysis", "exactly one of iterations, stepWeight and stepWeights is there"
)

_INDEX = re.compile(r"\[\d+\]")


def rule_of(resource: Resource, problem: Problem) -> str:
    """The id under which a problem of the schema is refused."""
    if resource == CANARIES and problem.reason is ProblemReason.WRONG_TYPE:
        return NUMBERS.id
    if resource == CANARIES and problem.field == STRATEGY.fields and problem.reason is ProblemReason.INVALID:
        return STRATEGY.id
    path = _INDEX.sub("", problem.field)
    for rule in SCHEMA_RULES:
        if rule.resource == resource and re.fullmatch(rule.fields, path):
            return rule.id
    return NUMBERS.id
