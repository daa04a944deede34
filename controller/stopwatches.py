"""How long things have been so, on the monotonic clock.

Kept in memory only: after a restart every watch starts anew, so a jump of the wall clock or a restart can
make the controller wait longer, never act too early.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.observation import Elapsed, Observation
from controller.phases.step import canary_readiness, primary_readiness
from controller.readiness import Waiting
from shared.types.canary import Phase

Key = tuple[str, str]

_ANALYSED = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)


@dataclass(slots=True)
class _Laps:
    subject: tuple[str, str, bool] = ("", "", False)
    verdicts: tuple[int, int] = (0, 0)  # what the status says came of the rounds so far
    analysis: float = 0.0
    fresh: bool = True
    route: float = 0.0
    canary_unready: float | None = None
    primary_unready: float | None = None


class Stopwatches:
    """The stopwatches of every Canary. `clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._laps: dict[Key, _Laps] = {}

    def judged(self, key: Key) -> None:
        """A round of checks was used up."""
        laps = self._of(key)
        laps.analysis, laps.fresh = self._clock(), False

    def rerouted(self, key: Key) -> None:
        """The weights that Traefik is given changed."""
        self._of(key).route = self._clock()

    def forget(self, key: Key) -> None:
        """The Canary is gone."""
        self._laps.pop(key, None)

    def read(self, key: Key, seen: Observation) -> Observation:
        """The observation with its elapsed times. Starts and stops what depends on what is seen."""
        laps, now = self._of(key), self._clock()
        subject = _subject(seen)
        verdicts = (seen.canary.status.canary_weight, seen.canary.status.failed_checks)
        if laps.subject != subject:
            laps.subject, laps.analysis, laps.fresh, laps.canary_unready = subject, now, True, None
        elif verdicts not in (laps.verdicts, (0, 0)):  # judged, even if the answer to the write got lost
            laps.analysis, laps.fresh = now, False
        laps.verdicts = verdicts
        canary_waits = (
            seen.target is not None
            and not seen.canary.spec.suspend
            and seen.canary.status.phase in _ANALYSED
            and isinstance(canary_readiness(seen, seen.target), Waiting)
        )
        primary_waits = seen.canary.status.phase is Phase.PROMOTING and isinstance(
            primary_readiness(seen), Waiting
        )
        laps.canary_unready = _since(laps.canary_unready, now) if canary_waits else None
        laps.primary_unready = _since(laps.primary_unready, now) if primary_waits else None
        elapsed = Elapsed(
            analysis=now - laps.analysis,
            fresh=laps.fresh,
            route=now - laps.route,
            canary_unready=now - _since(laps.canary_unready, now),
            primary_unready=now - _since(laps.primary_unready, now),
        )
        return replace(seen, elapsed=elapsed)

    def _of(self, key: Key) -> _Laps:
        if key not in self._laps:
            self._laps[key] = _Laps(analysis=self._clock(), route=self._clock())
        return self._laps[key]


def _subject(seen: Observation) -> tuple[str, str, bool]:
    """What rounds are about: of which Canary, which revision, and whether it is analysed or at its gate."""
    template = seen.target.template_hash if seen.target is not None else ""
    resting = seen.canary.status.phase in (Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED, Phase.WAITING)
    return seen.canary.metadata.uid, template, resting


def _since(start: float | None, now: float) -> float:
    return now if start is None else start
