"""Whether a Deployment's pods are what its template says, and enough of them are available. Pure.

Asked by the phases before anything is routed to a workload. The messages are Flagger's: people grep for them.
"""

from dataclasses import dataclass

from controller.observation import Workload


@dataclass(frozen=True, slots=True)
class Ready:
    """Rolled out, with enough pods available."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not ready, and why."""

    message: str


def readiness(workload: Workload, threshold_percent: int) -> Ready | Waiting:
    """Judge a workload that is meant to serve: without pods it is not ready.

    `threshold_percent` of the updated pods have to be available, rounded up and at least one. Rounding down
    would call a single unavailable pod ready at 99 percent.
    """
    rollout = "waiting for rollout to finish"
    if workload.observed_generation < workload.generation:
        return Waiting(f"{rollout}: observed deployment generation less than desired generation")
    if workload.replicas == 0:
        return Waiting(f"{rollout}: the deployment is scaled to zero")
    if workload.deadline_exceeded:
        return Waiting(f'deployment "{workload.name}" exceeded its progress deadline')
    if workload.updated < workload.replicas:
        new = f"{workload.updated} out of {workload.replicas} new replicas have been updated"
        return Waiting(f"{rollout}: {new}")
    if workload.total > workload.updated:
        return Waiting(f"{rollout}: {workload.total - workload.updated} old replicas are pending termination")
    needed = max(1, -(-workload.updated * threshold_percent // 100))
    if workload.available < needed:
        return Waiting(f"{rollout}: {workload.available} of {needed} updated replicas are available")
    return Ready()
