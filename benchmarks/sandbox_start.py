"""How long `pinfeather sandbox up` takes until the sandbox is ready, from nothing."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, percentile, spread
from benchmarks.processes import PROJECT

RUNS = 5
TARGET = 10.0
_PATIENCE = 120.0


async def measure() -> list[Figure]:
    """A sandbox with all its addons, several times.

    Raises:
        RuntimeError: it does not start.
    """
    took = [await _once() for _ in range(RUNS)]
    return [Figure("`pinfeather sandbox up`", percentile(took, 50), "s", spread(took, "s"), TARGET)]


async def _once() -> float:
    with tempfile.TemporaryDirectory(prefix="pinfeather-bench-") as folder:
        state = Path(folder) / "sandbox"
        began = time.monotonic()
        try:
            await _pinfeather("up", state)
            return time.monotonic() - began
        finally:
            await _pinfeather("down", state)


async def _pinfeather(action: str, state: Path) -> None:
    command = [sys.executable, "-m", "cli", "sandbox", action, f"--state-dir={state}"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=PROJECT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(_PATIENCE):
        said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"sandbox {action} failed:\n{said.decode(errors='replace')[-2000:]}")
