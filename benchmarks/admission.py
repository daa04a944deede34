"""What admission costs: beside a handler that only echoes, under load, with many Canaries, and at rest.

Server and load have a core each. Figures that compare are taken in turns within one run, as processor time
for a request, because a busy machine takes time away from all but changes what a request costs far less; each
is the median of the turns' ratios. Times and rates are medians, too, but of a busy machine they say little.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import orjson

from benchmarks import objects, reviews
from benchmarks.figures import Figure, percentile, spread
from benchmarks.processes import PROJECT, Child, start
from benchmarks.stand import each
from sandbox.addons.install import install
from shared.cluster import Cluster, PatchType
from shared.resources import CANARIES, DEPLOYMENTS, NAMESPACES
from shared.types.meta import Json

TURNS = 30
REPEATS = 5
FEW, MANY = 20, 10_000
PER_NAMESPACE = 20
COLD = 200
RATE = 500.0
SYSTEM = "pinfeather-system"
_SETTLE = 3.0

Turn = tuple[float, float]
"""Microseconds of processor time for a request, and requests a second."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A webhook server, pinned to one core."""

    child: Child
    port: int
    probes: int

    def asked(self, path: str, body: Path) -> str:
        """The flag of the load that sends it that."""
        return f"--server={self.child.process.pid},{self.port},{path},{body}"


async def measure() -> list[Figure]:
    """With few Canaries, and then with many."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinfeather-bench-")))
        server = await start(
            "sandbox.apiserver",
            "--port=0",
            f"--state-dir={folder}",
            log=folder / "apiserver.log",
            ready="ready",
        )
        stack.push_async_callback(server.stop)
        cluster = await stack.enter_async_context(await Cluster.connect(folder / "kubeconfig"))
        await install(cluster, (), {})
        system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
        await cluster.patch(NAMESPACES, SYSTEM, None, system, patch=PatchType.APPLY)
        await _canaries(cluster, range(FEW))
        stored = reviews.served(await cluster.create(DEPLOYMENTS, reviews.application()))
        stored = await cluster.replace(DEPLOYMENTS, stored, subresource="status")
        bodies = _written(folder, reviews.all_of(stored))
        async with _admission(folder):  # makes the certificates
            pass
        figures = await _started(folder)
        async with _admission(folder) as few, _echo(folder) as echo:
            await asyncio.sleep(_SETTLE)
            idle = few.child.memory().resident
            figures += await _compared(few, echo, bodies)
            figures += await _loaded(few, bodies["pinning"])
        await _canaries(cluster, range(FEW, MANY))
        async with _admission(folder) as many, _echo(folder) as echo:
            await asyncio.sleep(_SETTLE)
            full = many.child.memory().resident
            pair = [subject.asked("/mutate", bodies["pinning"]) for subject in (echo, many)]
            crowded = _ratio(await _turns(pair))
    alone = next(figure for figure in figures if figure.name == PINNING)
    return [
        *figures,
        Figure(
            f"the same with {MANY:,} Canaries, against {FEW}", crowded[0] / alone.value, "times", target=1.1
        ),
        Figure("memory of a Canary in the cache", (full - idle) * 1e3 / (MANY - FEW), "KB", target=40.0),
        Figure(f"memory at {FEW} Canaries", idle, "MB", target=64.0),
        Figure(f"memory at {MANY:,} Canaries", full, "MB"),
    ]


async def _started(folder: Path) -> list[Figure]:
    took, spent = [], []
    for _ in range(REPEATS):
        began = time.monotonic()
        async with _admission(folder) as started:
            took.append(time.monotonic() - began)
            spent.append(started.child.spent())
    return [
        Figure("start to first answer, with certificates there", median(took), "s", spread(took, "s"), 1.0),
        Figure("processor time of that", median(spent), "s", spread(spent, "s")),
    ]


PINNING = "pinning a new template: cost against the echo's"


async def _compared(ours: Subject, echo: Subject, bodies: Mapping[str, Path]) -> list[Figure]:
    """Every kind of request beside the echo of the same bytes, in turns."""
    paths = {name: "/validate" if name in reviews.VALIDATED else "/mutate" for name in bodies}
    pairs = [subject.asked(paths[name], body) for name, body in bodies.items() for subject in (echo, ours)]
    turns = await _turns(pairs)
    of = {name: [turn[2 * place : 2 * place + 2] for turn in turns] for place, name in enumerate(bodies)}
    return [
        Figure("echo of a 13 KiB review", *_cost([pair[0] for pair in of["pinning"]])),
        Figure(PINNING, *_ratio(of["pinning"]), 4 / 3),
        Figure("pinning a new template", *_cost([pair[1] for pair in of["pinning"]])),
        Figure("validation with a lookup: cost against the echo's", *_ratio(of["validation"]), 4 / 3),
        Figure("validation with a lookup", *_cost([pair[1] for pair in of["validation"]])),
        Figure("a Deployment under no Canary: cost against the echo's", *_ratio(of["nobody's"])),
        await _inside(ours, bodies["nobody's"]),
        Figure("all rules of a changed Canary", *_cost([pair[1] for pair in of["rules"]])),
    ]


def _cost(turns: list[Turn]) -> tuple[float, str, str]:
    each, rates = zip(*turns, strict=True)
    return median(each), "µs", f"{spread(each)}; {spread(rates, '/s')}"


def _ratio(turns: list[list[Turn]]) -> tuple[float, str, str]:
    """What ours costs against the echo, which had its turn just before."""
    ratios = [ours[0] / echo[0] for echo, ours in turns]
    return median(ratios), "times", spread(ratios)


async def _loaded(ours: Subject, body: Path) -> list[Figure]:
    asked = ours.asked("/mutate", body)
    steady, cold = list[float](), list[list[float]]()
    for _ in range(REPEATS):
        seconds = await _load("open", asked, f"--rate={RATE}", "--seconds=2")
        steady.append(percentile(seconds, 99) * 1e3)
        cold.append(await _load("cold", asked, f"--connections={COLD}"))
    last = [max(seconds) * 1e3 for seconds in cold]
    errors = max(COLD - len(seconds) for seconds in cold)
    return [
        Figure(
            f"{RATE:.0f} requests a second, open loop, p99", median(steady), "ms", spread(steady, "ms"), 5.0
        ),
        Figure(f"{COLD} new connections at once, the last answer", median(last), "ms", spread(last, "ms")),
        Figure(f"{COLD} new connections at once, errors", errors, "", target=0.0),
    ]


async def _inside(ours: Subject, body: Path) -> Figure:
    """From a request's last byte to its answer, as the product's own histogram has it."""
    means = []
    for _ in range(REPEATS):
        before = await _histogram(ours)
        await _turns([ours.asked("/mutate", body)], "--connections=1", "--turns=1", "--seconds=0.1")
        after = await _histogram(ours)
        means.append((after[0] - before[0]) / (after[1] - before[1]) * 1e6)
    name = "a Deployment under no Canary, from last byte to answer"
    return Figure(name, median(means), "µs", spread(means), 50.0)


async def _histogram(ours: Subject) -> tuple[float, float]:
    url = f"http://127.0.0.1:{ours.probes}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        text = await response.text()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    name = "pinfeather_admission_duration_seconds"
    total, count = (values.get(f'{name}_{part}{{handler="target"}}', "0") for part in ("sum", "count"))
    return float(total), float(count)


async def _turns(asked: list[str], *flags: str) -> list[list[Turn]]:
    """By turn and server."""
    turns: list[list[Turn]] = await _load("turns", *asked, f"--turns={TURNS}", *flags)
    return turns


async def _load(kind: str, *flags: str) -> Any:
    """What the load prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.webhook_load", kind, *flags),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load failed: {errors.decode(errors='replace')[-1500:]}")
    return orjson.loads(output)


@asynccontextmanager
async def _admission(folder: Path) -> AsyncIterator[Subject]:
    flags = ("--host=127.0.0.1", "--port=0", "--probe-port=0", "--drain=0s")
    async with _subject(
        "admission", f"--kubeconfig={folder / 'kubeconfig'}", *flags, folder=folder
    ) as running:
        yield running


@asynccontextmanager
async def _echo(folder: Path) -> AsyncIterator[Subject]:
    async with _subject("benchmarks.webhook_echo", folder=folder) as running:
        yield running


@asynccontextmanager
async def _subject(module: str, *flags: str, folder: Path) -> AsyncIterator[Subject]:
    child = await start(module, *flags, log=folder / f"{module}.log", ready="answering")
    try:
        os.sched_setaffinity(child.process.pid, {min(os.sched_getaffinity(0))})
        told = next(orjson.loads(line) for line in child.said().splitlines() if "answering" in line)
        yield Subject(child, told["port"], told.get("probes", 0))
    finally:
        await child.stop()


async def _canaries(cluster: Cluster, numbers: range) -> None:
    """Spread over namespaces, as they are in large clusters. The first is that of the reviews."""
    spaces = {number // PER_NAMESPACE for number in numbers}
    await each(spaces, lambda space: _create(cluster, {"metadata": {"name": _space(space)}}))

    async def create(number: int) -> None:
        canary = objects.canary(objects.app(number), "1m", 50)
        canary["metadata"]["namespace"] = _space(number // PER_NAMESPACE)
        made = await cluster.create(CANARIES, canary)
        if number < FEW:
            await cluster.replace(CANARIES, made | {"status": reviews.STATUS}, subresource="status")

    await each(numbers, create)


async def _create(cluster: Cluster, namespace: Json) -> None:
    await cluster.create(NAMESPACES, namespace)


def _space(number: int) -> str:
    return f"{objects.NAMESPACE}-{number}" if number else objects.NAMESPACE


def _written(folder: Path, bodies: Mapping[str, Json]) -> dict[str, Path]:
    files = {}
    for name, body in bodies.items():
        files[name] = folder / f"{name}.json"
        files[name].write_bytes(orjson.dumps(body))
    return files
