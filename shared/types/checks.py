"""What an analysis asks and whom it tells: metrics, hooks, alerts.

The parts of `spec.analysis` that come in lists; apart from analysis.py, which says how traffic moves.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from shared.types.meta import NamespacedRef, Wire
from shared.types.scalars import (
    Address,
    Between,
    Duration,
    Flag,
    LongTexts,
    Name,
    Number,
    Query,
    Variables,
    Whole,
)


class HookType(StrEnum):
    """When a hook is called."""

    CONFIRM_ROLLOUT = "confirm-rollout"
    """Before a new revision is scaled up; it waits until the hook agrees."""
    PRE_ROLLOUT = "pre-rollout"
    """Before the first traffic."""
    ROLLOUT = "rollout"
    """In each round, before the metrics."""
    CONFIRM_TRAFFIC_INCREASE = "confirm-traffic-increase"
    """Before each step."""
    CONFIRM_PROMOTION = "confirm-promotion"
    """Before the promotion."""
    POST_ROLLOUT = "post-rollout"
    """After promotion or rollback."""
    ROLLBACK = "rollback"
    """In each round; agreement rolls back."""
    EVENT = "event"
    """On every event."""


class AlertSeverity(StrEnum):
    """The least that an alert is sent for."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class ThresholdRange(Wire):
    """The values that pass, both ends included."""

    min: Number | None = None
    """The least value that passes."""
    max: Number | None = None
    """The greatest value that passes."""


class Metric(Wire):
    """A measurement and the values of it that pass."""

    name: Name
    """request-success-rate (percent), request-duration (milliseconds, 99th percentile), or any name, with a
    template."""
    interval: Duration = timedelta(minutes=1)
    """How far back the query looks."""
    threshold: Number | None = None
    """Deprecated: use thresholdRange. The least success rate, or the greatest value of any other metric."""
    threshold_range: ThresholdRange | None = None
    """The values that pass."""
    query: Query | None = None
    """Deprecated: use templateRef. A Prometheus query."""
    template_ref: NamespacedRef | None = None
    """The MetricTemplate with the query."""
    template_variables: Variables = Field(default_factory=dict)
    """Values for the template's `variables`."""


class Webhook(Wire):
    """A URL that is asked or told about the rollout. A status of 200, 201 or 202 means yes."""

    type: Annotated[
        HookType,
        BeforeValidator(lambda value: value if value != "" else HookType.ROLLOUT),
        WithJsonSchema({"type": "string", "enum": ["", *HookType]}),
    ] = HookType.ROLLOUT
    """When the hook is called."""
    name: Name
    """Name, as in events."""
    url: Address
    """Where the hook is posted to."""
    mute_alert: Flag = False
    """Send no alert about this hook."""
    timeout: Duration = timedelta(seconds=10)
    """Longest wait for one attempt."""
    metadata: LongTexts = Field(default_factory=dict)
    """Sent along; what it means is up to the receiver."""
    retries: Annotated[Whole, Between(0, 10)] = 0
    """Further attempts when the receiver cannot be reached or answers 429 or 5xx."""
    disable_tls: Annotated[Flag, Field(alias="disableTLS")] = False
    """Do not verify the receiver's certificate."""


class Alert(Wire):
    """Whom to tell about this Canary."""

    name: Name
    """Name of the alert."""
    severity: Annotated[
        AlertSeverity,
        BeforeValidator(lambda value: value if value != "" else AlertSeverity.INFO),
        WithJsonSchema({"type": "string", "enum": ["", *AlertSeverity]}),
    ] = AlertSeverity.INFO
    """The least that is sent."""
    provider_ref: NamespacedRef
    """The AlertProvider that sends it."""
