"""What one pass sees: frozen values, taken from the caches by `observe`, read by `decide`.

Projections are what the informers keep of an object. They hold the parts that decisions read as plain
fields and the parts that are only copied (a pod template, a Service's spec) as compact JSON, because a
parsed Deployment costs ten times its bytes and a thousand Canaries bring two thousand of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import orjson

from shared.hold import Hold, Rollout
from shared.resources import Resource
from shared.types.canary import Canary, Phase
from shared.types.meta import Json


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object as far as it is compared with what it should be.

    `body` is JSON with `metadata.labels`, `metadata.annotations`, `metadata.ownerReferences` and `spec`.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    owner: str  # uid of the controlling owner, "" if nobody controls it
    body: bytes

    def json(self) -> Json:
        """The parsed body."""
        parsed: Json = orjson.loads(self.body)
        return parsed


@dataclass(frozen=True, slots=True)
class Workload(Manifest):
    """A Deployment: `body` as in Manifest, and the facts that decisions read."""

    generation: int
    replicas: int  # spec.replicas
    paused: bool
    template_hash: str  # of spec.template, see shared.revision
    revision: str  # on a primary: the hash of the target's template that it was copied from, else ""
    first_template: bool  # no other template was ever rolled out under this name
    observed_generation: int
    updated: int  # status.updatedReplicas
    total: int  # status.replicas
    available: int  # status.availableReplicas
    deadline_exceeded: bool  # condition Progressing is False, reason ProgressDeadlineExceeded
    canary: str = ""  # name of the Canary that governs it, as its label says
    hold: Hold | None = None  # on a target: a template that waits at admission
    rollout: Rollout | None = None  # on a target: who changed the template last
    given: int | None = None  # on a target: the replicas that the controller gave it
    asked: int | None = None  # on a target: the application's size that somebody asked for

    @property
    def runs(self) -> str:
        """Hash of the template that the pods have, or will have when the rollout is through. What holds is
        the pause: without it, whatever the annotation says, they get the newest."""
        return self.hold.runs if self.hold is not None and self.paused else self.template_hash


@dataclass(frozen=True, slots=True)
class Serving:
    """The ReplicaSet of a target that has most of its ready pods."""

    template: Json  # as in the Deployment that it was made from
    ready: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Ready endpoints behind the generated Services."""

    primary: int = 0
    canary: int = 0


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of the traffic in percent; they sum to 100."""

    primary: int
    canary: int


class CheckKind(StrEnum):
    """What a check of a round is; hook kinds are spelled as in `spec.analysis.webhooks[].type`."""

    CONFIRM_ROLLOUT = "confirm-rollout"
    PRE_ROLLOUT = "pre-rollout"
    ROLLOUT = "rollout"
    CONFIRM_TRAFFIC_INCREASE = "confirm-traffic-increase"
    CONFIRM_PROMOTION = "confirm-promotion"
    ROLLBACK = "rollback"
    METRIC = "metric"


@dataclass(frozen=True, slots=True)
class Check:
    """One question of a round: the `index`-th entry of `spec.analysis.webhooks` or of `metrics`."""

    kind: CheckKind
    index: int
    name: str


class Failure(StrEnum):
    """Why a check has no good answer. A bad value is not among them: that is for `judge` to say."""

    REFUSED = "refused"  # the hook was reached and said no
    UNAVAILABLE = "unavailable"  # the hook or the metrics provider could not be asked
    NO_DATA = "no-data"  # nothing, NaN, or samples that are too old
    MANY_SERIES = "many-series"
    BAD_QUERY = "bad-query"  # the template, its reference or its secret is wrong


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a check: a metric's value, or for a hook that it passed; or a failure and its text."""

    check: Check
    value: float | None = None
    failure: Failure | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class RoundId:
    """The state for which a round of checks was asked; answers for any other state are void."""

    uid: str
    phase: Phase
    revision: str
    weight: int
    failed_checks: int


@dataclass(frozen=True, slots=True)
class Round:
    """A round of checks in order. It ends early at the first check that stops it (see `judge`)."""

    id: RoundId
    done: bool
    results: tuple[Result, ...] = ()


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Seconds on the monotonic clock, each since this process first saw it so."""

    analysis: float = 0.0  # since the last round was judged, or the revision was first seen
    fresh: bool = True  # no round was judged yet for this revision, as far as this process knows
    route: float = 0.0  # since the weights that Traefik is given last changed
    canary_unready: float = 0.0
    primary_unready: float = 0.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the process was told and what the cluster offers: the same for every Canary."""

    provider: str = "traefik"  # of Canaries that name none
    selector_labels: tuple[str, ...] = ("app", "name", "app.kubernetes.io/name")
    include_label_prefix: tuple[
        str, ...
    ] = ()  # labels and annotations copied to generated objects; "*" is all
    traefik_services: Resource | None = None  # None: the cluster serves no TraefikService
    drain: float = 3.0  # seconds that Traefik gets to stop using pods before they go


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a decision about one Canary rests on."""

    canary: Canary
    now: datetime  # wall clock, for timestamps only
    options: Options = field(default_factory=Options)
    target: Workload | None = None
    primary: Workload | None = None
    services: Mapping[str, Manifest] = field(default_factory=dict)  # by name: apex, -primary, -canary
    autoscaler: Manifest | None = None
    primary_autoscaler: Manifest | None = None
    route: Manifest | None = None  # the TraefikService named as the apex
    serving: Serving | None = None  # while the primary is to be made of a target that is being changed
    claimed_by: str = ""  # an older Canary with the same target or apex, which alone acts
    endpoints: Endpoints = field(default_factory=Endpoints)
    elapsed: Elapsed = field(default_factory=Elapsed)
    round: Round | None = None
