"""Waiting for something that another process does and that gives no event: the one place where tests poll."""

import asyncio
from collections.abc import Callable
from pathlib import Path

POLL = 0.01


async def eventually(fact: Callable[[], object]) -> None:
    """Return once the fact is true; the test's own timeout bounds the wait."""
    while not fact():  # noqa: ASYNC110 - another process is waited for: there is no event to be told by
        await asyncio.sleep(POLL)


def is_alive(pid: int) -> bool:
    """Whether the process exists and has not merely not been reaped yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def numbers_in(file: Path) -> list[int]:
    """The process ids that were written there so far, one a line."""
    return [int(line) for line in file.read_text().split()] if file.exists() else []
