"""The next status of a Canary: whole values, made from the last one. Pure.

Called by the phases. Apart because the texts and the rules for times are a contract with people and scripts:
phases and the condition Promoted are Flagger's to the letter, the condition Ready is ours.
"""

from datetime import datetime
from typing import TypedDict, Unpack

from shared.types.canary import Canary, CanaryStatus, Condition, Phase

PROMOTED = "Promoted"
"""The condition that `kubectl wait --for=condition=promoted` waits for: how the last revision fared."""
READY = "Ready"
"""The condition that is False while somebody has to act; absent until that happens for the first time."""

_ROUTED = frozenset({Phase.PROGRESSING, Phase.WAITING, Phase.WAITING_PROMOTION, Phase.PROMOTING})
"""Phases that keep weight and iterations; in all others the primary has all traffic."""

_INITIALIZING = ("Unknown", "New {kind} detected, starting initialization.")
_APPROVAL = ("Unknown", "Waiting for approval.")
_PROMOTED: dict[Phase, tuple[str, str]] = {
    Phase.INITIALIZING: _INITIALIZING,
    Phase.INITIALIZED: ("True", "{kind} initialization completed."),
    Phase.WAITING: _APPROVAL,
    Phase.WAITING_PROMOTION: _APPROVAL,
    Phase.PROGRESSING: ("Unknown", "New revision detected, progressing canary analysis."),
    Phase.PROMOTING: ("Unknown", "Canary analysis completed, starting primary rolling update."),
    Phase.FINALISING: ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    Phase.SUCCEEDED: ("True", "Canary analysis completed successfully, promotion finished."),
    Phase.FAILED: ("False", "Canary analysis failed, {kind} scaled to zero."),
    Phase.TERMINATING: _INITIALIZING,  # Flagger's text for it
}


class Changes(TypedDict, total=False):
    """The fields of a status that a phase sets by itself."""

    failed_checks: int
    canary_weight: int
    iterations: int
    last_applied_spec: str
    last_promoted_spec: str


def enter(canary: Canary, phase: Phase, now: datetime, **changes: Unpack[Changes]) -> CanaryStatus:
    """The status in another phase, with its condition. Where the primary has all traffic the weight is 0."""
    reset = {} if phase in _ROUTED else {"canary_weight": 0, "iterations": 0}
    status = canary.status.model_copy(update={"phase": phase, **reset, **changes})
    value, text = _PROMOTED[phase]
    message = text.format(kind=canary.spec.target_ref.kind)
    promoted = Condition(type=PROMOTED, status=value, reason=phase.value, message=message)
    return _stamp(canary, _with_condition(status, promoted, now), now)


def update(canary: Canary, now: datetime, **changes: Unpack[Changes]) -> CanaryStatus:
    """The status in the same phase with some fields changed."""
    return _stamp(canary, canary.status.model_copy(update=dict(changes)), now)


def blocked(status: CanaryStatus, reason: str, message: str, now: datetime) -> CanaryStatus:
    """The status with Ready False; the very same one when it says so already."""
    return _with_condition(status, Condition(type=READY, status="False", reason=reason, message=message), now)


def unblocked(status: CanaryStatus, now: datetime) -> CanaryStatus:
    """The status with Ready True, if it was ever False; the very same one otherwise."""
    if condition(status, READY) is None:
        return status
    ready = Condition(type=READY, status="True", reason="Reconciled", message="Nothing is in the way.")
    return _with_condition(status, ready, now)


def observed(status: CanaryStatus, canary: Canary) -> CanaryStatus:
    """The status as one that is about the Canary's present generation."""
    if status.observed_generation == canary.metadata.generation:
        return status
    return status.model_copy(update={"observed_generation": canary.metadata.generation})


def condition(status: CanaryStatus, type_: str) -> Condition | None:
    """The condition of a type, if the status has it."""
    return next((each for each in status.conditions if each.type == type_), None)


def _stamp(canary: Canary, status: CanaryStatus, now: datetime) -> CanaryStatus:
    """With the generation, and with a new transition time if anything moved that people follow by it."""
    old = canary.status
    before = (old.phase, old.canary_weight, old.failed_checks, old.iterations)
    if (status.phase, status.canary_weight, status.failed_checks, status.iterations) != before:
        status = status.model_copy(update={"last_transition_time": _second(now)})
    return observed(status, canary)


def _with_condition(status: CanaryStatus, new: Condition, now: datetime) -> CanaryStatus:
    """With a condition set: its update time is now, its transition time only if its status changed."""
    old = condition(status, new.type)
    if old is not None and (old.status, old.reason, old.message) == (new.status, new.reason, new.message):
        return status
    since = old.last_transition_time if old is not None and old.status == new.status else _second(now)
    new = new.model_copy(update={"last_update_time": _second(now), "last_transition_time": since})
    others = tuple(each for each in status.conditions if each.type != new.type)
    order = (new, *others) if new.type == PROMOTED else (*others, new)
    return status.model_copy(update={"conditions": order})


def _second(now: datetime) -> datetime:
    """What is left of a time once it was written: whole seconds."""
    return now.replace(microsecond=0)
