"""How many requests the API server gets from the controller: while nothing happens, and for a rollout.

Watches and the Lease are left out of the figures, and listed in the detail.
"""

import asyncio
from collections import Counter

from benchmarks.figures import Figure, percentile, spread
from benchmarks.objects import app
from benchmarks.stand import CONTROLLER, Stand, stand, until

CANARIES = 200
INTERVAL = 10.0
WINDOW = 30.0
RUNS = 5
_LEFT_OUT = ("watch ", "get leases", "update leases", "patch leases", "create leases")


async def measure() -> list[Figure]:
    """The idle tick, then rollouts and rollbacks of one Canary."""
    return [await _idle(), *await _rollouts()]


async def _idle() -> Figure:
    async with stand() as here, here.controller():
        await here.apply(range(CANARIES), interval=f"{INTERVAL:g}s")
        await here.all_in("Initialized", CANARIES)
        await here.quiet()
        before = await here.accounts.requests(CONTROLLER)
        await asyncio.sleep(WINDOW)
        sent = await here.accounts.requests(CONTROLLER) - before
    ticks = CANARIES * WINDOW / INTERVAL
    asked = _counted(sent).total()
    return Figure(
        f"requests per idle tick ({CANARIES} Canaries)",
        asked / ticks,
        "requests",
        f"{asked} in {ticks:g} ticks; watches and Lease: {(sent - _counted(sent)).total()}",
        target=0,
        flagger="10.0 GETs",
        detail=dict(sent),
    )


async def _rollouts() -> list[Figure]:
    promoted: list[Counter[str]] = []
    failed: list[Counter[str]] = []
    async with stand() as here, here.controller():
        await here.apply([0], interval="1s")
        await here.all_in("Initialized", 1)
        for run in range(RUNS):
            promoted.append(await _rollout(here, f"2.{run}", "Succeeded"))
        here.prometheus.failing.add(app(0))
        for run in range(RUNS):
            failed.append(await _rollout(here, f"3.{run}", "Failed"))
    return [
        _figure("requests of a rollout in five weight steps", promoted, 25, "153.7"),
        _figure("requests of a rollout that is rolled back at its first weight", failed, None, "106"),
    ]


async def _rollout(here: Stand, version: str, end: str) -> Counter[str]:
    await here.quiet()
    before = await here.accounts.requests(CONTROLLER)
    await here.set_image(0, version)
    await here.all_in("Progressing", 1)
    await here.all_in(end, 1)
    await until(lambda: not here.pods.replicas(app(0)), within=30)
    await here.quiet()
    return _counted(await here.accounts.requests(CONTROLLER) - before)


def _counted(sent: Counter[str]) -> Counter[str]:
    return Counter({what: count for what, count in sent.items() if not what.startswith(_LEFT_OUT)})


def _figure(name: str, runs: list[Counter[str]], target: float | None, flagger: str) -> Figure:
    """The median run, with what it consists of."""
    totals = [run.total() for run in runs]
    middle = percentile(totals, 50)
    typical = next(run for run in runs if run.total() == middle)
    parts = ", ".join(f"{count} {what}" for what, count in typical.most_common())
    return Figure(name, middle, "requests", f"{parts} ({spread(totals)})", target, flagger, dict(typical))
