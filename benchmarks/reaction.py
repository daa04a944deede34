"""How soon the controller acts: after `kubectl set image`, and after a check that reaches the threshold.

Both ends are the API server's own time stamps, but for the moment of a failing answer, which is the
Prometheus': it runs on the same clock.
"""

from collections.abc import Iterable
from functools import partial

from benchmarks.accounts import Write
from benchmarks.figures import Figure, percentile, show, spread
from benchmarks.objects import app
from benchmarks.stand import CONTROLLER, Stand, each, stand, until

CANARIES = 200
FAILING = 100
RUNS = 5
INTERVAL = "2s"


async def measure() -> list[Figure]:
    """New revisions, all at once and one after another; then failing checks, all at once."""
    return [*await _new_revisions(), await _failing_checks()]


async def _new_revisions() -> list[Figure]:
    async with stand() as here, here.controller():
        await here.apply(range(CANARIES), max_weight=10)
        await here.all_in("Initialized", CANARIES)
        bursts = [await _burst(here, f"2.{run}") for run in range(RUNS)]
        series = [await _series(here, f"3.{run}") for run in range(RUNS)]
    flagger = "24 s at 200 Canaries, 4.4 s at 10"
    return [
        _figure(f"set image -> first write, {CANARIES} at once", bursts, 0.5, flagger),
        _figure(f"set image -> first write, {CANARIES} one after another", series, 0.5, flagger),
    ]


async def _burst(here: Stand, version: str) -> list[float]:
    await here.quiet()
    since = await here.version()
    await each(range(CANARIES), lambda number: here.set_image(number, version))
    await here.all_in("Progressing", CANARIES)
    took = reactions(await here.accounts.writes(since))
    await here.all_in("Succeeded", CANARIES)
    return took


async def _series(here: Stand, version: str) -> list[float]:
    """The next is changed once the one before was acted on."""
    await here.quiet()
    since = await here.version()
    for number in range(CANARIES):
        await here.set_image(number, version)
        await until(partial(here.pods.replicas, app(number)), within=30, poll=0.005)
    await here.all_in("Progressing", CANARIES)
    took = reactions(await here.accounts.writes(since))
    await here.all_in("Succeeded", CANARIES)
    return took


def reactions(writes: Iterable[Write]) -> list[float]:
    """Seconds from each change of an image to the controller's first write on anything of that Canary's."""
    changed: dict[str, float] = {}
    took: dict[str, float] = {}
    for write in writes:
        if write.user != CONTROLLER:
            if write.resource == "deployments" and not write.subresource and write.name == write.app:
                changed.setdefault(write.app, write.at)
        elif write.app in changed:
            took.setdefault(write.app, write.at - changed[write.app])
    return [took[name] for name in changed]


async def _failing_checks() -> Figure:
    async with stand() as here, here.controller():
        await here.apply(range(FAILING), interval=INTERVAL)
        await here.all_in("Initialized", FAILING)
        took = [await _fail(here, f"2.{run}") for run in range(RUNS)]
    flagger = "30.1 s, of which two checks 20 s"
    return _figure(f"failing check at the threshold -> weights at 0, {FAILING} at once", took, 0.25, flagger)


async def _fail(here: Stand, version: str) -> list[float]:
    """All Canaries get traffic, then all their success rates are bad from one moment on."""
    await here.quiet()
    since, told = await here.version(), here.prometheus.bad_answers
    told.clear()
    await each(range(FAILING), lambda number: here.set_image(number, version))
    await until(lambda: here.least_weight(FAILING) > 0, within=60)
    here.prometheus.failing.update(app(number) for number in range(FAILING))
    await here.all_in("Failed", FAILING)
    here.prometheus.failing.clear()
    writes = [write for write in await here.accounts.writes(since) if write.resource == "traefikservices"]
    await until(lambda: not any(here.pods.replicas(app(number)) for number in range(FAILING)), within=60)
    return [
        next(write.at for write in writes if write.app == name and write.at >= answers[-1]) - answers[-1]
        for name, answers in told.items()
    ]


def _figure(name: str, runs: list[list[float]], target: float, flagger: str) -> Figure:
    """The median run's 99th percentile."""
    worst = [percentile(run, 99) for run in runs]
    every = [took for run in runs for took in run]
    seen = (
        f"p50 {show(percentile(every, 50))} s, n={len(every)}; p99 of {len(runs)} runs: {spread(worst, 's')}"
    )
    return Figure(f"{name}, p99", percentile(worst, 50), "s", seen, target, flagger, runs)
