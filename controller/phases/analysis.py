"""Progressing and WaitingPromotion: the canary is analysed, and its weight grows while it is well."""

from dataclasses import replace
from typing import assert_never

from controller import judge, rounds_plan
from controller.decision import Event, RunChecks, Scale
from controller.governing import release, strayed
from controller.judge import Verdict, VerdictKind
from controller.observation import CheckKind, Observation, Workload
from controller.phases.rest import cancel, restart, roll_back
from controller.phases.step import Step, canary_readiness, drained, enter, full_name, stay, update, warning
from controller.readiness import Waiting
from controller.workloads import initial_replicas
from shared.types.canary import CanaryStatus, Phase


def progressing(seen: Observation) -> Step:
    """One look at a running analysis. The order of the guards is the order of urgency."""
    canary, status, target = seen.canary, seen.canary.status, seen.target
    if target is None:
        return roll_back(seen, f"Rolling back {full_name(canary)} its target was deleted")
    if target.template_hash == status.last_promoted_spec != status.last_applied_spec:
        return cancel(seen, target)
    if target.template_hash != status.last_applied_spec:
        return restart(seen, target)
    if target.hold is not None:
        return _release(seen, target)
    if strayed(target) and seen.canary.spec.autoscaler_ref is None:
        back = Scale(target.name, target.given or initial_replicas(seen))
        return Step(status, "ScalingBack", actions=(back,))
    if status.canary_weight > 0 and seen.endpoints.canary == 0:
        return _fail(
            seen, f"Halt {full_name(canary)} advancement the canary has no ready endpoints", weight=0
        )
    ready = canary_readiness(seen, target)
    if isinstance(ready, Waiting):
        return _await_pods(seen, ready, exceeded=target.deadline_exceeded)
    if canary.spec.skip_analysis:
        return promote(seen)
    return _analyse(seen)


def _release(seen: Observation, target: Workload) -> Step:
    """Let the revision roll out that waits at admission, once users are off the pods that it replaces."""
    if seen.canary.status.canary_weight > 0:
        return Step(update(seen, canary_weight=0), "RoutingToPrimary")
    if wait := drained(seen):
        return stay(seen, "Draining", requeue_after=wait)
    return Step(seen.canary.status, "Released", actions=(release(target),))


def promote(seen: Observation, events: tuple[Event, ...] = ()) -> Step:
    """Leave the analysis. The status comes first: the primary is written only once this is known to all."""
    return Step(
        enter(seen, Phase.PROMOTING, canary_weight=seen.canary.status.canary_weight),
        "AnalysisCompleted",
        events=events,
        judged=True,
    )


def _await_pods(seen: Observation, waiting: Waiting, *, exceeded: bool) -> Step:
    canary = seen.canary
    left = canary.spec.progress_deadline_seconds - seen.elapsed.canary_unready
    if exceeded or left <= 0:
        return roll_back(
            seen, f"Rolling back {full_name(canary)} progress deadline exceeded {waiting.message}"
        )
    interval = canary.spec.analysis.interval_seconds
    if not rounds_plan.due(replace(seen, elapsed=replace(seen.elapsed, fresh=False))):
        return stay(seen, "CanaryNotReady", requeue_after=min(left, interval - seen.elapsed.analysis))
    message = f"canary deployment {full_name(canary)} not ready: {waiting.message}"
    return Step(
        canary.status,
        "CanaryNotReady",
        events=(warning(message),),
        requeue_after=min(left, interval),
        judged=True,
    )


def _analyse(seen: Observation) -> Step:
    interval = seen.canary.spec.analysis.interval_seconds
    if not rounds_plan.due(seen):
        return stay(seen, "WaitingForInterval", requeue_after=interval - seen.elapsed.analysis)
    checks = rounds_plan.analysis(seen)
    if not checks:
        return _advance(seen, Verdict(VerdictKind.PASSED, ""))
    round_ = rounds_plan.current(seen)
    if round_ is None:
        return Step(seen.canary.status, "Checking", then=(RunChecks(rounds_plan.round_id(seen), checks),))
    if not round_.done:
        return stay(seen, "Checking")
    verdict = judge.judge_round(round_, seen.canary)
    match verdict.kind:
        case VerdictKind.PASSED:
            return _advance(seen, verdict)
        case VerdictKind.FAILED:
            return _fail(seen, verdict.message, weight=seen.canary.status.canary_weight)
        case VerdictKind.HELD:
            return _hold(seen, verdict, round_.results[-1].check.kind)
        case VerdictKind.ROLL_BACK:
            return roll_back(seen, verdict.message, judged=True)
        case _:
            assert_never(verdict.kind)


def _advance(seen: Observation, verdict: Verdict) -> Step:
    canary, status = seen.canary, seen.canary.status
    passed = tuple(Event(message, hold=True) for message in verdict.passed)
    if status.canary_weight == 0:
        passed = (Event(f"Starting canary analysis for {full_name(canary)}", hold=True), *passed)
    weight = next((step for step in canary.spec.analysis.steps if step > status.canary_weight), None)
    if weight is None:
        return promote(seen, passed)
    event = Event(f"Advance {full_name(canary)} canary weight {weight}")
    return Step(
        update(seen, canary_weight=weight),
        "Advanced",
        events=(*passed, event),
        requeue_after=canary.spec.analysis.interval_seconds,
        judged=True,
    )


def _fail(seen: Observation, message: str, *, weight: int) -> Step:
    """Count a failed check; the one that reaches the threshold rolls back in the same pass."""
    canary = seen.canary
    failed, threshold = canary.status.failed_checks + 1, canary.spec.analysis.effective_threshold
    if failed >= threshold:
        verdict = f"Rolling back {full_name(canary)} failed checks threshold reached {failed}"
        step = roll_back(seen, verdict, judged=True)
        return replace(step, events=(warning(message), *step.events))
    return Step(
        update(seen, failed_checks=failed, canary_weight=weight),
        "CheckFailed",
        events=(warning(message),),
        requeue_after=canary.spec.analysis.interval_seconds,
        judged=True,
    )


def _hold(seen: Observation, verdict: Verdict, gate: CheckKind) -> Step:
    """A gate is closed: weight and count stay. The one before promotion has a phase, which says it once."""
    status: CanaryStatus = seen.canary.status
    events: tuple[Event, ...] = (warning(verdict.message),)
    if gate is CheckKind.CONFIRM_PROMOTION:
        if status.phase is Phase.WAITING_PROMOTION:
            events = ()
        else:
            status = enter(seen, Phase.WAITING_PROMOTION, canary_weight=status.canary_weight)
    interval = seen.canary.spec.analysis.interval_seconds
    return Step(status, "WaitingForApproval", events=events, requeue_after=interval, judged=True)
