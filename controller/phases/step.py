"""What a phase function returns, and the facts that several of them read off an Observation."""

from dataclasses import dataclass, field
from typing import Unpack

from controller import status as statuses
from controller.decision import Action, Event, EventType
from controller.observation import Observation, Workload
from controller.readiness import Ready, Waiting, readiness
from controller.status import Changes
from shared.errors import Blocked
from shared.types.canary import Canary, CanaryStatus, Phase


@dataclass(frozen=True, slots=True)
class Step:
    """A Decision without its route.

    `actions` come before the route is written, `then` after it: pods are added before they get traffic
    and taken away after they lost it.
    """

    status: CanaryStatus
    reason: str
    actions: tuple[Action, ...] = ()
    then: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    judged: bool = False
    route: bool = field(default=True, kw_only=True)  # False while nothing may be routed yet


def full_name(canary: Canary) -> str:
    """`name.namespace`, as Flagger's messages name a Canary."""
    return f"{canary.metadata.name}.{canary.metadata.namespace}"


def warning(message: str) -> Event:
    """An Event of type Warning."""
    return Event(message, EventType.WARNING)


def stay(seen: Observation, reason: str, *, requeue_after: float | None = None) -> Step:
    """Change nothing and look again on the next event, or after that many seconds."""
    return Step(seen.canary.status, reason, requeue_after=requeue_after)


def enter(seen: Observation, phase: Phase, **changes: Unpack[Changes]) -> CanaryStatus:
    """The status that enters a phase, with its condition and time."""
    return statuses.enter(seen.canary, phase, seen.now, **changes)


def update(seen: Observation, **changes: Unpack[Changes]) -> CanaryStatus:
    """The status of the same phase with some fields changed."""
    return statuses.update(seen.canary, seen.now, **changes)


def live_target(seen: Observation) -> Workload:
    """The target.

    Raises:
        Blocked: there is none.
    """
    if seen.target is None:
        ref = seen.canary.spec.target_ref
        raise Blocked(
            "TargetNotFound",
            f"{ref.kind} {ref.name}.{seen.canary.metadata.namespace} not found; "
            "create it or delete the Canary",
        )
    return seen.target


def canary_readiness(seen: Observation, target: Workload) -> Ready | Waiting:
    """Whether the canary's pods may get traffic: rolled out, and behind its Service."""
    rolled_out = readiness(target, seen.canary.spec.analysis.canary_ready_threshold)
    if isinstance(rolled_out, Waiting):
        return rolled_out
    if seen.endpoints.canary == 0:
        return Waiting("waiting for ready endpoints of its Service")
    return rolled_out


def primary_readiness(seen: Observation) -> Ready | Waiting:
    """Whether the primary is rolled out and behind its Service."""
    if seen.primary is None:
        return Waiting("waiting for the Deployment to be created")
    rolled_out = readiness(seen.primary, seen.canary.spec.analysis.primary_ready_threshold)
    if isinstance(rolled_out, Waiting):
        return rolled_out
    if seen.endpoints.primary == 0:
        return Waiting("waiting for ready endpoints of its Service")
    return rolled_out


def drained(seen: Observation) -> float:
    """Seconds until the canary's pods may go; 0 when Traefik has had the time to stop using them."""
    return max(0.0, seen.options.drain - seen.elapsed.route)
