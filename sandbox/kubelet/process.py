"""Child processes that cannot be lost: each leads a process group, and all are known until they have ended.

Used by `container` for containers, exec probes and hooks. Where util-linux's setpriv is installed the kernel
kills a child as soon as this process dies, however it dies.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SETPRIV = shutil.which("setpriv")
_DIE_WITH_PARENT = (_SETPRIV, "--pdeathsig", "KILL", "--") if _SETPRIV else ()


class StartFailed(Exception):
    """The program cannot be executed; the message says why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute, with which environment, where, and where its output goes."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    log: Path


class Process:
    """One child and its process group."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._ended = asyncio.create_task(self._end())

    @property
    def pid(self) -> int:
        """Process id, and id of its group."""
        return self._child.pid

    async def wait(self) -> int:
        """The exit code; 128 + n after signal n, as shells and containers count."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace: float) -> int:
        """SIGTERM, and SIGKILL for the whole group after `grace` seconds. Returns the exit code."""
        if not self._ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            await asyncio.wait({self._ended}, timeout=grace)
        self.kill()
        return await self.wait()

    def kill(self) -> None:
        """SIGKILL for the whole group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _end(self) -> int:
        code = await self._child.wait()
        self.kill()  # what the program left running ends with it, as it does when a container ends
        return code if code >= 0 else 128 - code


class Processes:
    """Every child of this kubelet that has not ended."""

    def __init__(self) -> None:
        self._running: set[Process] = set()
        self._closed = False

    async def start(self, launch: Launch) -> Process:
        """Start a child. Raises StartFailed."""
        program = launch.command[0]
        found = shutil.which(program, path=launch.environment.get("PATH"))
        if found is None:
            raise StartFailed(f'exec: "{program}": executable file not found in $PATH')
        if self._closed:
            raise StartFailed("the kubelet is stopping")
        with launch.log.open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *_DIE_WITH_PARENT,
                found,
                *launch.command[1:],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=launch.directory,
                env=dict(launch.environment),
                start_new_session=True,
            )
        process = Process(child)
        self._running.add(process)
        process._ended.add_done_callback(lambda _: self._running.discard(process))
        if self._closed:
            process.kill()
        return process

    async def stop_all(self, grace: float) -> None:
        """End every child, and let no other start."""
        self._closed = True
        await asyncio.gather(*(process.stop(grace) for process in list(self._running)))
