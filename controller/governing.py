"""What a target's marks ask of the controller: its label, the hold on its template, the size asked for. Pure.

`decide` and the phases call it. Admission sets the marks (`shared.hold`). What admission could not catch,
because it was down or because a `/scale` has no annotations, shows in replicas that nobody was given.
"""

from datetime import timedelta

from controller.decision import Action, Event, Patch
from controller.observation import Observation, Workload
from shared.hold import Rollout
from shared.names import (
    ASKED_REPLICAS_ANNOTATION,
    CANARY_LABEL,
    GIVEN_REPLICAS_ANNOTATION,
    HOLD_ANNOTATION,
    ROLLOUT_ANNOTATION,
)
from shared.resources import DEPLOYMENTS
from shared.types.canary import Phase
from shared.types.meta import Json

LONGEST_HOLD = timedelta(minutes=1)
"""A hold lasts while traffic moves; while a primary comes up, the Canary's progress deadline longer."""


def label(seen: Observation) -> tuple[Action, ...]:
    """The patches after which admission knows target and primary as governed."""
    name, uid = seen.canary.metadata.name, seen.canary.metadata.uid
    ours = (seen.target, seen.primary if seen.primary is not None and seen.primary.owner == uid else None)
    body: Json = {"metadata": {"labels": {CANARY_LABEL: name}}}
    return tuple(
        Patch(DEPLOYMENTS, workload.name, body)
        for workload in ours
        if workload is not None and workload.canary != name
    )


def release(target: Workload) -> Patch:
    """Let a template go that was held. Only if nobody has put another in its place since."""
    paused = target.hold is not None and target.hold.paused
    body: Json = {
        "metadata": {
            "resourceVersion": target.resource_version,
            "annotations": {HOLD_ANNOTATION: None},
        },
        "spec": {"paused": paused or None},
    }
    return Patch(DEPLOYMENTS, target.name, body)


def free(target: Workload) -> Patch:
    """Take all marks off a target whose Canary is gone, or has another now."""
    marks = (
        HOLD_ANNOTATION,
        ROLLOUT_ANNOTATION,
        GIVEN_REPLICAS_ANNOTATION,
        ASKED_REPLICAS_ANNOTATION,
    )
    metadata: Json = {"labels": {CANARY_LABEL: None}, "annotations": dict.fromkeys(marks)}
    if target.hold is None:
        return Patch(DEPLOYMENTS, target.name, {"metadata": metadata})
    metadata["resourceVersion"] = target.resource_version
    return Patch(
        DEPLOYMENTS, target.name, {"metadata": metadata, "spec": {"paused": target.hold.paused or None}}
    )


def resize(seen: Observation) -> tuple[tuple[Action, ...], tuple[Event, ...]]:
    """The size that somebody asked for on the target, given to the primary; and the word about it.

    With an autoscaler the size is its business. A target that was scaled to zero is no wish to take the
    application down: whoever wants that scales the primary.
    """
    target, primary, canary = seen.target, seen.primary, seen.canary
    if target is None or primary is None or primary.owner != canary.metadata.uid:
        return (), ()
    actions, events = list[Action](), list[Event]()
    asked = _asked(target)
    if asked and canary.spec.autoscaler_ref is None and asked != primary.replicas:
        actions.append(Patch(DEPLOYMENTS, primary.name, {"spec": {"replicas": asked}}))
        where = f"{primary.name}.{primary.namespace}"
        events.append(Event(f"Scaling {where} to {asked} replicas as asked of {target.name}"))
    if target.asked is not None:
        # Not if somebody has asked for another size since.
        body: Json = {
            "metadata": {
                "resourceVersion": target.resource_version,
                "annotations": {ASKED_REPLICAS_ANNOTATION: None},
            }
        }
        actions.append(Patch(DEPLOYMENTS, target.name, body))
    return tuple(actions), tuple(events)


def strayed(target: Workload) -> bool:
    """Whether somebody else set the target's replicas since the controller did."""
    return target.given is not None and target.replicas != target.given


def _asked(target: Workload) -> int | None:
    if target.asked is not None:
        return target.asked
    return target.replicas if strayed(target) else None


def held_too_long(seen: Observation) -> str | None:
    """The message about a hold that is older than it should be; None while there is none."""
    target, spec = seen.target, seen.canary.spec
    if target is None or target.hold is None:
        return None
    longest = LONGEST_HOLD
    if seen.canary.status.phase in (Phase.INITIALIZING, Phase.PROMOTING, Phase.FINALISING):
        longest += timedelta(seconds=spec.progress_deadline_seconds)
    if seen.now - target.hold.since <= longest:
        return None
    since = target.hold.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"the new template of {target.name}.{target.namespace} is held since {since}"


def started_by(rollout: Rollout | None, revision: str) -> tuple[Event, ...]:
    """Who started the rollout of a revision, where that is known; it goes out with the next event."""
    if rollout is None or rollout.revision != revision:
        return ()
    images = ", ".join(
        f"{name} {old or '(none)'} -> {new or '(none)'}"
        for name, (old, new) in sorted(rollout.images.items())
    )
    changed = f": {images}" if images else ""
    return (Event(f"Rollout started by {rollout.user}{changed}", hold=True),)
