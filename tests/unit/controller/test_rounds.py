"""Rounds: in order, ended early, replaced, and never stuck."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.decision import CallHooks, Event, RunChecks
from controller.hooks import Answer
from controller.observation import Check, CheckKind, Failure, Result, RoundId
from controller.rounds import RoundRunner
from shared.errors import AppError, InvalidSpec, ManySeries, MetricsUnavailable, NoData
from shared.types.canary import Canary, HookType, Metric, Phase, Webhook
from tests.builders import canary

KEY = ("test", "podinfo")
PRE, GATE, LOAD = (
    Check(CheckKind.PRE_ROLLOUT, 0, "smoke"),
    Check(CheckKind.CONFIRM_TRAFFIC_INCREASE, 1, "gate"),
    Check(CheckKind.ROLLOUT, 2, "load"),
)
METRIC = Check(CheckKind.METRIC, 0, "mine")
HOOKS = [
    {"name": "smoke", "type": "pre-rollout", "url": "http://h/"},
    {"name": "gate", "type": "confirm-traffic-increase", "url": "http://h/"},
    {"name": "load", "type": "rollout", "url": "http://h/"},
    {"name": "done", "type": "post-rollout", "url": "http://h/"},
    {"name": "done-too", "type": "post-rollout", "url": "http://h/"},
]
CANARY = canary(
    analysis={
        "webhooks": HOOKS,
        "metrics": [{"name": "mine", "query": "q", "thresholdRange": {"max": 5}}],
    }
)


@dataclass
class Receiver:
    """Hooks that answer as told, once they may."""

    answers: dict[str, Answer] = field(default_factory=dict)
    event_webhook: str = ""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    called: list[str] = field(default_factory=list)
    about: list[dict[str, str]] = field(default_factory=list)

    async def call(self, hook: Webhook, _: Canary, about: dict[str, str] | None = None) -> Answer:
        self.called.append(hook.name)
        self.about.append(about or {})
        await self.open.wait()
        return self.answers.get(hook.name, Answer())


@dataclass
class Measures:
    """A metric that has this value, or fails so."""

    outcome: float | Exception = 1.0

    async def measure(self, _: Canary, __: Metric) -> float:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class Bench:
    """A runner between a receiver and a metric."""

    hooks: Receiver = field(default_factory=Receiver)
    metric: Measures = field(default_factory=Measures)
    ended: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)
    measured: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runner = RoundRunner(
            self.hooks,
            self.metric,
            on_done=self.ended.put_nowait,
            on_measured=lambda _, name, value: self.measured.append((name, value)),
        )

    async def finish(self, *checks: Check, weight: int = 10) -> tuple[Result, ...]:
        self.hooks.open.set()
        self.runner.start(KEY, CANARY, asked(*checks, weight=weight))
        assert await self.ended.get() == KEY
        round_ = self.runner.get(KEY)
        assert round_ is not None
        assert round_.done
        return round_.results


def asked(*checks: Check, weight: int = 10) -> RunChecks:
    return RunChecks(RoundId("u1", Phase.PROGRESSING, "b", weight, 0), checks)


async def until(condition: Callable[[], object]) -> None:
    """Let the other tasks run until it is so."""
    while not condition():  # noqa: ASYNC110 - no time passes, other tasks are only let run
        await asyncio.sleep(0)


async def test_checks_are_asked_in_order() -> None:
    bench = Bench()
    assert await bench.finish(PRE, GATE, METRIC) == (Result(PRE), Result(GATE), Result(METRIC, value=1.0))
    assert bench.hooks.called == ["smoke", "gate"]
    assert bench.measured == [("mine", 1.0)]


async def test_a_round_ends_at_the_first_check_that_did_not_pass() -> None:
    bench = Bench(Receiver({"gate": Answer(Failure.REFUSED, "status 403 from http://h/")}))
    results = await bench.finish(PRE, GATE, LOAD)
    assert results == (
        Result(PRE),
        Result(GATE, failure=Failure.REFUSED, message="status 403 from http://h/"),
    )
    assert bench.hooks.called == ["smoke", "gate"]


async def test_a_value_out_of_range_ends_the_round() -> None:
    bench = Bench(metric=Measures(6.0))
    assert await bench.finish(METRIC, LOAD) == (Result(METRIC, value=6.0),)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (NoData("x"), Failure.NO_DATA),
        (ManySeries("x"), Failure.MANY_SERIES),
        (MetricsUnavailable("x"), Failure.UNAVAILABLE),
        (InvalidSpec("x"), Failure.BAD_QUERY),
    ],
)
async def test_each_way_not_to_measure_is_told_apart(error: AppError, failure: Failure) -> None:
    bench = Bench(metric=Measures(error))
    assert await bench.finish(METRIC) == (Result(METRIC, failure=failure, message="x"),)
    assert bench.measured == []


async def test_a_bug_in_a_check_ends_the_round_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(metric=Measures(ZeroDivisionError("bug")))
    (result,) = await bench.finish(METRIC)
    assert result.failure is Failure.UNAVAILABLE
    assert "ended unexpectedly" in caplog.text


async def test_what_there_is_of_a_round_can_be_seen_while_it_runs() -> None:
    bench = Bench()
    bench.runner.start(KEY, CANARY, asked(PRE, GATE))
    await until(lambda: bench.hooks.called)
    round_ = bench.runner.get(KEY)
    assert round_ is not None
    assert (round_.done, round_.results) == (False, ())
    await bench.runner.close()


async def test_the_same_round_is_not_begun_twice() -> None:
    bench = Bench()
    for _ in range(3):
        bench.runner.start(KEY, CANARY, asked(PRE))
    bench.hooks.open.set()
    await bench.ended.get()
    assert bench.hooks.called == ["smoke"]


async def test_a_round_that_is_done_is_begun_anew() -> None:
    bench = Bench()
    await bench.finish(PRE)
    await bench.finish(PRE)
    assert bench.hooks.called == ["smoke", "smoke"]


async def test_a_round_for_a_newer_state_takes_the_place_of_the_old() -> None:
    bench = Bench()
    bench.runner.start(KEY, CANARY, asked(PRE, weight=10))
    await until(lambda: bench.hooks.called)
    results = await bench.finish(GATE, weight=20)
    assert results == (Result(GATE),)
    assert bench.ended.empty()


async def test_a_cancelled_round_is_gone_and_wakes_nobody() -> None:
    bench = Bench()
    bench.runner.start(KEY, CANARY, asked(PRE))
    await until(lambda: bench.hooks.called)
    bench.runner.cancel(KEY)
    bench.hooks.open.set()
    await asyncio.sleep(0)
    assert bench.runner.get(KEY) is None
    assert bench.ended.empty()


async def test_a_round_cancelled_before_it_ran_asks_nothing() -> None:
    bench = Bench()
    bench.runner.start(KEY, CANARY, asked(PRE))
    bench.runner.cancel(KEY)
    await asyncio.sleep(0)
    assert bench.hooks.called == []


async def test_an_unknown_key_has_no_round() -> None:
    bench = Bench()
    bench.runner.cancel(KEY)
    assert bench.runner.get(KEY) is None


async def test_hooks_whose_answer_changes_nothing_are_called_until_one_fails() -> None:
    bench = Bench(Receiver({"done": Answer(Failure.REFUSED, "no")}))
    bench.hooks.open.set()
    bench.runner.notify(CANARY, CallHooks(HookType.POST_ROLLOUT))
    await until(lambda: not bench.runner.telling)
    assert bench.hooks.called == ["done"]


async def test_events_go_to_the_controllers_hook_when_the_canary_has_none() -> None:
    bench = Bench(Receiver(event_webhook="http://all/"))
    bench.hooks.open.set()
    bench.runner.announce(CANARY, Event("Advance podinfo.test canary weight 5"))
    await until(lambda: not bench.runner.telling)
    assert bench.hooks.called == ["event-webhook"]
    about = bench.hooks.about[0]
    assert about["eventMessage"] == "Advance podinfo.test canary weight 5"
    assert about["eventType"] == "Normal"
    assert about["timestamp"].isdigit()


async def test_events_go_to_the_canarys_own_hooks_instead() -> None:
    of = canary(analysis={"webhooks": [{"name": "mine", "type": "event", "url": "http://h/"}]})
    bench = Bench(Receiver(event_webhook="http://all/"))
    bench.hooks.open.set()
    bench.runner.announce(of, Event("x"))
    await until(lambda: not bench.runner.telling)
    assert bench.hooks.called == ["mine"]


async def test_a_receiver_that_hangs_is_told_so_much_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(Receiver(event_webhook="http://all/"))
    for _ in range(1001):
        bench.runner.announce(CANARY, Event("x"))
    assert bench.runner.telling == 1000
    assert "one is left out" in caplog.text
    await bench.runner.close()
    assert bench.runner.telling == 0
