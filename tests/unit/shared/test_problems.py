"""What is wrong with an object is said all at once, in the form that Kubernetes uses."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import AppError, InvalidSpec, ProblemReason
from shared.types.alert import parse_alert_provider
from shared.types.canary import parse_canary
from shared.types.meta import Json, Wire
from shared.types.metric import parse_metric_template
from tests.unit.shared.wire_objects import alert_provider, canary, template


def problems(parse: Callable[[Json], Wire], obj: Json) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
        parse(obj)
    texts = [str(problem) for problem in caught.value.problems]
    assert str(caught.value) == "; ".join(texts)
    return texts


@pytest.mark.parametrize(
    ("analysis", "problem"),
    [
        ({"stepWeight": 120}, "spec.analysis.stepWeight: Invalid value: 120: must be between 1 and 100"),
        ({"stepWeight": 0}, "spec.analysis.stepWeight: Invalid value: 0: must be between 1 and 100"),
        ({"stepWeight": 2.5}, "spec.analysis.stepWeight: Invalid value: 2.5: must be a whole number"),
        ({"stepWeight": "5"}, 'spec.analysis.stepWeight: Invalid value: "5": must be a whole number'),
        ({"stepWeight": True}, "spec.analysis.stepWeight: Invalid value: true: must be a whole number"),
        (
            {"stepWeights": [5, 101]},
            "spec.analysis.stepWeights[1]: Invalid value: 101: must be between 1 and 100",
        ),
        ({"stepWeights": []}, "spec.analysis.stepWeights: Required value: must not be empty"),
        ({"stepWeights": [0]}, "spec.analysis.stepWeights[0]: Invalid value: 0: must be between 1 and 100"),
        ({"stepWeights": 5}, "spec.analysis.stepWeights: Invalid value: 5: must be a list"),
        (
            {"stepWeights": list(range(1, 102))},
            "spec.analysis.stepWeights[100]: Invalid value: 101: must be between 1 and 100",
        ),
        ({"maxWeight": 101}, "spec.analysis.maxWeight: Invalid value: 101: must be between 0 and 100"),
        ({"threshold": -1}, "spec.analysis.threshold: Invalid value: -1: must be between 0 and 2147483647"),
        (
            {"interval": "10"},
            'spec.analysis.interval: Invalid value: "10": must be a duration such as 30s, 1m30s or 500ms',
        ),
        (
            {"interval": "1min"},
            'spec.analysis.interval: Invalid value: "1min": must be a duration such as 30s, 1m30s or 500ms',
        ),
        ({"interval": "0s"}, 'spec.analysis.interval: Invalid value: "0s": must be longer than zero'),
        ({"interval": "-1s"}, 'spec.analysis.interval: Invalid value: "-1s": must be longer than zero'),
        ({"interval": 10}, "spec.analysis.interval: Invalid value: 10: must be a string"),
        ({"mirror": "yes"}, 'spec.analysis.mirror: Invalid value: "yes": must be true or false'),
        (
            {"canaryReadyThreshold": 0},
            "spec.analysis.canaryReadyThreshold: Invalid value: 0: must be between 1 and 100",
        ),
        ({"metrics": [{}]}, "spec.analysis.metrics[0].name: Required value"),
        (
            {"metrics": [{"name": "a" * 300}]},
            "spec.analysis.metrics[0].name: Too long: may not be more than 253 characters",
        ),
        ({"metrics": [{"name": ""}]}, "spec.analysis.metrics[0].name: Required value: must not be empty"),
        (
            {"metrics": [{"name": "a"}] * 65},
            "spec.analysis.metrics: Too many: 65: must have at most 64 items",
        ),
        ({"metrics": ["a"]}, 'spec.analysis.metrics[0]: Invalid value: "a": must be an object'),
        (
            {"metrics": [{"name": "a", "thresholdRange": {"min": "99"}}]},
            'spec.analysis.metrics[0].thresholdRange.min: Invalid value: "99": must be a number',
        ),
        (
            {"webhooks": [{"name": "a", "url": "flagger-loadtester.test"}]},
            'spec.analysis.webhooks[0].url: Invalid value: "flagger-loadtester.test":'
            " must be an absolute http or https URL",
        ),
        (
            {"alerts": [{"name": "a", "severity": "loud", "providerRef": {"name": "b"}}]},
            'spec.analysis.alerts[0].severity: Unsupported value: "loud":'
            ' supported values: "error", "info", "warn"',
        ),
        (
            {"iterations": 2, "stepWeight": 5},
            'spec.analysis: Invalid value: "object":'
            " exactly one of iterations, stepWeight and stepWeights must be set",
        ),
        (
            {"match": [{"headers": {"x-user": {}}}]},
            'spec.analysis.match[0].headers.x-user: Invalid value: "object":'
            " exactly one of exact, prefix, suffix and regex must be set",
        ),
    ],
)
def test_each_problem_names_its_field_its_value_and_what_it_should_be(
    analysis: dict[str, Any], problem: str
) -> None:
    usual = {} if analysis.keys() & {"stepWeight", "stepWeights"} else {"stepWeight": 10}
    assert problems(parse_canary, canary(**usual, **analysis)) == [problem]


def test_all_problems_are_said_at_once_in_the_order_of_the_fields() -> None:
    obj = canary(interval="abc", stepWeight=5)
    obj["spec"]["targetRef"]["kind"] = "Pod"
    del obj["spec"]["service"]
    obj["spec"]["progressDeadlineSeconds"] = 0
    assert problems(parse_canary, obj) == [
        'spec.targetRef.kind: Unsupported value: "Pod":'
        ' supported values: "DaemonSet", "Deployment", "Service"',
        "spec.service: Required value",
        'spec.analysis.interval: Invalid value: "abc": must be a duration such as 30s, 1m30s or 500ms',
        "spec.progressDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647",
    ]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("port", 0, "Invalid value: 0: must be between 1 and 65535"),
        ("port", 70000, "Invalid value: 70000: must be between 1 and 65535"),
        (
            "targetPort",
            "Not A Name",
            'Invalid value: "Not A Name": must be a port between 1 and 65535,'
            " or a port name of at most 15 lower case letters",
        ),
        (
            "targetPort",
            True,
            "Invalid value: true: must be a port between 1 and 65535,"
            " or a port name of at most 15 lower case letters",
        ),
        ("name", "a" * 56, "Too long: may not be more than 55 characters"),
        (
            "name",
            "8ball",
            "Invalid value: \"8ball\": must be lower case letters, digits and '-', and start with a letter",
        ),
    ],
)
def test_a_service_that_the_api_server_would_refuse_is_refused(
    field: str, value: object, problem: str
) -> None:
    obj = canary()
    obj["spec"]["service"][field] = value
    assert problems(parse_canary, obj) == [f"spec.service.{field}: {problem}"]


def test_problems_say_which_kind_they_are_for_an_api_status() -> None:
    obj = canary(stepWeight=120, metrics=[{}])
    obj["spec"]["provider"] = "nosuch"
    with pytest.raises(InvalidSpec) as caught:
        parse_canary(obj)
    assert [problem.reason for problem in caught.value.problems] == [
        ProblemReason.UNSUPPORTED,
        ProblemReason.INVALID,
        ProblemReason.REQUIRED,
    ]


def test_long_values_are_cut() -> None:
    (problem,) = problems(parse_canary, canary(stepWeight=10, interval="9" * 500))
    assert len(problem) < 250


def test_an_object_that_is_none_at_all_is_a_problem_too() -> None:
    assert problems(parse_canary, {}) == ["metadata: Required value", "spec: Required value"]


def test_a_template_needs_a_known_provider_and_a_query() -> None:
    obj = template(type="oracle", address="prometheus:9090")
    del obj["spec"]["query"]
    known = '"cloudwatch", "datadog", "dynatrace", "externalmetrics", "graphite", "influxdb", "keptn",'
    assert problems(parse_metric_template, obj) == [
        f'spec.provider.type: Unsupported value: "oracle": supported values: {known}'
        ' "newrelic", "prometheus", "splunk", "stackdriver"',
        'spec.provider.address: Invalid value: "prometheus:9090": must be an absolute http or https URL',
        "spec.query: Required value",
    ]


@pytest.mark.parametrize("spec", [{}, {"address": "http://a", "secretRef": {"name": "b"}}])
def test_an_alert_provider_has_one_address(spec: Json) -> None:
    assert problems(parse_alert_provider, alert_provider(type="slack", **spec)) == [
        'spec: Invalid value: "object": exactly one of address and secretRef must be set'
    ]


def test_an_invalid_spec_can_be_caught_with_all_our_errors() -> None:
    assert issubclass(InvalidSpec, AppError)
