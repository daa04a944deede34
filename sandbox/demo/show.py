"""All that is known of the demo right now: what happened, what users got, what the gauges say.

Written by watch, users, gauges and play; read by view, judge and report. Values only: no I/O, no drawing.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from sandbox.demo.scenarios import Scenario
from shared.types.status import Phase

RESTING = frozenset({Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED})
"""Phases in which nothing more happens by itself."""
RECENT = 10
"""So many of the users' last answers are remembered, for the version that they are on."""
FEED = 100
NO_ANSWER = "no answer"


class Kind(StrEnum):
    """What a line of the feed is."""

    TITLE = "title"
    NOTE = "note"
    COMMAND = "command"
    OUTPUT = "output"
    REFUSAL = "refusal"
    PHASE = "phase"
    EVENT = "event"
    WARNING = "warning"
    USERS = "users"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the feed."""

    at: datetime
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class PhaseSeen:
    at: datetime
    phase: Phase


@dataclass(frozen=True, slots=True)
class WeightSeen:
    at: datetime
    weight: int
    """Percent of the users that get the canary."""


@dataclass(frozen=True, slots=True)
class EventSeen:
    at: datetime
    type: str
    """Normal or Warning."""
    message: str


@dataclass(slots=True)
class Users:
    """What users got: their requests, not those of load tests."""

    total: int = 0
    failed: int = 0
    early: int = 0
    """Answers of a version before its turn."""
    by_status: Counter[str] = field(default_factory=Counter)
    by_version: Counter[str] = field(default_factory=Counter)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT))
    """Versions that answered last."""

    def answered(self, status: int, version: str) -> None:
        """Count an answer; what is not a 2xx has failed."""
        self._count(str(status), failed=status // 100 != 2)  # noqa: PLR2004 - the 2 of 2xx
        if version:
            self.by_version[version] += 1
            self.recent.append(version)

    def unanswered(self) -> None:
        """Count a request that nobody answered."""
        self._count(NO_ANSWER, failed=True)

    def _count(self, status: str, *, failed: bool) -> None:
        self.total += 1
        self.failed += failed
        self.by_status[status] += 1


@dataclass(frozen=True, slots=True)
class Gauge:
    """How one workload does."""

    success: float | None = None
    """Percent of its requests."""
    p99: float | None = None
    """Milliseconds."""


@dataclass(slots=True)
class Act:
    """One scenario as it went, or goes."""

    scenario: Scenario
    started: datetime
    phases: list[PhaseSeen] = field(default_factory=list)
    weights: list[WeightSeen] = field(default_factory=list)
    events: list[EventSeen] = field(default_factory=list)
    users: Users = field(default_factory=Users)
    climbs: int = 0
    """How many times the canary's share of the route has begun to rise from nothing."""
    ended: datetime | None = None
    problem: str = ""
    """Why it did not end as it should; empty if it did, or is still under way."""

    @property
    def phase(self) -> Phase | None:
        """The phase that it has come to; None if it has not moved yet."""
        return self.phases[-1].phase if self.phases else None

    @property
    def at_rest(self) -> bool:
        """Whether it has come to an end by itself."""
        return self.phase in RESTING

    def is_early(self, version: str) -> bool:
        """Whether it is not yet this version's turn to have users."""
        turns = self.scenario.turns
        return version in turns and turns.index(version) >= self.climbs

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken by now."""
        return ((self.ended or now) - self.started).total_seconds()


def local_time() -> datetime:
    """The time, as the audience's clock shows it."""
    return datetime.now(UTC).astimezone()


@dataclass(slots=True)
class Show:
    """The demo so far. Each change wakes those that wait in `until`, and each line is handed to `on_line`."""

    story: tuple[Scenario, ...]
    clock: Callable[[], datetime] = local_time
    on_line: Callable[[Line], None] = lambda line: None
    acts: list[Act] = field(default_factory=list)
    phase: Phase = Phase.NONE
    weight: int = 0
    share: int = 0
    """The canary's weight in the route itself, which is there before the Canary's status tells it."""
    gauges: dict[str, Gauge] = field(default_factory=dict)
    """Of `primary` and `canary`."""
    feed: deque[Line] = field(default_factory=lambda: deque(maxlen=FEED))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def act(self) -> Act | None:
        """The scenario on stage."""
        return self.acts[-1] if self.acts else None

    def begin(self, scenario: Scenario) -> Act:
        """Open a scenario: what is seen from now on belongs to it."""
        act = Act(scenario, self.clock())
        self.acts.append(act)
        self.tell(Kind.TITLE, f"{scenario.name}: {scenario.story}")
        return act

    def tell(self, kind: Kind, text: str) -> None:
        """Add a line to the feed."""
        line = Line(self.clock(), kind, text)
        self.feed.append(line)
        self.on_line(line)
        self._changed.set()

    def see_canary(self, phase: Phase, weight: int) -> None:
        """The Canary's status, as it is now."""
        now, act = self.clock(), self.act
        moved, shifted = phase is not self.phase, weight != self.weight
        self.phase, self.weight = phase, weight
        if act and shifted:
            act.weights.append(WeightSeen(now, weight))
        if act and moved:
            act.phases.append(PhaseSeen(now, phase))
            self.tell(Kind.PHASE, str(phase))
        self._changed.set()

    def see_route(self, share: int) -> None:
        """The canary's weight in the route, as it is now."""
        if self.act and share and not self.share:
            self.act.climbs += 1
        self.share = share
        self._changed.set()

    def see_event(self, kind: str, message: str) -> None:
        """An Event of the Canary; each of its lines is one of its own."""
        for text in message.splitlines():
            if self.act:
                self.act.events.append(EventSeen(self.clock(), kind, text))
            self.tell(Kind.WARNING if kind == "Warning" else Kind.EVENT, text)

    def user_answered(self, status: int, version: str) -> None:
        """A user got an answer; version is empty where it does not tell."""
        if self.act:
            self.act.users.answered(status, version)
            self.act.users.early += self.act.is_early(version)
        self._changed.set()

    def user_unanswered(self) -> None:
        """A user got none."""
        if self.act:
            self.act.users.unanswered()
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; looked at after each change."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()
