"""What one pass wants done: a value that `decide` returns and `act` carries out.

Actions are absolute and idempotent: carrying a decision out twice leaves what once leaves.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.observation import Check, RoundId
from shared.resources import Resource
from shared.types.canary import CanaryStatus, HookType
from shared.types.meta import Json


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object that should be there."""

    resource: Resource
    manifest: Json


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge-patch an object. `body.metadata.resourceVersion`, where given, is the one that was observed."""

    resource: Resource
    name: str
    body: Json


@dataclass(frozen=True, slots=True)
class Scale:
    """Set a target's replicas, and put on it that the controller gave it so many."""

    name: str
    replicas: int


@dataclass(frozen=True, slots=True)
class RunChecks:
    """Ask a round of checks in the background; its end wakes the Canary again."""

    id: RoundId
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class CallHooks:
    """Call the hooks of a type whose answers change nothing (post-rollout, event)."""

    type: HookType


Write = Create | Patch
Action = Create | Patch | Scale | RunChecks | CallHooks


class EventType(StrEnum):
    """Types of Kubernetes Events."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """A message for the user. A held one waits to go out with the Canary's next event."""

    message: str
    type: EventType = EventType.NORMAL
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The whole next status, what to do in this order, what to tell, and when to look again (seconds)."""

    status: CanaryStatus
    reason: str
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    judged: bool = False  # the round in the observation was used up
