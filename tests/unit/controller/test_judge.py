"""What answers mean, and Flagger's words for it."""

from typing import Any

import pytest

from controller.go_text import go_float, go_milliseconds
from controller.judge import Verdict, VerdictKind, judge, judge_round, passed_message
from controller.observation import Check, CheckKind, Failure, Result, Round, RoundId
from shared.types.canary import Phase
from tests.builders import canary

ID = RoundId("u1", Phase.PROGRESSING, "b", 10, 0)


def verdict_on(
    metric: dict[str, Any], value: float | None = None, failure: Failure | None = None, text: str = ""
) -> Verdict:
    of = canary(analysis={"metrics": [metric]})
    return judge(Result(Check(CheckKind.METRIC, 0, metric["name"]), value, failure, text), of)


def rate(**limits: float) -> dict[str, Any]:
    return {"name": "request-success-rate", "thresholdRange": limits}


def duration(**limits: float) -> dict[str, Any]:
    return {"name": "request-duration", "thresholdRange": limits}


def custom(**limits: float) -> dict[str, Any]:
    return {"name": "404s percentage", "templateRef": {"name": "t"}, "thresholdRange": limits}


def hook(kind: CheckKind, failure: Failure | None = None) -> Verdict:
    return judge(
        Result(Check(kind, 0, "gate"), failure=failure, message="status 500 from http://h/"), canary()
    )


class TestValues:
    @pytest.mark.parametrize(
        ("metric", "value"),
        [
            (rate(min=99), 99.0),
            (rate(min=99), 100.0),
            (duration(max=500), 500.0),
            (duration(max=0.5), 0.4999),
            (custom(min=1, max=5), 1.0),
            (custom(min=1, max=5), 5.0),
        ],
    )
    def test_both_ends_of_the_range_pass(self, metric: dict[str, Any], value: float) -> None:
        assert verdict_on(metric, value).kind is VerdictKind.PASSED

    @pytest.mark.parametrize(
        ("metric", "value", "message"),
        [
            (rate(min=99), 53.421, "success rate 53.42% < 99%"),
            (rate(min=99.5), 99.4, "success rate 99.40% < 99.5%"),
            (rate(max=50), 60.0, "success rate 60.00% > 50%"),
            (duration(max=500), 1500.0, "request duration 1.5s > 500ms"),
            (duration(max=500), 650.4, "request duration 650ms > 500ms"),
            (duration(max=500), 500.4, "request duration 500.4ms > 500ms"),
            (duration(max=0.5), 0.6, "request duration 1ms > 500µs"),
            (duration(min=2), 1.0, "request duration 1ms < 2ms"),
            (custom(max=5), 6.2, "404s percentage 6.20 > 5"),
            (custom(min=0.5), 0.25, "404s percentage 0.25 < 0.5"),
        ],
    )
    def test_a_value_outside_halts_in_flaggers_words(
        self, metric: dict[str, Any], value: float, message: str
    ) -> None:
        assert verdict_on(metric, value) == Verdict(
            VerdictKind.FAILED, f"Halt podinfo.test advancement {message}"
        )

    def test_a_fraction_of_the_bound_is_not_cut_off(self) -> None:
        assert verdict_on(duration(max=0.5), 0.51).kind is VerdictKind.FAILED

    @pytest.mark.parametrize(
        ("metric", "passes", "fails"),
        [
            ({"name": "request-success-rate", "threshold": 99}, 99.0, 98.9),
            ({"name": "request-duration", "threshold": 500}, 500.0, 501.0),
            ({"name": "errors", "query": "q", "threshold": 0}, 0.0, 0.1),
            ({"name": "request-success-rate", "query": "q", "threshold": 5}, 4.0, 6.0),
        ],
    )
    def test_the_deprecated_threshold_is_a_least_rate_or_a_greatest_anything_else(
        self, metric: dict[str, Any], passes: float, fails: float
    ) -> None:
        assert verdict_on(metric, passes).kind is VerdictKind.PASSED
        assert verdict_on(metric, fails).kind is VerdictKind.FAILED

    @pytest.mark.parametrize("metric", [{"name": "request-success-rate"}, custom(), duration()])
    def test_a_metric_without_any_threshold_never_passes(self, metric: dict[str, Any]) -> None:
        verdict = verdict_on(metric, 100.0)
        assert verdict.kind is VerdictKind.FAILED
        assert "has no threshold; set its thresholdRange.min or max" in verdict.message


class TestMissingValues:
    @pytest.mark.parametrize(
        ("metric", "failure", "message"),
        [
            (
                rate(min=99),
                Failure.NO_DATA,
                "Halt advancement no values found for traefik metric request-success-rate"
                " probably podinfo.test is not receiving traffic: why",
            ),
            (
                custom(max=5),
                Failure.NO_DATA,
                "Halt advancement no values found for custom metric: 404s percentage: why",
            ),
            (
                {"name": "mine", "query": "q", "threshold": 1},
                Failure.NO_DATA,
                "Halt advancement no values found for metric: mine: why",
            ),
            (rate(min=99), Failure.UNAVAILABLE, "Prometheus query failed: why"),
            ({"name": "mine", "query": "q"}, Failure.UNAVAILABLE, "Prometheus query failed for mine: why"),
            (custom(max=5), Failure.MANY_SERIES, "Metric query failed for 404s percentage: why"),
            (custom(max=5), Failure.BAD_QUERY, "why"),
        ],
    )
    def test_what_was_not_measured_halts_in_flaggers_words(
        self, metric: dict[str, Any], failure: Failure, message: str
    ) -> None:
        assert verdict_on(metric, failure=failure, text="why") == Verdict(VerdictKind.FAILED, message)

    def test_neither_value_nor_failure_is_no_pass(self) -> None:
        assert verdict_on(rate(min=0)).kind is VerdictKind.FAILED


class TestHooks:
    @pytest.mark.parametrize(
        "kind", [kind for kind in CheckKind if kind not in (CheckKind.METRIC, CheckKind.ROLLBACK)]
    )
    def test_a_hook_that_said_yes_passes(self, kind: CheckKind) -> None:
        assert hook(kind).kind is VerdictKind.PASSED

    @pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.UNAVAILABLE])
    @pytest.mark.parametrize(
        ("kind", "verdict", "message"),
        [
            (
                CheckKind.PRE_ROLLOUT,
                VerdictKind.FAILED,
                "pre-rollout check gate failed status 500 from http://h/",
            ),
            (CheckKind.ROLLOUT, VerdictKind.FAILED, "external check gate failed status 500 from http://h/"),
            (CheckKind.CONFIRM_ROLLOUT, VerdictKind.HELD, "waiting for approval gate"),
            (
                CheckKind.CONFIRM_TRAFFIC_INCREASE,
                VerdictKind.HELD,
                "waiting for traffic increase approval gate",
            ),
            (CheckKind.CONFIRM_PROMOTION, VerdictKind.HELD, "waiting for promotion approval gate"),
        ],
    )
    def test_a_failed_hook_counts_and_a_closed_gate_holds(
        self, kind: CheckKind, verdict: VerdictKind, message: str, failure: Failure
    ) -> None:
        assert hook(kind, failure) == Verdict(verdict, f"Halt podinfo.test advancement {message}")

    def test_only_a_clear_yes_of_a_rollback_hook_rolls_back(self) -> None:
        assert hook(CheckKind.ROLLBACK) == Verdict(
            VerdictKind.ROLL_BACK, "Rolling back podinfo.test manual webhook invoked"
        )
        assert hook(CheckKind.ROLLBACK, Failure.REFUSED).kind is VerdictKind.PASSED
        assert hook(CheckKind.ROLLBACK, Failure.UNAVAILABLE).kind is VerdictKind.PASSED

    def test_checks_that_pass_are_told_as_flagger_tells_them(self) -> None:
        assert passed_message(Check(CheckKind.PRE_ROLLOUT, 0, "acceptance-test")) == (
            "Pre-rollout check acceptance-test passed"
        )
        assert passed_message(Check(CheckKind.ROLLBACK, 0, "x")) == "Rollback hook x not signaling a rollback"
        assert passed_message(Check(CheckKind.ROLLOUT, 0, "load-test")) == ""
        assert passed_message(Check(CheckKind.METRIC, 0, "m")) == ""


class TestRounds:
    def test_a_round_is_judged_by_the_first_check_that_did_not_pass(self) -> None:
        of = canary(analysis={"metrics": [rate(min=99), duration(max=500)]})
        answers = (
            Result(Check(CheckKind.PRE_ROLLOUT, 0, "smoke")),
            Result(Check(CheckKind.METRIC, 0, "request-success-rate"), 98.0),
            Result(Check(CheckKind.METRIC, 1, "request-duration"), 900.0),
        )
        assert judge_round(Round(ID, done=True, results=answers), of) == Verdict(
            VerdictKind.FAILED,
            "Halt podinfo.test advancement success rate 98.00% < 99%",
            ("Pre-rollout check smoke passed",),
        )

    def test_a_round_without_objections_passes(self) -> None:
        answers = (Result(Check(CheckKind.CONFIRM_ROLLOUT, 0, "gate")),)
        assert judge_round(Round(ID, done=True, results=answers), canary()) == Verdict(
            VerdictKind.PASSED, passed=("Confirm-rollout check gate passed",)
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (99.0, "99"),
        (99.5, "99.5"),
        (0.0, "0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-05, "1e-05"),
    ],
)
def test_floats_read_as_in_go(value: float, text: str) -> None:
    assert go_float(value) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (0.5, "500µs"),
        (1, "1ms"),
        (1.5, "1.5ms"),
        (650, "650ms"),
        (1000, "1s"),
        (1500, "1.5s"),
        (60_000, "1m0s"),
        (90_500, "1m30.5s"),
        (3_600_000, "1h0m0s"),
        (-1500, "-1.5s"),
    ],
)
def test_durations_read_as_in_go(milliseconds: float, text: str) -> None:
    assert go_milliseconds(milliseconds) == text
