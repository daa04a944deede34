"""Runs commands as a user of the sandbox types them: with its kubectl and hey, its kubeconfig, its names.

Called by `play`. Nothing is left of a command when its caller is cancelled.
"""

import asyncio
import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from shared.errors import AppError

ROOT = Path(__file__).parents[2]
"""The checkout: commands name its files as seen from here."""
GRACE = 2.0
"""Seconds for a command to end when it is told to."""


class CommandFailed(AppError):
    """A command of the story did not end as it should; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Where commands run."""

    environment: dict[str, str]

    async def run(self, command: str) -> list[str]:
        """The lines that the command printed. Raises CommandFailed."""
        code, lines = await self._ended(command)
        if code:
            raise CommandFailed("\n".join((f"$ {command}", f"failed with code {code}:", *lines)))
        return lines

    async def refused(self, command: str) -> list[str]:
        """The lines that a command printed which must not succeed. Raises CommandFailed."""
        code, lines = await self._ended(command)
        if not code:
            raise CommandFailed("\n".join((f"$ {command}", "should have been refused, and said:", *lines)))
        return lines

    async def _ended(self, command: str) -> tuple[int | None, list[str]]:
        """Exit code and output."""
        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(command),
                cwd=ROOT,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            raise CommandFailed(f"$ {command}\ncannot be started: {error}") from error
        try:
            output, _ = await process.communicate()
        finally:
            await _end(process)
        return process.returncode, output.decode(errors="replace").splitlines()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it, if it has not ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(GRACE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
