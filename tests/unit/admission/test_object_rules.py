"""Rules of MetricTemplates and AlertProviders, and what a user has to be allowed himself."""

from collections.abc import Collection
from typing import Any

import pytest

from admission import check
from admission.request import Operation, User
from admission.rules import ALERT_PROVIDER_RULES, CANARY_RULES, KINDS, METRIC_TEMPLATE_RULES
from admission.rules.access import canary_access
from admission.rules.documentation import documentation
from admission.rules.rule import Change, Rule
from admission.rules.templates import query_can_be_read
from shared.resources import ALERT_PROVIDERS, CANARIES, METRIC_TEMPLATES, Resource
from shared.types.meta import Json
from tests.unit.admission.metric_cases import template
from tests.unit.admission.rule_cases import DENY, WARN, Around, canary, edited, said, thing, violations

A = "spec.provider.address"
TEMPLATES = [
    (
        *("T01", DENY, {"spec.provider.type": "datadog"}),
        'spec.provider.type: Unsupported value: "datadog": supported values: "prometheus"',
        {"spec.provider.type": "prometheus"},
    ),
    (
        *("T01", DENY, {A: None}),
        f"{A}: Required value: the URL of the Prometheus server",
        {A: "http://prometheus"},
    ),
    (
        *("T01", DENY, {A: "http://prometheus:99090"}),
        f'{A}: Invalid value: "http://prometheus:99090": cannot be read as a URL; check host and port',
        {A: "http://prometheus:9090"},
    ),
    (
        "T01",
        WARN,
        {"spec.provider.headers": {"Authorization": ["Bearer x"]}, "spec.provider.secretRef": {"name": "s"}},
        'spec.provider.headers: Invalid value: "Authorization": is not sent when the Secret of secretRef has '
        "credentials; remove it",
        {"spec.provider.headers": {"Authorization": ["Bearer x"]}},
    ),
    (
        *("T03", WARN, {"spec.query": "rate(errors_total[1m])"}),
        'spec.query: Invalid value: "rate(errors_total[1m])": can give several series, and then the check '
        "fails; aggregate it, for example with sum()",
        {"spec.query": "sum(rate(errors_total[1m]))"},
    ),
    (
        *("T03", WARN, {"spec.query": 'up{job="sum"} # sum'}),
        'spec.query: Invalid value: "up{job=\\"sum\\"} # sum": can give several series, and then the check '
        "fails; aggregate it, for example with sum()",
        {"spec.query": 'scalar(up{job="{{ target }}"})'},
    ),
    (
        *("T03", WARN, {"spec.query": "sum by (pod) (up)"}),
        'spec.query: Invalid value: "sum by (pod) (up)": can give several series, and then the check fails; '
        "aggregate it, for example with sum()",
        {"spec.query": "histogram_quantile(0.99, sum by (le) (rate(x_bucket[1m])))"},
    ),
    (
        *("T04", WARN, {"spec.provider.insecureSkipVerify": True}),
        "spec.provider.insecureSkipVerify: Invalid value: true: anybody on the way can answer for the server "
        "and read the credentials; give it a certificate that the controller trusts",
        {"spec.provider.insecureSkipVerify": False},
    ),
    (
        *("M08", DENY, {"spec.query": 'up{x="{{ pod }}"}'}),
        'spec.query: Invalid value: "up{x=\\"{{ pod }}\\"}": line 1, column 7: pod is not known; known '
        "are ingress, interval, name, namespace, route, service, target, variables.KEY",
        {"spec.query": 'sum(up{x="{{ variables.pod }}"})'},
    ),
]
PROVIDERS = [
    (
        *("A01", DENY, {"spec.address": "https://hooks.example.com:99090/"}),
        'spec.address: Invalid value: "https://hooks.example.com:99090/": cannot be read as a URL; check '
        "host "
        "and port",
        {"spec.address": "https://hooks.example.com:9090/"},
    ),
    (
        *("A01", DENY, {"spec.proxy": "http://[::1"}),
        'spec.proxy: Invalid value: "http://[::1": cannot be read as a URL; check host and port',
        {"spec.proxy": "http://[::1]"},
    ),
]


def slack() -> Json:
    """An AlertProvider."""
    spec = {"type": "slack", "address": "https://hooks.example.com/"}
    return thing("AlertProvider", "slack", "flagger.app/v1beta1", spec=spec)


@pytest.mark.parametrize(("rule", "severity", "bad", "says", "good"), TEMPLATES)
def test_metric_templates(rule: str, severity: str, bad: Json, says: str, good: Json) -> None:
    broken = violations(edited(template(), bad), resource=METRIC_TEMPLATES)
    assert (severity, says) in said(rule, broken)
    assert said(rule, violations(edited(template(), good), resource=METRIC_TEMPLATES)) == []


@pytest.mark.parametrize(("rule", "severity", "bad", "says", "good"), PROVIDERS)
def test_alert_providers(rule: str, severity: str, bad: Json, says: str, good: Json) -> None:
    assert (severity, says) in said(rule, violations(edited(slack(), bad), resource=ALERT_PROVIDERS))
    passed = said(rule, violations(edited(slack(), good), resource=ALERT_PROVIDERS))
    assert [each for each in passed if each[0] is DENY] == []


def test_nobody_waits_for_alerts_that_are_not_sent() -> None:
    assert said("A01", violations(slack(), resource=ALERT_PROVIDERS)) == [(WARN, NOT_SENT)]


NOT_SENT = 'spec.type: Invalid value: "slack": this version sends no alerts there; watch the Canary\'s events'
NOT_PATCHED = (
    'spec.targetRef.name: Forbidden: user "jane" may not patch deployments.apps "podinfo" in namespace '
    '"test", '
    "which the Canary would do in their place; ask for that right, or let somebody with it apply the Canary"
)
NOT_READ = (
    'spec.provider.secretRef.name: Forbidden: user "jane" may not get secrets "prometheus" in namespace '
    '"test", '
    "which the MetricTemplate would do in their place; ask for that right, or let somebody with it apply the "
    "MetricTemplate"
)
NOT_USED = (
    'spec.secretRef.name: Forbidden: user "jane" may not get secrets "slack" in namespace "test", which the '
    "AlertProvider would do in their place; ask for that right, or let somebody with it apply the "
    "AlertProvider"
)


@pytest.mark.parametrize(
    "query", ['"' * 16384, '"' + '\\"' * 8191, "{{" * 8192, "`" * 16383, "x" + " " * 16383, "#" * 16384]
)
def test_hostile_queries_of_the_longest_size_are_read_in_one_go(query: str) -> None:
    assert said("T03", violations(edited(template(), {"spec.query": query}), resource=METRIC_TEMPLATES))


class Denying(Around):
    """A Lookup for a user who may not do some things, each said as in `kubectl auth can-i`."""

    def __init__(self, denied: Collection[str]) -> None:
        super().__init__()
        self._denied = denied

    def allowed(self, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        said = " ".join(filter(None, (verb, f"{resource.plural}.{resource.group}".rstrip("."), name)))
        return said not in self._denied


def refused(resource: Resource, new: Json, old: Json | None, denied: Collection[str]) -> list[str]:
    """What rule C01 says to a user of these missing rights."""
    (kind,) = (kind for kind in KINDS if kind.resource == resource)
    operation = Operation.CREATE if old is None else Operation.UPDATE
    change: Change[Any] = Change(operation, None, None, new, old, User("jane"))
    return [text for _, text in said("C01", check.check(check.read(kind, change), Denying(denied)))]


SCALED = {
    "spec.autoscalerRef": {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "name": "podinfo",
    }
}
RIGHTS = [
    ("spec.targetRef.name", "patch deployments.apps podinfo"),
    ("spec.targetRef.name", "patch deployments.apps podinfo-primary"),
    ("spec.targetRef.name", "create deployments.apps"),
    ("spec.service.name", "patch services podinfo"),
    ("spec.service.name", "patch services podinfo-primary"),
    ("spec.service.name", "patch services podinfo-canary"),
    ("spec.service.name", "create services"),
    ("spec.service.name", "patch traefikservices.traefik.io podinfo"),
    ("spec.service.name", "create traefikservices.traefik.io"),
    ("spec.autoscalerRef.name", "patch horizontalpodautoscalers.autoscaling podinfo-primary"),
    ("spec.autoscalerRef.name", "create horizontalpodautoscalers.autoscaling"),
]


@pytest.mark.parametrize(("field", "right"), RIGHTS)
def test_who_lacks_a_right_gets_no_canary_that_uses_it_for_him(field: str, right: str) -> None:
    verb, plural, *name = right.split()
    what = f'{verb} {plural} "{name[0]}"' if name else f"{verb} {plural}"
    assert refused(CANARIES, canary(SCALED), None, [right]) == [
        f'{field}: Forbidden: user "jane" may not {what} in namespace "test", which the Canary would do '
        "in their "
        "place; ask for that right, or let somebody with it apply the Canary"
    ]


def test_other_missing_rights_do_not_matter() -> None:
    others = ["delete deployments.apps podinfo", "patch deployments.apps shop", "get secrets podinfo"]
    assert refused(CANARIES, canary(SCALED), None, others) == []


def test_every_missing_right_is_said() -> None:
    every = [right for _, right in RIGHTS]
    assert len(refused(CANARIES, canary(SCALED), None, every)) == len(RIGHTS)


@pytest.mark.parametrize(
    "edits",
    [
        {"spec.targetRef.name": "shop"},
        {"spec.service.port": 8080},
        {"spec.provider": None},
        SCALED,
    ],
    ids=str,
)
def test_a_canary_that_is_put_on_something_else_is_asked_about_again(edits: Json) -> None:
    assert refused(CANARIES, canary(edits), canary(), ["create services"])


@pytest.mark.parametrize("edits", [{"spec.analysis.stepWeight": 10}, {"spec.suspend": True}], ids=str)
def test_a_canary_that_stays_on_what_it_is_is_not(edits: Json) -> None:
    assert (
        refused(CANARIES, canary(edits), canary(), ["create services", *(right for _, right in RIGHTS)]) == []
    )


def test_who_may_not_read_a_secret_cannot_have_it_sent_to_an_address() -> None:
    new = edited(template(), {"spec.provider.secretRef": {"name": "prometheus"}})
    denied = ["get secrets prometheus"]
    assert refused(METRIC_TEMPLATES, new, None, denied) == [NOT_READ]
    assert refused(METRIC_TEMPLATES, edited(new, {A: "http://other"}), new, denied) == [NOT_READ]
    assert refused(METRIC_TEMPLATES, edited(new, {"spec.query": "sum(up)"}), new, denied) == []
    assert refused(METRIC_TEMPLATES, new, None, ["get secrets other"]) == []


def test_an_alert_providers_secret_is_asked_about_too() -> None:
    new = edited(slack(), {"spec.address": None, "spec.secretRef": {"name": "slack"}})
    assert refused(ALERT_PROVIDERS, new, None, ["get secrets slack"]) == [NOT_USED]
    assert refused(ALERT_PROVIDERS, new, None, ["get secrets other"]) == []


def test_files_are_checked_for_nobody() -> None:
    (kind,) = (kind for kind in KINDS if kind.resource == CANARIES)
    change: Change[Any] = Change(Operation.CREATE, None, None, canary(), None, None)
    found = check.check(check.read(kind, change), Around(complete=False))
    assert said("C01", found) == []
    assert list(canary_access(check.read(kind, change).change))


EVERY_RULE: list[Rule[Any]] = [*METRIC_TEMPLATE_RULES, *ALERT_PROVIDER_RULES, *CANARY_RULES]
EXAMPLES = {*(case[3] for case in (*TEMPLATES, *PROVIDERS)), NOT_SENT, NOT_PATCHED, NOT_READ, NOT_USED}


@pytest.mark.parametrize(
    "rule",
    [
        rule
        for rule in EVERY_RULE
        if rule.id in ("T01", "T03", "T04", "A01", "C01") or rule.check is query_can_be_read
    ],
    ids=lambda rule: f"{rule.id} {rule.check.__name__}",
)
def test_the_documentation_shows_one_violation_word_for_word(rule: Rule[Any]) -> None:
    assert documentation(rule.check).example in EXAMPLES
