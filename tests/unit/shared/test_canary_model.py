"""What a Canary means: Flagger's defaults and the facts that follow from the spec."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from shared.types.canary import (
    AlertSeverity,
    Canary,
    CanaryStatus,
    HookType,
    Phase,
    Provider,
    Strategy,
    parse_canary,
)
from tests.unit.shared.wire_objects import canary, seed_objects


def parsed(**analysis: object) -> Canary:
    return parse_canary(canary(**analysis))


def test_the_canary_of_the_guide_means_what_the_guide_says() -> None:
    (obj,) = seed_objects("Canary")
    spec = parse_canary(obj).spec
    assert spec.provider is Provider.TRAEFIK
    assert spec.progress_deadline_seconds == 60
    assert spec.service.effective_target_port == 9898
    assert spec.analysis.interval == timedelta(seconds=10)
    assert spec.analysis.effective_threshold == 10
    assert spec.analysis.steps == (5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
    assert [metric.name for metric in spec.analysis.metrics] == ["request-success-rate", "request-duration"]
    assert [hook.type for hook in spec.analysis.webhooks] == [HookType.PRE_ROLLOUT, HookType.ROLLOUT]
    assert spec.analysis.webhooks[1].metadata["logCmdOutput"] == "true"


def test_what_is_not_said_is_as_flagger_documents_it() -> None:
    spec = parsed(
        stepWeight=50, metrics=[{"name": "latency"}], webhooks=[{"name": "a", "url": "http://a"}]
    ).spec
    assert spec.apex_name == "podinfo"
    assert (spec.primary_service_name, spec.canary_service_name) == ("podinfo-primary", "podinfo-canary")
    assert spec.service.effective_target_port == 80
    assert spec.service.port_name == "http"
    assert spec.progress_deadline_seconds == 600
    assert spec.analysis.interval_seconds == 60
    assert spec.analysis.effective_threshold == 1
    assert spec.analysis.primary_ready_threshold == spec.analysis.canary_ready_threshold == 100
    assert spec.analysis.steps == (50, 100)
    assert spec.analysis.metrics[0].interval == timedelta(minutes=1)
    assert spec.analysis.webhooks[0].type is HookType.ROLLOUT
    assert spec.analysis.webhooks[0].timeout == timedelta(seconds=10)
    assert spec.analysis.webhooks[0].retries == 0


@pytest.mark.parametrize(
    ("analysis", "steps"),
    [
        ({"stepWeight": 20, "maxWeight": 60}, (20, 40, 60)),
        ({"stepWeight": 20, "maxWeight": 50}, (20, 40, 50)),
        ({"stepWeight": 60, "maxWeight": 50}, (50,)),
        ({"stepWeight": 100}, (100,)),
        ({"stepWeight": 40, "maxWeight": 0}, (40, 80, 100)),
        ({"stepWeights": [1, 2, 10, 80]}, (1, 2, 10, 80)),
        ({"stepWeights": [1, 80], "maxWeight": 50}, (1, 80)),
        ({"iterations": 5}, ()),
    ],
)
def test_steps_end_at_the_greatest_weight_and_never_go_beyond_it(
    analysis: dict[str, object], steps: tuple[int, ...]
) -> None:
    assert parsed(**analysis).spec.analysis.steps == steps


@pytest.mark.parametrize(
    ("analysis", "strategy"),
    [
        ({"stepWeight": 10}, Strategy.CANARY),
        ({"stepWeights": [10]}, Strategy.CANARY),
        ({"stepWeight": 10, "match": [{"headers": {"x": {"exact": "y"}}}]}, Strategy.CANARY),
        ({"iterations": 10}, Strategy.BLUE_GREEN),
        ({"iterations": 10, "match": [{"headers": {"x": {"exact": "y"}}}]}, Strategy.AB_TESTING),
    ],
)
def test_the_strategy_follows_from_iterations_and_match(
    analysis: dict[str, object], strategy: Strategy
) -> None:
    assert parsed(**analysis).spec.analysis.strategy is strategy


@pytest.mark.parametrize("interval", ["5s", "500ms", "1h30m"])
def test_the_interval_is_taken_as_written(interval: str) -> None:
    analysis = parsed(stepWeight=10, interval=interval).spec.analysis
    assert analysis.dump()["interval"] == interval


def test_a_threshold_of_zero_stops_at_the_first_failure() -> None:
    assert parsed(stepWeight=10, threshold=0).spec.analysis.effective_threshold == 1


def test_hooks_and_alerts_of_no_type_are_of_the_usual_one() -> None:
    analysis = parsed(
        stepWeight=10,
        webhooks=[{"name": "a", "type": "", "url": "http://a"}],
        alerts=[{"name": "a", "severity": "", "providerRef": {"name": "b"}}],
    ).spec.analysis
    assert analysis.has_hook(HookType.ROLLOUT)
    assert not analysis.has_hook(HookType.PRE_ROLLOUT)
    assert analysis.alerts[0].severity is AlertSeverity.INFO


@pytest.mark.parametrize("port", [0, "0"])
def test_a_target_port_of_zero_counts_as_none(port: object) -> None:
    obj = canary()
    obj["spec"]["service"]["targetPort"] = port
    assert parse_canary(obj).spec.service.effective_target_port == 80


def test_the_apex_is_named_as_the_service_when_that_has_a_name() -> None:
    obj = canary()
    obj["spec"]["service"]["name"] = "shop"
    assert parse_canary(obj).spec.apex_name == "shop"


def test_fields_for_other_routers_are_taken_as_they_come() -> None:
    obj = canary()
    obj["spec"]["service"]["trafficPolicy"] = {"tls": {"mode": "ISTIO_MUTUAL"}}
    obj["spec"]["service"]["gatewayRefs"] = [{"name": "gateway", "namespace": "istio-ingress"}]
    service = parse_canary(obj).spec.service
    assert service.traffic_policy == {"tls": {"mode": "ISTIO_MUTUAL"}}
    assert service.gateway_refs == ({"name": "gateway", "namespace": "istio-ingress"},)


def test_fields_of_a_newer_schema_are_left_out() -> None:
    obj = canary()
    obj["spec"]["shape"] = "round"
    assert "shape" not in parse_canary(obj).spec.dump()


def test_a_canary_cannot_be_changed_once_parsed() -> None:
    spec = parsed(stepWeight=10).spec
    with pytest.raises(ValidationError, match="frozen"):
        spec.suspend = True  # type: ignore[misc]  # what the test is about


def test_a_new_canary_has_a_status_of_its_own() -> None:
    status = parsed(stepWeight=10).status
    assert (status.phase, status.canary_weight, status.conditions) == (Phase.NONE, 0, ())


def test_the_status_is_written_as_flagger_writes_it() -> None:
    moment = datetime(2026, 1, 1, 12, 0, 0, 999999, tzinfo=UTC)
    status = CanaryStatus(phase=Phase.WAITING_PROMOTION, canary_weight=5, last_transition_time=moment)
    dumped = status.dump()
    assert dumped["phase"] == "WaitingPromotion"
    assert dumped["canaryWeight"] == 5
    assert dumped["failedChecks"] == 0
    assert dumped["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert "observedGeneration" not in dumped


def test_a_status_that_flagger_left_is_read() -> None:
    obj = canary()
    obj["status"] = {
        "phase": "WaitingPromotion",
        "iterations": -1,
        "trackedConfigs": {"configmap/a": "0123456789abcdef"},
    }
    assert parse_canary(obj).status.iterations == -1
