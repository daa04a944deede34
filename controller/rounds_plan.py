"""Which checks a round asks, when it is due, and whether the answers at hand belong to it. Pure."""

from controller.observation import Check, CheckKind, Observation, Round, RoundId
from shared.types.canary import Canary, HookType, Phase


def due(seen: Observation) -> bool:
    """Whether the next round may be judged: at once for a new revision, an interval apart after that."""
    status = seen.canary.status
    if seen.elapsed.fresh and status.canary_weight == 0 and status.failed_checks == 0:
        return True
    return seen.elapsed.analysis >= seen.canary.spec.analysis.interval_seconds


def round_id(seen: Observation) -> RoundId:
    """The state that answers must have been asked for."""
    status = seen.canary.status
    return RoundId(
        uid=seen.canary.metadata.uid,
        phase=status.phase,
        revision=seen.target.template_hash if seen.target else "",
        weight=status.canary_weight,
        failed_checks=status.failed_checks,
    )


def current(seen: Observation) -> Round | None:
    """The round at hand, unless it was asked for another state."""
    return seen.round if seen.round is not None and seen.round.id == round_id(seen) else None


def confirm_rollout(canary: Canary) -> tuple[Check, ...]:
    """The gates before a rollout starts."""
    return _hooks(canary, HookType.CONFIRM_ROLLOUT)


def analysis(seen: Observation) -> tuple[Check, ...]:
    """The checks of an analysis, in Flagger's order (reference: pkg/controller/scheduler.go).

    Hooks that order a rollback, then pre-rollout hooks at weight 0 or rollout hooks and metrics above it,
    then the gates of what would come next.
    """
    canary, status = seen.canary, seen.canary.status
    if status.canary_weight == 0:
        checks = _hooks(canary, HookType.PRE_ROLLOUT)
    else:
        metrics = tuple(
            Check(CheckKind.METRIC, index, metric.name)
            for index, metric in enumerate(canary.spec.analysis.metrics)
        )
        checks = (*_hooks(canary, HookType.ROLLOUT), *metrics)
    return (*_hooks(canary, HookType.ROLLBACK), *checks, *_gates(canary))


def _gates(canary: Canary) -> tuple[Check, ...]:
    increase: tuple[Check, ...] = ()
    if canary.status.phase is not Phase.WAITING_PROMOTION:
        increase = _hooks(canary, HookType.CONFIRM_TRAFFIC_INCREASE)
    if any(step > canary.status.canary_weight for step in canary.spec.analysis.steps):
        return increase
    return (*increase, *_hooks(canary, HookType.CONFIRM_PROMOTION))


def _hooks(canary: Canary, kind: HookType) -> tuple[Check, ...]:
    return tuple(
        Check(CheckKind(kind.value), index, hook.name)
        for index, hook in enumerate(canary.spec.analysis.webhooks)
        if hook.type is kind
    )
