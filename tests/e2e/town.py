"""A sandbox that is up for tests, and kubectl in it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.state import Folder
from tests.waiting import POLL

ROOT = Path(__file__).parents[2]
SYSTEM = "pinfeather-system"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    said: str


@dataclass(frozen=True)
class Town:
    """A sandbox that is up."""

    folder: Folder

    async def kubectl(self, *arguments: str, stdin: str = "") -> Done:
        """One command, as the cluster's administrator."""
        program = Path(sys.executable).parent / "kubectl"
        environment = {**os.environ, "KUBECONFIG": str(self.folder.kubeconfig), "HOME": str(self.folder.root)}
        return await _run((str(program), *arguments), environment, stdin)

    async def done(self, *arguments: str, stdin: str = "") -> str:
        """What a command said that has to succeed."""
        ended = await self.kubectl(*arguments, stdin=stdin)
        assert ended.code == 0, ended.said
        return ended.said

    async def refused(self, *arguments: str, stdin: str = "") -> str:
        """What a command said that must not succeed."""
        ended = await self.kubectl(*arguments, stdin=stdin)
        assert ended.code != 0, ended.said
        return ended.said

    async def until(self, wanted: str, *arguments: str) -> None:
        """Ask until the answer is this; the test's own timeout bounds the wait."""
        while (await self.kubectl(*arguments)).said.strip() != wanted:  # noqa: ASYNC110 - as in tests.waiting
            await asyncio.sleep(POLL)


@asynccontextmanager
async def town(root: Path, *without: str) -> AsyncIterator[Town]:
    """A sandbox without these addons."""
    folder = f"--state-dir={root}"
    left_out = ("--without", ",".join(without)) if without else ()
    try:
        started = await pinfeather("sandbox", "up", folder, *left_out)
        assert started.code == 0, started.said
        yield Town(Folder(root))
    finally:
        await pinfeather("sandbox", "down", folder)


async def pinfeather(*arguments: str) -> Done:
    """One command of ours."""
    return await _run((sys.executable, "-m", "cli", *arguments), dict(os.environ))


async def _run(command: tuple[str, ...], environment: dict[str, str], stdin: str = "") -> Done:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Done(process.returncode, output.decode())
