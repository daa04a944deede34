"""What the webhooks need to know of a Canary, whatever else is in it."""

from dataclasses import dataclass

from shared.types.canary import Phase


@dataclass(frozen=True, slots=True)
class Governed:
    """A Canary, as far as it decides about the Deployment that it rolls out."""

    namespace: str
    name: str
    uid: str
    target: str
    """Name of the Deployment."""
    apex: str
    autoscaler: str
    """Name of the autoscaler; empty without one."""
    phase: Phase
    suspended: bool = False
    deleting: bool = False

    @property
    def has_primary(self) -> bool:
        """Whether the primary serves, so that the target's replicas are the rollout's."""
        return self.phase not in (Phase.NONE, Phase.INITIALIZING)
