"""Runs one command as a process group of its own, bounded in time and in output.

Called for `bash` tasks by the server and for `cmd` tasks by background. Apart from both because the
guarantee lives here: when `run` returns or is cancelled, nothing that the command started in its group is
alive.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import AppError

CHUNK = 16 * 1024
TERMINATION_GRACE = 1.0
"""Seconds between asking a command to end and killing it."""
DRAIN = 1.0
"""Seconds to read what is left in the pipe; a process that left the group may hold it open for ever."""


class CommandNotStarted(AppError):
    """The program does not exist or may not be executed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a command may run, and how many bytes of its output (the last ones) are kept."""

    timeout: timedelta
    output_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: `code` as a shell reports it (128 + signal), None when its time was up."""

    code: int | None
    output: str

    @property
    def succeeded(self) -> bool:
        return self.code == 0


class Tail:
    """The last `limit` bytes of what is written to it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._seen = 0

    def write(self, data: bytes) -> None:
        self._seen += len(data)
        self._kept += data
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def text(self) -> str:
        kept = bytes(self._kept[-self._limit :])
        dropped = self._seen - len(kept)
        text = kept.decode(errors="replace")
        return f"[{dropped} bytes left out]\n{text}" if dropped else text


async def run(argv: Sequence[str], limits: Limits) -> Outcome:
    """Run to the end or to the time limit. Raises CommandNotStarted. Cancelling it kills the command."""
    tail = Tail(limits.output_bytes)
    async with _output_pipe() as (reader, write_end):
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandNotStarted(f"cannot start {argv[0]!r}: {error.strerror}") from error
        finally:
            os.close(write_end)
        copying = asyncio.create_task(_copy(reader, tail))
        try:
            code = await _wait(process, limits)
        finally:
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(copying, DRAIN)
        return Outcome(code, tail.text())


async def _wait(process: asyncio.subprocess.Process, limits: Limits) -> int | None:
    try:
        code = await asyncio.wait_for(process.wait(), limits.timeout.total_seconds())
    except TimeoutError:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), TERMINATION_GRACE)
        return None
    return 128 - code if code < 0 else code


@contextlib.asynccontextmanager
async def _output_pipe() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A pipe of our own: asyncio's makes `wait` depend on every process that inherited it."""
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
    )
    try:
        yield reader, write_end
    finally:
        transport.close()


async def _copy(reader: asyncio.StreamReader, tail: Tail) -> None:
    while data := await reader.read(CHUNK):
        tail.write(data)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
