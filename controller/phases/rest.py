"""The phases in which nothing is analysed: Initialized, Succeeded, Failed, and Waiting at the first gate."""

from controller import judge, rounds_plan
from controller.decision import CallHooks, Event, RunChecks, Scale
from controller.governing import release, started_by
from controller.judge import VerdictKind
from controller.observation import Observation, Workload
from controller.phases.step import Step, drained, enter, full_name, live_target, stay, warning
from controller.workloads import initial_replicas
from shared.errors import Blocked
from shared.types.canary import HookType, Phase


def rest(seen: Observation) -> Step:
    """The primary serves. Start on a new revision; otherwise see to it that the target has no pods."""
    target = live_target(seen)
    if target.hold is not None and target.replicas == 0:
        return Step(seen.canary.status, "Released", actions=(release(target),))
    if is_new_revision(seen, target):
        return admit(seen, target)
    if target.replicas == 0:
        return stay(seen, "Idle")
    if seen.endpoints.primary == 0:
        return stay(seen, "PrimaryNotReady")
    if wait := drained(seen):
        return stay(seen, "Draining", requeue_after=wait)
    failed = seen.canary.status.phase is Phase.FAILED
    return Step(
        seen.canary.status,
        "ScalingDown",
        then=(Scale(target.name, 0),),
        events=(Event(f"Canary failed! Scaling down {full_name(seen.canary)}"),) if failed else (),
    )


def waiting(seen: Observation) -> Step:
    """A confirm-rollout gate is closed. A revision that was taken back needs no approval any more."""
    target = live_target(seen)
    if target.template_hash == seen.canary.status.last_promoted_spec:
        return Step(enter(seen, Phase.SUCCEEDED, last_applied_spec=target.template_hash), "RevisionReverted")
    return admit(seen, target)


def is_new_revision(seen: Observation, target: Workload) -> bool:
    """Whether the target's template is neither the one analysed last nor the one that the primary runs."""
    status = seen.canary.status
    return target.template_hash not in (status.last_applied_spec, status.last_promoted_spec)


def admit(seen: Observation, target: Workload) -> Step:
    """Ask the confirm-rollout gates, if there are any, then start."""
    gates = rounds_plan.confirm_rollout(seen.canary)
    if not gates:
        return start(seen, target)
    interval = seen.canary.spec.analysis.interval_seconds
    if not rounds_plan.due(seen):
        return stay(seen, "WaitingForApproval", requeue_after=interval - seen.elapsed.analysis)
    round_ = rounds_plan.current(seen)
    if round_ is None:
        return Step(
            seen.canary.status, "AskingForApproval", then=(RunChecks(rounds_plan.round_id(seen), gates),)
        )
    if not round_.done:
        return stay(seen, "AskingForApproval")
    verdict = judge.judge_round(round_, seen.canary)
    if verdict.kind is VerdictKind.PASSED:
        return start(seen, target, tuple(Event(m, hold=True) for m in verdict.passed))
    if seen.canary.status.phase is Phase.WAITING:
        return Step(seen.canary.status, "WaitingForApproval", requeue_after=interval, judged=True)
    return Step(
        enter(seen, Phase.WAITING),
        "WaitingForApproval",
        events=(warning(verdict.message),),
        requeue_after=interval,
        judged=True,
    )


def start(seen: Observation, target: Workload, events: tuple[Event, ...] = ()) -> Step:
    """Bring the new revision up, at weight 0."""
    replicas = target.replicas or initial_replicas(seen)
    scale = (Scale(target.name, replicas),) if target.replicas == 0 else ()
    status = enter(seen, Phase.PROGRESSING, last_applied_spec=target.template_hash, failed_checks=0)
    message = f"New revision detected! Scaling up {full_name(seen.canary)}"
    who = started_by(target.rollout, target.template_hash)
    return Step(status, "NewRevision", actions=scale, events=(*events, *who, Event(message)))


def restart(seen: Observation, target: Workload) -> Step:
    """A newer revision landed while another was analysed: back to the primary, then analyse the newer one.

    Raises:
        Blocked: users would be left without pods, see `spare_users`.
    """
    spare_users(seen, f"the new revision of {full_name(seen.canary)}")
    status = enter(
        seen, Phase.PROGRESSING, last_applied_spec=target.template_hash, failed_checks=0, canary_weight=0
    )
    message = f"New revision detected! Restarting analysis for {full_name(seen.canary)}"
    scale = (Scale(target.name, initial_replicas(seen)),) if target.replicas == 0 else ()
    who = started_by(target.rollout, target.template_hash)
    return Step(status, "NewRevision", actions=scale, events=(*who, Event(message)))


def cancel(seen: Observation, target: Workload) -> Step:
    """The revision under analysis was taken back: the primary runs what the target asks for.

    Raises:
        Blocked: users would be left without pods, see `spare_users`.
    """
    spare_users(seen, f"the analysis of {full_name(seen.canary)} goes on")
    status = enter(
        seen, Phase.SUCCEEDED, last_applied_spec=target.template_hash, failed_checks=0, canary_weight=0
    )
    message = f"Revision reverted! Analysis cancelled for {full_name(seen.canary)}"
    return Step(status, "RevisionReverted", events=(Event(message),))


def roll_back(seen: Observation, message: str, *, judged: bool = False) -> Step:
    """All traffic to the primary, phase Failed; `rest` scales the target down once Traefik let go of it.

    Raises:
        Blocked: users would be left without pods, see `spare_users`.
    """
    spare_users(seen, message)
    status = enter(seen, Phase.FAILED, failed_checks=0, canary_weight=0)
    return Step(status, "RolledBack", then=told_at_the_end(seen), events=(warning(message),), judged=judged)


def spare_users(seen: Observation, message: str) -> None:
    """Leave the canary as it is while it serves and the primary cannot: giving the primary the traffic would
    take the users down.

    Raises:
        Blocked: it is so.
    """
    target, status = seen.target, seen.canary.status
    analysed = target is not None and target.runs == status.last_applied_spec
    if analysed and seen.endpoints.primary == 0 and seen.endpoints.canary > 0 and status.canary_weight > 0:
        name = full_name(seen.canary)
        raise Blocked(
            "PrimaryNotReady", f"Halt {name} rollback the primary has no ready endpoints: {message}"
        )


def told_at_the_end(seen: Observation) -> tuple[CallHooks, ...]:
    """The post-rollout hooks, if there are any."""
    called = seen.canary.spec.analysis.has_hook(HookType.POST_ROLLOUT)
    return (CallHooks(HookType.POST_ROLLOUT),) if called else ()
