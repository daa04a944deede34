"""For every M rule a Canary that breaks it and its nearest good neighbour."""

from typing import Any

from shared.types.meta import Json
from tests.unit.admission.rule_cases import DENY, WARN, Case, Edits, thing

METRICS = "spec.analysis.metrics"
HOOKS = "spec.analysis.webhooks"
TESTER = "http://flagger-loadtester.test"


def metric(**fields: Any) -> Edits:
    """A Canary with this metric alone; unless it says so itself, a latency of a template, up to 5."""
    usual = {"name": "latency", "templateRef": {"name": "latency"}, "thresholdRange": {"max": 5}}
    given = {**usual, **fields}
    return {METRICS: [{key: value for key, value in given.items() if value is not None}]}


def builtin(name: str, **limits: float) -> Edits:
    """A Canary with this builtin metric alone."""
    return metric(name=name, templateRef=None, thresholdRange=limits)


def template(query: str = "sum(up)", **provider: str) -> Json:
    """MetricTemplate latency."""
    described = {"type": "prometheus", "address": "http://prometheus.test:9090", **provider}
    spec = {"provider": described, "query": query}
    return thing("MetricTemplate", "latency", "flagger.app/v1beta1", spec=spec)


def hook(*hooks: Json) -> Edits:
    """A Canary with these hooks; unless they say so themselves, load tests."""
    usual = {"name": "load-test", "type": "rollout", "url": f"{TESTER}/", "timeout": "5s"}
    return {HOOKS: [{**usual, **each} for each in hooks]}


def alert(name: str) -> Edits:
    """A Canary that alerts by this provider."""
    return {"spec.analysis.alerts": [{"name": "page", "providerRef": {"name": name}}]}


METRIC_CASES = (
    Case(
        "M01",
        DENY,
        metric(templateRef=None),
        f'{METRICS}[0].templateRef: Required value: "latency" is no builtin metric (request-duration, '
        "request-success-rate); name a MetricTemplate",
        metric(),
    ),
    Case(
        "M01",
        DENY,
        builtin("request-success-ratio", min=99),
        f'{METRICS}[0].templateRef: Required value: "request-success-ratio" is no builtin metric '
        "(request-duration, request-success-rate); name a MetricTemplate",
        builtin("request-success-rate", min=99),
    ),
    Case(
        "M02",
        DENY,
        metric(thresholdRange=None),
        f"{METRICS}[0].thresholdRange: Required value: set min or max, or no value passes",
        metric(thresholdRange=None, threshold=5),
    ),
    Case(
        "M02",
        DENY,
        metric(thresholdRange={}, threshold=5),
        f"{METRICS}[0].thresholdRange: Required value: set min or max, or no value passes",
        metric(thresholdRange={"min": 0}),
    ),
    Case(
        "M02",
        DENY,
        metric(thresholdRange={"min": 2.5, "max": 1}),
        f"{METRICS}[0].thresholdRange.min: Invalid value: 2.5: must be at most max (1), or no value passes",
        metric(thresholdRange={"min": 1, "max": 1}),
    ),
    Case(
        "M03",
        DENY,
        builtin("request-success-rate", min=990),
        f"{METRICS}[0].thresholdRange.min: Invalid value: 990: is a percentage; must be between 0 and 100",
        builtin("request-success-rate", min=100),
    ),
    Case(
        "M03",
        DENY,
        metric(name="request-success-rate", templateRef=None, thresholdRange=None, threshold=-1),
        f"{METRICS}[0].threshold: Invalid value: -1: is a percentage; must be between 0 and 100",
        metric(name="request-success-rate", templateRef=None, thresholdRange=None, threshold=0),
    ),
    Case(
        "M03",
        WARN,
        builtin("request-success-rate", max=100),
        f"{METRICS}[0].thresholdRange.min: Required value: with max alone a success rate of 0% passes",
        builtin("request-success-rate", min=99, max=100),
    ),
    Case(
        "M04",
        DENY,
        builtin("request-duration", max=0),
        f"{METRICS}[0].thresholdRange.max: Invalid value: 0: must be greater than 0 milliseconds, or no "
        "value passes",
        builtin("request-duration", max=5),
    ),
    Case(
        "M04",
        WARN,
        builtin("request-duration", max=0.5),
        f"{METRICS}[0].thresholdRange.max: Invalid value: 0.5: is in milliseconds; write 500 if seconds "
        "were meant",
        builtin("request-duration", max=5),
    ),
    Case(
        "M06",
        WARN,
        metric(name="request-duration", templateRef=None, thresholdRange=None, threshold=500),
        f"{METRICS}[0].threshold: Invalid value: 500: is deprecated; use thresholdRange.max",
        builtin("request-duration", max=500),
    ),
    Case(
        "M06",
        WARN,
        metric(threshold=5),
        f"{METRICS}[0].threshold: Invalid value: 5: is not used beside thresholdRange; remove it",
        metric(),
    ),
    Case(
        "M06",
        WARN,
        metric(templateRef=None, query="sum(up)"),
        f'{METRICS}[0].query: Invalid value: "sum(up)": is deprecated; make a MetricTemplate of it and name '
        "that in templateRef",
        metric(),
    ),
    Case(
        "M06",
        WARN,
        metric(query="sum(up)"),
        f'{METRICS}[0].query: Invalid value: "sum(up)": is not used beside templateRef; remove it',
        metric(),
    ),
    Case(
        "M06",
        WARN,
        metric(name="request-duration"),
        f'{METRICS}[0].name: Invalid value: "request-duration": is the name of a builtin metric, but its own '
        "query is asked; rename it",
        metric(name="request-durations"),
    ),
    Case(
        "M06",
        WARN,
        {METRICS: [*metric()[METRICS], *metric()[METRICS]]},
        f'{METRICS}[1].name: Duplicate value: "latency": events do not tell the two apart; rename one of '
        "them",
        {METRICS: [*metric()[METRICS], *metric(name="latency-2")[METRICS]]},
    ),
    Case(
        "M07",
        WARN,
        metric(),
        f'{METRICS}[0].templateRef: Not found: "test/latency": until this MetricTemplate is there, every '
        "check "
        "of the metric fails",
        metric(),
        good_around=[template()],
    ),
    Case(
        "M07",
        DENY,
        metric(),
        f'{METRICS}[0].templateRef: Invalid value: "test/latency": is of provider datadog; this version asks '
        "prometheus",
        metric(),
        around=[template(type="datadog")],
        good_around=[template()],
    ),
    Case(
        "M07",
        DENY,
        metric(),
        f'{METRICS}[0].templateRef: Invalid value: "test/latency": cannot be read: spec.query: Required '
        "value: "
        "must not be empty",
        metric(),
        around=[template("")],
        good_around=[template("1")],
    ),
    Case(
        "M08",
        DENY,
        metric(),
        f'{METRICS}[0].templateVariables: Invalid value: "test/latency": line 1, column 10: variable code is '
        "not set; set templateVariables.code on the metric",
        metric(templateVariables={"code": "5.."}),
        around=[template('sum(x{c="{{ variables.code }}"})')],
    ),
    Case(
        "M08",
        DENY,
        metric(templateVariables={"code": '5.."} or vector(1) #'}),
        f'{METRICS}[0].templateVariables: Invalid value: "test/latency": line 1, column 8: the value of '
        "variables.code may not stand inside \": '5..\"} or vector(1) #'",
        metric(templateVariables={"code": "5..|4.."}),
        around=[template('sum(x{"{{ variables.code }}"})')],
    ),
    Case(
        "M08",
        DENY,
        metric(templateRef=None, query="sum(up[{{ intervall }}])"),
        f'{METRICS}[0].query: Invalid value: "sum(up[{{{{ intervall }}}}])": line 1, column 8: intervall '
        "is not "
        "known; known are ingress, interval, name, namespace, route, service, target, variables.KEY",
        metric(templateRef=None, query="sum(up[{{ interval }}])"),
    ),
    Case(
        "M09",
        DENY,
        metric(templateVariables={"status-code": "5.."}),
        f'{METRICS}[0].templateVariables: Invalid value: "status-code": must be letters, digits and '
        "'_', or no "
        "template can name it",
        metric(templateVariables={"status_code": "5.."}),
    ),
    Case(
        "M09",
        WARN,
        metric(templateVariables={"code": "5.."}),
        f'{METRICS}[0].templateVariables: Invalid value: "code": is not used by the query; remove it, or '
        "check "
        "its name",
        metric(templateVariables={"code": "5.."}),
        around=[template()],
        good_around=[template("sum(x{{ variables.code }})")],
    ),
    Case(
        "M10",
        WARN,
        {METRICS: []},
        f"{METRICS}: Required value: without a metric or a rollout hook nothing but the readiness of its "
        "pods "
        "is asked of a revision",
        {METRICS: [], **hook({})},
    ),
    Case(
        "M11",
        WARN,
        metric(interval="10m"),
        f'{METRICS}[0].interval: Invalid value: "10m": looks back further than the whole analysis takes '
        "(1m40s); shorten it, or raise spec.analysis.interval",
        metric(interval="100s"),
    ),
    Case(
        "M21",
        DENY,
        {"spec.metricsServer": "http://prometheus:99090"},
        'spec.metricsServer: Invalid value: "http://prometheus:99090": cannot be read as a URL; check '
        "host and "
        "port",
        {"spec.metricsServer": "http://prometheus:9090"},
    ),
)

HOOK_CASES = (
    Case(
        "M13",
        WARN,
        alert("on-call"),
        'spec.analysis.alerts[0].providerRef: Not found: "test/on-call": until this AlertProvider is '
        "there, the "
        "alert is not sent",
        alert("on-call"),
        good_around=[thing("AlertProvider", "on-call", "flagger.app/v1beta1")],
    ),
    Case(
        "M14",
        DENY,
        hook({"url": "http://gate.test:99090/"}),
        f'{HOOKS}[0].url: Invalid value: "http://gate.test:99090/": cannot be read as a URL; check host '
        "and port",
        hook({"url": "http://gate.test:9090/"}),
    ),
    Case(
        "M14",
        DENY,
        hook({"url": "http://[::1/"}),
        f'{HOOKS}[0].url: Invalid value: "http://[::1/": cannot be read as a URL; check host and port',
        hook({"url": "https://[::1]/"}),
    ),
    Case(
        "M14",
        WARN,
        hook({"url": "http://gate.ci/check"}),
        f'{HOOKS}[0].url: Invalid value: "http://gate.ci/check": leaves namespace test in clear text; use '
        "https",
        hook({"url": "https://gate.ci/check"}),
    ),
    Case(
        "M14",
        WARN,
        hook({"url": "http://gate.example.com/"}),
        f'{HOOKS}[0].url: Invalid value: "http://gate.example.com/": leaves namespace test in clear text; '
        "use "
        "https",
        hook({"url": "http://gate.test.svc.cluster.local/"}),
    ),
    Case(
        "M14",
        WARN,
        hook({"url": "http://gate/check"}),
        f'{HOOKS}[0].url: Invalid value: "http://gate/check": is looked up in the controller\'s '
        "namespace; write "
        "gate.test for the Canary's own",
        hook({"url": "http://gate.test/check"}),
    ),
    Case(
        "M16",
        WARN,
        hook({"timeout": "10s", "retries": 3}),
        'spec.analysis.interval: Invalid value: "10s": the hooks of a round can take 40s, and the next one '
        "waits for them; shorten their timeout, or raise the interval",
        hook({"timeout": "3s", "retries": 2}, {"name": "before", "type": "pre-rollout", "timeout": "1m"}),
    ),
    Case(
        "M17",
        WARN,
        hook({"url": "https://gate.test/", "disableTLS": True}),
        f"{HOOKS}[0].disableTLS: Invalid value: true: anybody on the way can answer for the receiver; "
        "give it a "
        "certificate that the controller trusts",
        hook({"url": "https://gate.test/", "disableTLS": False}),
    ),
    Case(
        "M17",
        WARN,
        hook({"metadata": {"apiToken": "x"}}),
        f'{HOOKS}[0].metadata: Invalid value: "apiToken": looks like a secret, which everybody who may '
        "read the "
        "Canary sees; let the receiver keep it",
        hook({"metadata": {"cmd": "hey -z 1m http://podinfo-canary.test/token"}}),
    ),
    Case(
        "M17",
        WARN,
        hook({"url": "https://kim:hunter2@gate.test/check"}),
        f'{HOOKS}[0].url: Invalid value: "https://gate.test/": its user and password: looks like a '
        "secret, which "
        "everybody who may read the Canary sees; let the receiver keep it",
        hook({"url": "https://gate.test/kim@check"}),
    ),
    Case(
        "M18",
        WARN,
        hook({}, {}),
        f'{HOOKS}[1].name: Duplicate value: "load-test": events do not tell the two apart; rename one of '
        "them",
        hook({}, {"name": "load-test-2"}),
    ),
    Case(
        "M18",
        WARN,
        hook(
            {"name": "start", "type": "confirm-rollout", "url": "http://tester.test/gate/check"},
            {"name": "end", "type": "confirm-promotion", "url": "http://tester.test/gate/check"},
        ),
        f'{HOOKS}[1].url: Duplicate value: "http://tester.test/gate/check": is the gate of '
        "confirm-rollout hook "
        "start too, and both open at once; ask another receiver",
        hook(
            {"name": "start", "type": "confirm-rollout", "url": "http://tester.test/gate/check"},
            {"name": "end", "type": "confirm-promotion", "url": "http://other.test/gate/check"},
        ),
    ),
)

CASES = (*METRIC_CASES, *HOOK_CASES)
