"""What the controller times, on a clock of the tests."""

from dataclasses import replace

from controller.observation import Endpoints, Observation
from controller.stopwatches import Stopwatches
from shared.types.canary import Phase
from tests.builders import NEW, NEWER, canary, observation, target

KEY = ("test", "podinfo")


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def analysing(weight: int = 0, template: str = NEW) -> Observation:
    of = canary(Phase.PROGRESSING, status={"lastAppliedSpec": template, "canaryWeight": weight})
    return observation(of, target=target(template, replicas=2), endpoints=Endpoints(2, 2))


def test_the_first_round_of_a_revision_need_not_wait_even_behind_a_gate() -> None:
    clock = Clock()
    watches = Stopwatches(clock)
    watches.read(KEY, replace(analysing(), canary=canary(Phase.WAITING)))
    clock.now = 5.0
    watches.judged(KEY)
    assert watches.read(KEY, analysing()).elapsed.fresh


def test_a_newer_revision_starts_afresh_whatever_weight_the_old_one_had() -> None:
    clock = Clock()
    watches = Stopwatches(clock)
    watches.read(KEY, analysing(20))
    watches.judged(KEY)
    landed = replace(analysing(20), target=target(NEWER, replicas=2))
    assert watches.read(KEY, landed).elapsed.fresh
    assert watches.read(KEY, analysing(0, NEWER)).elapsed.fresh


def test_a_verdict_in_the_status_restarts_the_interval_although_nobody_told() -> None:
    clock = Clock()
    watches = Stopwatches(clock)
    watches.read(KEY, analysing(0))
    clock.now = 30.0
    elapsed = watches.read(KEY, analysing(10)).elapsed
    assert (elapsed.analysis, elapsed.fresh) == (0.0, False)


def test_the_deadline_counts_only_while_the_canary_is_not_ready() -> None:
    clock = Clock()
    watches = Stopwatches(clock)
    unready = replace(analysing(), endpoints=Endpoints(2, 0))
    watches.read(KEY, unready)
    clock.now = 7.0
    assert watches.read(KEY, unready).elapsed.canary_unready == 7.0
    watches.read(KEY, analysing())
    clock.now = 9.0
    assert watches.read(KEY, unready).elapsed.canary_unready == 0.0
