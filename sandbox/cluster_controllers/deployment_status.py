"""The status of a Deployment: counts, and the conditions Available and Progressing. Pure.

Called by `deployment.decide`, last. Reasons and texts are what `kubectl rollout status` and alerts look for.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sandbox.cluster_controllers.objects import condition, parse_time, timestamp
from sandbox.cluster_controllers.rollout import limits
from shared.types.meta import Json

_NO_DEADLINE = 2**31 - 1


class Reason(StrEnum):
    """Reasons of the conditions."""

    CREATED = "NewReplicaSetCreated"
    FOUND = "FoundNewReplicaSet"
    UPDATED = "ReplicaSetUpdated"
    COMPLETE = "NewReplicaSetAvailable"
    TIMED_OUT = "ProgressDeadlineExceeded"
    PAUSED = "DeploymentPaused"
    RESUMED = "DeploymentResumed"
    ENOUGH = "MinimumReplicasAvailable"
    TOO_FEW = "MinimumReplicasUnavailable"


@dataclass(frozen=True, slots=True)
class Rollout:
    """What the status is made of. `created` names a ReplicaSet that this very pass adds."""

    deployment: Json
    new: Json | None
    old: Sequence[Json]
    now: datetime
    created: str = ""


def status(rollout: Rollout) -> Json:
    """The whole next status."""
    deployment = rollout.deployment
    counts = _counts(rollout)
    available = _available(deployment, counts["availableReplicas"])
    progressing = _progressing(rollout, counts)
    present = (deployment.get("status") or {}).get("conditions") or ()
    others = [each for each in present if each["type"] not in ("Available", "Progressing")]
    conditions = [_dated(deployment, each, rollout.now) for each in (available, progressing) if each]
    return {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        **counts,
        "conditions": others + conditions,
    }


def _counts(rollout: Rollout) -> dict[str, int]:
    sets = [*([rollout.new] if rollout.new else []), *rollout.old]
    available = _sum(sets, "availableReplicas")
    return {
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([rollout.new] if rollout.new else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(sum(each["spec"]["replicas"] for each in sets) - available, 0),
    }


def _sum(sets: Sequence[Json], count: str) -> int:
    return sum((each.get("status") or {}).get(count, 0) for each in sets)


def _available(deployment: Json, available: int) -> Json:
    if available >= limits(deployment["spec"]).fewest:
        return _condition("Available", Reason.ENOUGH, "Deployment has minimum availability.")
    return _condition("Available", Reason.TOO_FEW, "Deployment does not have minimum availability.", "False")


def deadline_of(deployment: Json) -> timedelta | None:
    """How long a rollout may go without progress; None if for ever."""
    seconds = deployment["spec"].get("progressDeadlineSeconds", _NO_DEADLINE)
    return None if seconds == _NO_DEADLINE else timedelta(seconds=seconds)


def time_left(deployment: Json, now: datetime) -> timedelta | None:
    """How long until the rollout has made no progress for too long; None if that cannot happen now."""
    deadline, present = deadline_of(deployment), condition(deployment, "Progressing")
    waits = (Reason.CREATED, Reason.FOUND, Reason.UPDATED, Reason.RESUMED)
    if deadline is None or present is None or present["reason"] not in waits:
        return None
    return parse_time(present["lastUpdateTime"]) + deadline - now


def _progressing(rollout: Rollout, counts: dict[str, int]) -> Json | None:
    """The next Progressing condition. The first that applies, the order is Kubernetes'."""
    deployment, present = rollout.deployment, condition(rollout.deployment, "Progressing")
    if deadline_of(deployment) is None:
        return None
    if deployment["spec"].get("paused"):
        if present and present["reason"] in (Reason.TIMED_OUT, Reason.PAUSED):
            return present
        return _condition("Progressing", Reason.PAUSED, "Deployment is paused", "Unknown")
    if rollout.created:
        return _condition("Progressing", Reason.CREATED, f'Created new replica set "{rollout.created}"')
    if present and present["reason"] == Reason.PAUSED:
        return _condition("Progressing", Reason.RESUMED, "Deployment is resumed", "Unknown")
    if present and present["reason"] == Reason.COMPLETE and counts["replicas"] == counts["updatedReplicas"]:
        return present
    name = rollout.new["metadata"]["name"] if rollout.new else deployment["metadata"]["name"]
    subject = f'{"ReplicaSet" if rollout.new else "Deployment"} "{name}"'
    if is_complete(deployment, counts):
        return _condition("Progressing", Reason.COMPLETE, f"{subject} has successfully progressed.")
    if _has_progressed(deployment, counts):
        # Progress renews lastUpdateTime, from which the deadline counts, even if nothing else changes.
        updated = _condition("Progressing", Reason.UPDATED, f"{subject} is progressing.")
        return {**updated, "lastUpdateTime": timestamp(rollout.now)}
    left = time_left(deployment, rollout.now)
    if left is not None and left < timedelta():
        return _condition("Progressing", Reason.TIMED_OUT, f"{subject} has timed out progressing.", "False")
    return present or _condition("Progressing", Reason.FOUND, f'Found new replica set "{name}"')


def is_complete(deployment: Json, counts: dict[str, int]) -> bool:
    """Whether every pod is of the new revision and available, and no other is left."""
    desired = deployment["spec"].get("replicas", 1)
    return all(counts[name] == desired for name in ("updatedReplicas", "replicas", "availableReplicas"))


def _has_progressed(deployment: Json, counts: dict[str, int]) -> bool:
    before = {name: (deployment.get("status") or {}).get(name, 0) for name in counts}
    grown = any(
        counts[name] > before[name] for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    old_pods = counts["replicas"] - counts["updatedReplicas"]
    return grown or old_pods < before["replicas"] - before["updatedReplicas"]


def _condition(kind: str, reason: Reason, message: str, value: str = "True") -> Json:
    return {"type": kind, "status": value, "reason": str(reason), "message": message}


def _dated(deployment: Json, wanted: Json, now: datetime) -> Json:
    """The condition with its times; one that says the same as before keeps them, text included."""
    present = condition(deployment, wanted["type"])
    same = present is not None and (present["status"], present["reason"]) == (
        wanted["status"],
        wanted["reason"],
    )
    if present is not None and same and wanted.get("lastUpdateTime") in (None, present["lastUpdateTime"]):
        return present
    turned = present is None or present["status"] != wanted["status"]
    since = timestamp(now) if turned or present is None else present["lastTransitionTime"]
    return {"lastUpdateTime": timestamp(now), **wanted, "lastTransitionTime": since}
