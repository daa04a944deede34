"""How fast the sandbox's own API server is: one process on one core, asked from another."""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks import objects
from benchmarks.figures import Figure, percentile, spread
from benchmarks.processes import Child, start
from benchmarks.wire import Door, Wire
from shared.types.meta import Json

RUNS = 5
CREATES = 1_000
WATCHES = 1_000
LISTED = 10_000
KEPT = 50_000
PATCHES = 2_000
MERGE = "application/merge-patch+json"

_CONNECTIONS = 16
_CONFIG_MAPS = f"/api/v1/namespaces/{objects.NAMESPACE}/configmaps"
_DEPLOYMENTS = f"/apis/apps/v1/namespaces/{objects.NAMESPACE}/deployments"
_GIB = 2**30 / 1e6
"""In MB."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under measurement, and connections to it."""

    process: Child
    door: Door
    wires: tuple[Wire, ...]
    started_in: float

    async def each(self, requests: Iterable[tuple[str, str, Json, str]]) -> None:
        """Send all, one at a time on every connection."""
        waiting = iter(requests)

        async def work(wire: Wire) -> None:
            for method, path, body, kind in waiting:
                await wire.send(method, path, body, kind)

        async with asyncio.TaskGroup() as tasks:
            for wire in self.wires:
                tasks.create_task(work(wire))

    async def create(self, prefix: str, count: int) -> float:
        """Create so many small objects; the seconds that it took."""
        began = time.monotonic()
        await self.each(
            ("POST", _CONFIG_MAPS, _small(f"{prefix}-{number}"), "application/json")
            for number in range(count)
        )
        return time.monotonic() - began


async def measure() -> list[Figure]:
    """Each figure on servers of its own, several times."""
    starts, creates, lists = [], [], []
    fans, patches = [], []
    for run in range(RUNS):
        async with _server() as subject:
            starts.append(subject.started_in)
            creates.append(await subject.create("first", CREATES))
            fans.append(await _fan_out(subject))
            patches.append(await _patch(subject, run))
            await subject.create("more", LISTED - CREATES)
            lists.append(await _list(subject))
    return [
        Figure("API server: start", percentile(starts, 50), "s", spread(starts, "s"), 1.0),
        Figure(f"API server: {CREATES:,} creates", percentile(creates, 50), "s", spread(creates, "s"), 1.0),
        Figure(
            f"API server: an update to {WATCHES:,} watches", percentile(fans, 50), "s", spread(fans, "s"), 1.0
        ),
        Figure(f"API server: list of {LISTED:,}", percentile(lists, 50), "s", spread(lists, "s"), 0.5),
        Figure(
            "API server: merge PATCHes of Deployments", percentile(patches, 50), "/s", spread(patches, "/s")
        ),
        await _kept(),
    ]


async def _kept() -> Figure:
    async with _server() as subject:
        await subject.create("kept", KEPT)
        memory = subject.process.memory()
    peak = f"peak {memory.peak:.0f} MB"
    return Figure(f"API server: memory with {KEPT:,} small objects", memory.resident, "MB", peak, _GIB)


async def _fan_out(subject: Subject) -> float:
    """From the request to the last of the watchers."""
    path = f"{_CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Dfirst-0&resourceVersion="
    wire = subject.wires[0]
    now = orjson.loads(await wire.send("GET", f"{_CONFIG_MAPS}/first-0"))["metadata"]["resourceVersion"]
    watches = [await subject.door.open() for _ in range(WATCHES)]
    for watch in watches:
        await watch.watch(path + now)
    began = time.monotonic()
    await asyncio.gather(
        wire.send("PATCH", f"{_CONFIG_MAPS}/first-0", {"data": {"key": "changed"}}, MERGE),
        *(watch.event() for watch in watches),
    )
    took = time.monotonic() - began
    await asyncio.gather(*(watch.close() for watch in watches))
    return took


async def _list(subject: Subject) -> float:
    began = time.monotonic()
    answer = await subject.wires[0].send("GET", _CONFIG_MAPS)
    took = time.monotonic() - began
    if len(orjson.loads(answer)["items"]) != LISTED:
        raise RuntimeError(f"the list does not hold {LISTED} objects")
    return took


async def _patch(subject: Subject, run: int) -> float:
    """PATCHes a second of what the controller writes most: annotations and replicas of a Deployment."""
    numbers = range(100)
    await subject.each(
        ("POST", _DEPLOYMENTS, objects.deployment(objects.app(n)), "application/json") for n in numbers
    )
    began = time.monotonic()
    await subject.each(
        (
            "PATCH",
            f"{_DEPLOYMENTS}/{objects.app(number % len(numbers))}",
            {"metadata": {"annotations": {"turn": f"{run}-{number}"}}, "spec": {"replicas": number % 7}},
            MERGE,
        )
        for number in range(PATCHES)
    )
    return PATCHES / (time.monotonic() - began)


def _small(name: str) -> Json:
    return {"metadata": {"name": name, "labels": {"app": "bench"}}, "data": {"key": "value"}}


@asynccontextmanager
async def _server() -> AsyncIterator[Subject]:
    """On the first core, while this process is on the others, where the system can tell them apart."""
    with tempfile.TemporaryDirectory(prefix="pinfeather-bench-") as folder, _apart():
        state = Path(folder)
        began = time.monotonic()
        log = state / "apiserver.log"
        process = await start("sandbox.apiserver", f"--state-dir={state}", log=log, ready="ready")
        started_in = time.monotonic() - began
        try:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(process.process.pid, {0})
            door = Door.of(state)
            wires = tuple([await door.open() for _ in range(_CONNECTIONS)])
            await wires[0].send("POST", "/api/v1/namespaces", {"metadata": {"name": objects.NAMESPACE}})
            yield Subject(process, door, wires, started_in)
            for wire in wires:
                await wire.close()
        finally:
            await process.stop()


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Keeps this process off the first core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, mine - {0} or mine)
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)
