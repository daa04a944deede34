"""How much memory the controller takes: idle with no Canary, with 200 and with 1,000; and at work."""

import asyncio

from benchmarks.figures import Figure
from benchmarks.processes import Memory
from benchmarks.stand import Stand, each, stand, until

SIZES = (0, 200, 1000)
ROLLOUTS = 200
SETTLE = 20.0
"""Seconds from the moment when the caches are filled to the reading."""
THIRD_WEIGHT = 30
TARGET = 100.0


async def measure() -> list[Figure]:
    """Each size once: memory of an idle process does not vary from run to run by more than 1 MB."""
    idle: dict[int, Memory] = {}
    async with stand() as here:
        there = 0
        for size in SIZES:
            await _initialize(here, range(there, size), size)
            there = size
            idle[size] = await _idle(here)
        busy = await _busy(here)
    base, most = idle[0], idle[SIZES[-1]]
    per_canary = (most.resident - base.resident) * 1e3 / SIZES[-1]
    return [
        Figure("memory at 0 Canaries", base.resident, "MB", _peak(base), flagger="47 MB"),
        Figure("memory at 200 Canaries", idle[200].resident, "MB", _peak(idle[200])),
        Figure("memory at 1,000 Canaries", most.resident, "MB", _peak(most), TARGET, "131 MB"),
        Figure("memory per idle Canary", per_canary, "KB", flagger="85 KB"),
        Figure(f"memory at 1,000 Canaries, {ROLLOUTS} rolling out", busy.peak, "MB", flagger="161 MB"),
    ]


async def _initialize(here: Stand, new: range, size: int) -> None:
    async with here.controller():
        await here.apply(new)
        if size:
            await here.all_in("Initialized", size)


async def _idle(here: Stand) -> Memory:
    """Of a controller that was started anew."""
    async with here.controller() as controller:
        await asyncio.sleep(SETTLE)
        return controller.memory()


async def _busy(here: Stand) -> Memory:
    """Of a controller that brings out new revisions, from their detection to the third weight."""
    async with here.controller() as controller:
        await each(range(ROLLOUTS), lambda number: here.set_image(number, "2.0"))
        await until(lambda: here.least_weight(ROLLOUTS) >= THIRD_WEIGHT, within=180)
        return controller.memory()


def _peak(memory: Memory) -> str:
    return f"peak {memory.peak:.1f} MB"
