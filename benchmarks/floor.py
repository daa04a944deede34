"""How the controller's pace compares with the API server's: a ratio, to judge other machines by."""

import time

from benchmarks.figures import Figure, percentile, spread
from benchmarks.stand import CONTROLLER, Stand, each, stand

REVISIONS = 500
RUNS = 5
_PARALLEL = 16
"""Also how many Canaries the controller works on at the same time."""


async def measure() -> list[Figure]:
    """One client's PATCHes, then a controller that finds a new revision at every Canary."""
    alone: list[float] = []
    together: list[float] = []
    controller: list[float] = []
    async with stand() as here:
        async with here.controller():
            await here.apply(range(REVISIONS))
            await here.all_in("Initialized", REVISIONS)
            await here.quiet()
        here.pods.started.clear()
        for run in range(RUNS):
            alone.append(await _patches(here, f"1.{run}", 1))
            together.append(await _patches(here, f"2.{run}", _PARALLEL))
            controller.append(await _reconciles(here))
    ratios = [ours / floor for ours, floor in zip(controller, together, strict=True)]
    return [
        Figure("floor: one client's PATCHes, one at a time", percentile(alone, 50), "/s", spread(alone)),
        Figure(
            f"floor: one client's PATCHes, {_PARALLEL} at a time",
            percentile(together, 50),
            "/s",
            spread(together),
        ),
        Figure(
            f"the controller's writes, {REVISIONS} new revisions",
            percentile(controller, 50),
            "/s",
            spread(controller),
            flagger="129/s, all kinds of requests",
        ),
        Figure("the controller's writes as a share of the floor", percentile(ratios, 50), "", spread(ratios)),
    ]


async def _patches(here: Stand, version: str, parallel: int) -> float:
    began = time.monotonic()
    await each(range(REVISIONS), lambda number: here.set_image(number, version), parallel=parallel)
    return REVISIONS / (time.monotonic() - began)


async def _reconciles(here: Stand) -> float:
    """Writes a second from the first to the last, Events left out: they are sent one by one, behind."""
    since = await here.version()
    async with here.controller():
        await here.quiet()
    writes = [
        write
        for write in await here.accounts.writes(since)
        if write.user == CONTROLLER and write.resource != "events"
    ]
    return len(writes) / (writes[-1].at - writes[0].at)
