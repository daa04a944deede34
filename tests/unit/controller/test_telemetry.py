"""The controller's own metrics, by Flagger's names."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from controller.decision import Decision
from controller.telemetry import Telemetry
from shared.types.canary import Canary, Phase
from tests.builders import canary

KEY = ("test", "podinfo")
NAMES = {"name": "podinfo", "namespace": "test"}
OUTCOME = {**NAMES, "deployment_strategy": "canary", "analysis_status": "completed"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def telemetry(registry: CollectorRegistry) -> Telemetry:
    return Telemetry("traefik", registry)


def decided(telemetry: Telemetry, old: Canary, new: Canary) -> None:
    telemetry.decided(old, Decision(new.status, "Because"))


def series(registry: CollectorRegistry) -> Iterator[str]:
    for family in registry.collect():
        for sample in family.samples:
            if "namespace" in sample.labels and sample.name != "flagger_canary_total":
                yield sample.name


def test_the_process_says_what_it_is(registry: CollectorRegistry, telemetry: Telemetry) -> None:
    (info,) = (family for family in registry.collect() if family.name == "flagger_info")
    assert info.samples[0].labels["mesh_provider"] == "traefik"
    assert info.samples[0].value == 1


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        (Phase.PROGRESSING, 0),
        (Phase.FAILED, 2),
        (Phase.SUCCEEDED, 1),
        (Phase.WAITING, 1),
        (Phase.INITIALIZING, 1),
    ],
)
def test_status_is_zero_two_or_one(
    registry: CollectorRegistry, telemetry: Telemetry, phase: Phase, status: int
) -> None:
    decided(telemetry, canary(phase), canary(phase))
    assert registry.get_sample_value("flagger_canary_status", NAMES) == status


def test_weights_are_told_by_workload(registry: CollectorRegistry, telemetry: Telemetry) -> None:
    now = canary(Phase.PROGRESSING, status={"canaryWeight": 20})
    decided(telemetry, now, now)
    for workload, weight in (("podinfo", 20), ("podinfo-primary", 80)):
        labels = {"workload": workload, "namespace": "test"}
        assert registry.get_sample_value("flagger_canary_weight", labels) == weight


def test_a_promotion_counts_once(registry: CollectorRegistry, telemetry: Telemetry) -> None:
    decided(telemetry, canary(Phase.FINALISING), canary(Phase.SUCCEEDED))
    decided(telemetry, canary(Phase.SUCCEEDED), canary(Phase.SUCCEEDED))
    assert registry.get_sample_value("flagger_canary_successes_total", OUTCOME) == 1


def test_a_skipped_analysis_is_told_apart(registry: CollectorRegistry, telemetry: Telemetry) -> None:
    decided(telemetry, canary(Phase.FINALISING, skipAnalysis=True), canary(Phase.SUCCEEDED))
    labels = {**OUTCOME, "analysis_status": "skipped"}
    assert registry.get_sample_value("flagger_canary_successes_total", labels) == 1


def test_a_revision_that_was_taken_back_is_neither_success_nor_failure(
    registry: CollectorRegistry, telemetry: Telemetry
) -> None:
    decided(telemetry, canary(Phase.PROGRESSING), canary(Phase.SUCCEEDED))
    assert registry.get_sample_value("flagger_canary_successes_total", OUTCOME) is None
    assert registry.get_sample_value("flagger_canary_failures_total", OUTCOME) is None


def test_a_rollback_counts_once(registry: CollectorRegistry, telemetry: Telemetry) -> None:
    decided(telemetry, canary(Phase.PROGRESSING), canary(Phase.FAILED))
    decided(telemetry, canary(Phase.FAILED), canary(Phase.FAILED))
    assert registry.get_sample_value("flagger_canary_failures_total", OUTCOME) == 1


def test_passes_and_measurements_are_kept(registry: CollectorRegistry, telemetry: Telemetry) -> None:
    telemetry.passed(canary(), 0.02)
    telemetry.measured(canary(), "request-duration", 12.5)
    assert registry.get_sample_value("flagger_canary_duration_seconds_count", NAMES) == 1
    labels = {**NAMES, "metric": "request-duration"}
    assert registry.get_sample_value("flagger_canary_metric_analysis", labels) == 12.5


def test_a_canary_that_goes_takes_its_series_along(registry: CollectorRegistry, telemetry: Telemetry) -> None:
    telemetry.passed(canary(), 0.02)
    telemetry.measured(canary(), "request-duration", 12.5)
    decided(telemetry, canary(Phase.PROGRESSING), canary(Phase.FAILED))
    assert registry.get_sample_value("flagger_canary_total", {"namespace": "test"}) == 1
    telemetry.forget(KEY)
    assert list(series(registry)) == []
    assert registry.get_sample_value("flagger_canary_total", {"namespace": "test"}) == 0


def test_a_pass_is_forgotten_even_if_nothing_was_decided(
    registry: CollectorRegistry, telemetry: Telemetry
) -> None:
    telemetry.passed(canary(), 0.02)
    telemetry.forget(KEY)
    telemetry.forget(KEY)
    assert list(series(registry)) == []
