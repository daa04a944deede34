"""What a Canary's status says. Written by the controller; read by people, `kubectl wait` and the controller.

Apart from the spec because its author differs, and so do its bounds: what is stored must always be readable.
"""

from enum import StrEnum

from shared.types.meta import Wire
from shared.types.scalars import Time, Whole


class Phase(StrEnum):
    """Where a Canary is. Flagger's spelling: people and scripts look for it."""

    NONE = ""
    """Just created."""
    INITIALIZING = "Initializing"
    """Primary and Services are being made."""
    INITIALIZED = "Initialized"
    """The primary serves; nothing was rolled out yet."""
    WAITING = "Waiting"
    """A new revision waits for approval."""
    PROGRESSING = "Progressing"
    """A new revision is being analysed."""
    WAITING_PROMOTION = "WaitingPromotion"
    """The analysis passed and waits for approval."""
    PROMOTING = "Promoting"
    """The primary takes over the revision."""
    FINALISING = "Finalising"
    """Traffic is on the primary; the target is being scaled down."""
    SUCCEEDED = "Succeeded"
    """The last revision was promoted."""
    FAILED = "Failed"
    """The last revision was rolled back."""
    TERMINATING = "Terminating"
    """The Canary is being deleted and what it took over restored."""
    TERMINATED = "Terminated"
    """Restored."""


class Condition(Wire):
    """One fact about a Canary, with the reason for it."""

    type: str
    """What it is about: Promoted, for one."""
    status: str
    """True, False or Unknown."""
    reason: str
    """One CamelCase word; of Promoted it is the phase."""
    message: str = ""
    """The same for people."""
    last_update_time: Time | None = None
    """When it was last written."""
    last_transition_time: Time | None = None
    """When its status last changed."""


class CanaryStatus(Wire):
    """What the controller has done and knows."""

    phase: Phase = Phase.NONE
    """Where the Canary is."""
    failed_checks: Whole = 0
    """Failed checks of the current analysis; it is rolled back when they reach the threshold."""
    canary_weight: Whole = 0
    """Share of the traffic that goes to the canary, in percent."""
    iterations: Whole = 0
    """Rounds done of the current analysis, for A/B testing and Blue/Green."""
    previous_session_affinity_cookie: str | None = None
    """Session affinity cookie of the analysis before."""
    session_affinity_cookie: str | None = None
    """Session affinity cookie of the current analysis."""
    primary_session_affinity_cookie: str | None = None
    """Session affinity cookie of the primary."""
    tracked_configs: dict[str, str] | None = None
    """Checksums of the ConfigMaps and Secrets that the target uses."""
    last_applied_spec: str = ""
    """Hash of the pod template that was last taken up."""
    last_promoted_spec: str = ""
    """Hash of the pod template that the primary runs."""
    last_transition_time: Time | None = None
    """When the phase last changed."""
    observed_generation: Whole | None = None
    """Generation of the Canary that this status is about."""
    conditions: tuple[Condition, ...] = ()
    """Facts about the Canary; `kubectl wait canary/NAME --for=condition=promoted` waits for one."""
