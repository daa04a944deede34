"""Judging: what the answers of a round mean for the rollout. Pure; the rounds and the phases call it.

The texts are Flagger's, to the letter, since people search their logs for them.

    answer ─► hook said yes / value within range ─► Passed
         ├──► hook failed, value out of range, no value ─► Failed (counts towards the threshold)
         ├──► gate is closed ─► Held
         └──► rollback hook said yes ─► RollBack
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.go_text import go_float, go_milliseconds
from controller.observation import Check, CheckKind, Failure, Result, Round
from shared.capabilities import REQUEST_DURATION, SUCCESS_RATE, is_builtin
from shared.types.canary import Canary, Metric, Provider, ThresholdRange


class VerdictKind(StrEnum):
    """What becomes of the rollout."""

    PASSED = "Passed"
    FAILED = "Failed"
    HELD = "Held"
    ROLL_BACK = "RollBack"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement, the text of its Event, and texts about what passed before it."""

    kind: VerdictKind
    message: str = ""
    passed: tuple[str, ...] = ()


PASSED = Verdict(VerdictKind.PASSED)

_PASSED_TEXTS = {
    CheckKind.CONFIRM_ROLLOUT: "Confirm-rollout check {} passed",
    CheckKind.PRE_ROLLOUT: "Pre-rollout check {} passed",
    CheckKind.CONFIRM_TRAFFIC_INCREASE: "Confirm-traffic-increase check {} passed",
    CheckKind.CONFIRM_PROMOTION: "Confirm-promotion check {} passed",
    CheckKind.ROLLBACK: "Rollback hook {} not signaling a rollback",
}

_GATES = {
    CheckKind.CONFIRM_ROLLOUT: "waiting for approval",
    CheckKind.CONFIRM_TRAFFIC_INCREASE: "waiting for traffic increase approval",
    CheckKind.CONFIRM_PROMOTION: "waiting for promotion approval",
}


def judge_round(round_: Round, canary: Canary) -> Verdict:
    """The first verdict that is not Passed, with what passed before it; else Passed."""
    passed: tuple[str, ...] = ()
    for result in round_.results:
        verdict = judge(result, canary)
        if verdict.kind is not VerdictKind.PASSED:
            return Verdict(verdict.kind, verdict.message, passed)
        if text := passed_message(result.check):
            passed = (*passed, text)
    return Verdict(VerdictKind.PASSED, passed=passed)


def judge(result: Result, canary: Canary) -> Verdict:
    """What one answer means."""
    check, name = result.check, _full_name(canary)
    match check.kind:
        case CheckKind.METRIC:
            return _judge_metric(result, canary)
        case CheckKind.ROLLBACK:
            # Whatever is not a clear yes is no order to roll back.
            message = f"Rolling back {name} manual webhook invoked"
            return PASSED if result.failure else Verdict(VerdictKind.ROLL_BACK, message)
        case CheckKind.PRE_ROLLOUT if result.failure:
            return _failed(f"Halt {name} advancement pre-rollout check {check.name} failed {result.message}")
        case CheckKind.ROLLOUT if result.failure:
            return _failed(f"Halt {name} advancement external check {check.name} failed {result.message}")
        case kind if result.failure:
            return Verdict(VerdictKind.HELD, f"Halt {name} advancement {_GATES[kind]} {check.name}")
        case _:
            return PASSED


def passed_message(check: Check) -> str:
    """The text of the Normal event of a check that passed; "" for those that pass without one."""
    return _PASSED_TEXTS.get(check.kind, "").format(check.name)


def _judge_metric(result: Result, canary: Canary) -> Verdict:
    metric = canary.spec.analysis.metrics[result.check.index]
    if result.failure is not None or result.value is None:
        return _failed(_no_value(result, metric, canary))
    low, high = _range(metric)
    start = f"Halt {_full_name(canary)} advancement"
    if low is None and high is None:
        return _failed(f"{start} metric {metric.name} has no threshold; set its thresholdRange.min or max")
    if low is not None and result.value < low:
        return _failed(f"{start} {_compared(metric, result.value, '<', low)}")
    if high is not None and result.value > high:
        return _failed(f"{start} {_compared(metric, result.value, '>', high)}")
    return PASSED


def _range(metric: Metric) -> tuple[float | None, float | None]:
    """The least and the greatest value that pass. The deprecated threshold counts only without a range."""
    if metric.threshold_range is not None:
        limits: ThresholdRange = metric.threshold_range
        return limits.min, limits.max
    if is_builtin(metric) and metric.name == SUCCESS_RATE:
        return metric.threshold, None
    return None, metric.threshold


def _compared(metric: Metric, value: float, sign: str, limit: float) -> str:
    if is_builtin(metric) and metric.name == SUCCESS_RATE:
        return f"success rate {value:.2f}% {sign} {go_float(limit)}%"
    if is_builtin(metric) and metric.name == REQUEST_DURATION:
        shown = go_milliseconds(float(round(value)))
        if shown == go_milliseconds(limit):  # rounding would say "500ms > 500ms"
            shown = go_milliseconds(value)
        return f"request duration {shown} {sign} {go_milliseconds(limit)}"
    return f"{metric.name} {value:.2f} {sign} {go_float(limit)}"


def _no_value(result: Result, metric: Metric, canary: Canary) -> str:
    """Why there is nothing to compare, by the place where the query comes from."""
    text, name = result.message, metric.name
    if result.failure is Failure.BAD_QUERY:
        return text
    if result.failure in (Failure.NO_DATA, None):
        if is_builtin(metric):
            provider = canary.spec.provider or Provider.TRAEFIK
            probably = f"probably {_full_name(canary)} is not receiving traffic"
            return f"Halt advancement no values found for {provider} metric {name} {probably}: {text}"
        if metric.template_ref is None:
            return f"Halt advancement no values found for metric: {name}: {text}"
        return f"Halt advancement no values found for custom metric: {name}: {text}"
    if is_builtin(metric):
        return f"Prometheus query failed: {text}"
    if metric.template_ref is None:
        return f"Prometheus query failed for {name}: {text}"
    return f"Metric query failed for {name}: {text}"


def _failed(message: str) -> Verdict:
    return Verdict(VerdictKind.FAILED, message)


def _full_name(canary: Canary) -> str:
    return f"{canary.metadata.name}.{canary.metadata.namespace}"
