"""How a new revision is tried: how often it is looked at, how traffic moves to it, when it has failed.

`spec.analysis` of a Canary, with the facts that follow from it. Flagger's defaults live here, and only here.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from shared.types.checks import Alert, HookType, Metric, Webhook
from shared.types.meta import Wire
from shared.types.scalars import (
    Between,
    Count,
    Duration,
    Flag,
    Name,
    Percent,
    Text,
    Variables,
    Weight,
    Whole,
    check_exactly_one,
    exactly_one,
)


class Strategy(StrEnum):
    """What an analysis amounts to; the values are labels of Flagger's metrics."""

    CANARY = "canary"
    BLUE_GREEN = "blue-green"
    AB_TESTING = "ab-testing"


class SameSite(StrEnum):
    """A cookie's SameSite attribute."""

    STRICT = "Strict"
    LAX = "Lax"
    NONE = "None"


class StringMatch(Wire):
    """How a text has to look; one of the ways."""

    model_config = ConfigDict(json_schema_extra=exactly_one("exact", "prefix", "suffix", "regex"))

    exact: Text | None = None
    """The whole text."""
    prefix: Text | None = None
    """How it starts."""
    suffix: Text | None = None
    """How it ends."""
    regex: Text | None = None
    """A regular expression for all of it."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        check_exactly_one(
            {"exact": self.exact, "prefix": self.prefix, "suffix": self.suffix, "regex": self.regex}
        )
        return self


StringMatches = Annotated[dict[Name, StringMatch], Field(max_length=32)]


class RequestMatch(Wire):
    """Which requests go to the canary in A/B testing; all that is given has to match."""

    headers: StringMatches = Field(default_factory=dict)
    """Headers by name, in lower case."""
    query_params: StringMatches = Field(default_factory=dict)
    """Query parameters by name."""
    source_labels: Variables = Field(default_factory=dict)
    """Labels of the pod that the request comes from. Istio only."""


class SessionAffinity(Wire):
    """Keep a user on the version that they first got, by cookie."""

    cookie_name: Name
    """Name of the cookie."""
    primary_cookie_name: Name | None = None
    """Name of the cookie of users who stay on the primary."""
    domain: Text | None = None
    """Domain attribute."""
    path: Text | None = None
    """Path attribute."""
    max_age: Count = 86400
    """Seconds that the cookie lives."""
    http_only: Flag = False
    """Hide the cookie from scripts."""
    secure: Flag = False
    """Send the cookie over TLS only."""
    partitioned: Flag = False
    """Keep one cookie for each top-level site."""
    same_site: SameSite | None = None
    """SameSite attribute."""


class Analysis(Wire):
    """How a new revision is analysed. Exactly one of iterations, stepWeight and stepWeights says how."""

    model_config = ConfigDict(json_schema_extra=exactly_one("iterations", "stepWeight", "stepWeights"))

    interval: Duration = timedelta(seconds=60)
    """Time between two rounds of checks."""
    threshold: Count = 1
    """Failed checks that roll the revision back, counted over the whole analysis. 0 means 1."""
    step_weight: Weight | None = None
    """Percent of traffic that each step adds."""
    step_weights: Annotated[tuple[Weight, ...], Field(min_length=1, max_length=100)] | None = None
    """The canary's share of traffic at each step, in percent, ascending."""
    max_weight: Percent = 0
    """Percent of traffic at which the revision is promoted. 0 means 100. Not used with stepWeights: they end
    at their last."""
    step_weight_promotion: Percent = 0
    """Percent of traffic that each step of the promotion gives back to the primary. 0 gives all at once."""
    iterations: Annotated[Whole, Between(1, 10000)] | None = None
    """Rounds of checks, for A/B testing (with match) and Blue/Green."""
    mirror: Flag = False
    """Send the canary copies of requests before it gets any of its own."""
    mirror_weight: Percent = 0
    """Percent of requests to copy."""
    primary_ready_threshold: Weight = 100
    """Percent of the primary's pods that have to be available."""
    canary_ready_threshold: Weight = 100
    """Percent of the canary's pods that have to be available."""
    match: Annotated[tuple[RequestMatch, ...], Field(max_length=32)] = ()
    """Requests that go to the canary in A/B testing; one of the entries has to match."""
    metrics: Annotated[tuple[Metric, ...], Field(max_length=64)] = ()
    """Measurements of each round."""
    webhooks: Annotated[tuple[Webhook, ...], Field(max_length=64)] = ()
    """Hooks, called in this order."""
    alerts: Annotated[tuple[Alert, ...], Field(max_length=32)] = ()
    """Whom to tell, instead of the controller's own channel."""
    session_affinity: SessionAffinity | None = None
    """Keep users on the version that they first got."""

    @model_validator(mode="after")
    def _one_strategy(self) -> Self:
        check_exactly_one(
            {"iterations": self.iterations, "stepWeight": self.step_weight, "stepWeights": self.step_weights}
        )
        return self

    @property
    def interval_seconds(self) -> float:
        """Seconds between two rounds. As written: Flagger waits at least 10 whatever it says."""
        return self.interval.total_seconds()

    @property
    def effective_threshold(self) -> int:
        """Failed checks that roll back, at least one."""
        return max(1, self.threshold)

    @property
    def steps(self) -> tuple[int, ...]:
        """The canary's weights in order, the last of which is followed by promotion. None with iterations.

        `stepWeight: 20, maxWeight: 50` gives 20, 40, 50: the last step is cut, where Flagger goes to 60.
        """
        if self.step_weights is not None:
            return self.step_weights
        if self.step_weight is None:
            return ()
        last = self.max_weight or 100
        return (*range(self.step_weight, last, self.step_weight), last)

    @property
    def strategy(self) -> Strategy:
        """Which of the three this is."""
        if self.iterations is None:
            return Strategy.CANARY
        return Strategy.AB_TESTING if self.match else Strategy.BLUE_GREEN

    def has_hook(self, kind: HookType) -> bool:
        """Whether any hook of the kind is called."""
        return any(hook.type is kind for hook in self.webhooks)
