"""The processes that are measured: how they are started, how much memory they take, how they are ended.

Called by `stand`. Both write their log to a file, so that nothing of the benchmark has to read along.
"""

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PATIENCE = 60.0
"""Seconds within which a process has to be ready."""
_POLL = 0.02
_STOP = 15.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a process, in MB of 10^6 bytes: what it has now, and the most it ever had."""

    resident: float
    peak: float


@dataclass(frozen=True, slots=True)
class Child:
    """A Python module that runs as a process of its own."""

    process: asyncio.subprocess.Process
    log: Path

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def memory(self) -> Memory:
        """As the kernel tells it."""
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        )
        resident, peak = (int(fields[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
        return Memory(resident, peak)

    def spent(self) -> float:
        """Seconds of processor time so far."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    async def stop(self) -> None:
        """End it; return when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(_STOP):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def start(module: str, *arguments: str, log: Path, ready: str) -> Child:
    """A running `python -m module`, once its log says the text of `ready`.

    Raises:
        RuntimeError: it ended before, or took too long; with the end of its log.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, cwd=PROJECT, stdout=output, stderr=output
        )
    child = Child(process, log)
    ends = time.monotonic() + PATIENCE
    while ready not in child.said():
        if process.returncode is not None or time.monotonic() > ends:
            await child.stop()
            raise RuntimeError(f"python -m {module} is not ready:\n{child.said()[-2000:]}")
        await asyncio.sleep(_POLL)
    return child
