"""`pinfeather demo`: opens a sandbox, plays the story in it, writes the report, and tells how it went.

Called by the command line. Synchronous around one asyncio.run, because starting and ending a sandbox is.
"""

import asyncio
import json
import platform
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.demo.pace import Pace
from sandbox.demo.play import play
from sandbox.demo.report import explain, report
from sandbox.demo.scenarios import STORY
from sandbox.demo.screen import LiveScreen, PlainScreen
from sandbox.demo.shell import Shell
from sandbox.demo.show import Kind, Show
from sandbox.demo.stage import Stage, opened
from shared import logs
from shared.errors import AppError, ConfigError

VERSION_COMMANDS = {
    "kubectl": "kubectl version --client",
    "traefik": "traefik version",
    "prometheus": "prometheus --version",
}
_NUMBER = re.compile(r"\d+\.\d+\.\d+\S*")


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    root: Path
    """State folder of the sandbox."""
    pace: Pace
    report: Path | None
    """Where to write the report as JSON."""
    keep: bool
    """Leave the sandbox up."""
    plain: bool
    """Plain lines on a terminal, too."""


def run(options: Options) -> int:
    """The exit code: 0 = every scenario ended as it should.

    Raises:
        AppError: the story could not be played, and why.
    """
    if options.report and not options.report.parent.is_dir():
        raise ConfigError(f"--json {options.report}: there is no folder {options.report.parent}")
    screen = PlainScreen() if options.plain or not sys.stdout.isatty() else LiveScreen()
    show = Show(STORY, on_line=screen.line)
    began = show.clock()
    versions: dict[str, str] = {}
    problem = "it broke off"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with opened(options.root, lambda text: show.tell(Kind.NOTE, text)) as stage:
            stage.keep |= options.keep
            versions |= asyncio.run(_versions(Shell(stage.environment)))
            asyncio.run(_play(stage, options.pace, show, screen))
            problem = ""
            failed = bool(show.acts[-1].problem)
            stage.keep |= failed
            screen.close(show, _failure(show, stage) if failed else _success(show, stage))
            return 1 if failed else 0
    except AppError as error:
        problem = str(error)
        raise
    except KeyboardInterrupt:
        problem = "it was interrupted"
        raise
    finally:
        if options.report:
            written = report(show, began, versions, problem)
            options.report.write_text(json.dumps(written, indent=2) + "\n")


async def _play(stage: Stage, pace: Pace, show: Show, screen: PlainScreen | LiveScreen) -> None:
    """The story, with what the libraries have to say in a file: the screen is taken."""
    with (stage.folder.root / "demo.log").open("w") as log:
        logs.configure("warn", log)
        try:
            await play(stage, pace, show, screen)
        except* AppError as failures:
            raise AppError("; ".join(map(str, failures.exceptions))) from failures
        finally:
            logs.configure("warn")


async def _versions(shell: Shell) -> dict[str, str]:
    """The versions of the programs that take part; hey does not know its own."""
    outputs = await asyncio.gather(*(shell.run(command) for command in VERSION_COMMANDS.values()))
    found = {"python": platform.python_version()}
    for name, lines in zip(VERSION_COMMANDS, outputs, strict=True):
        number = _NUMBER.search("\n".join(lines))
        found[name] = number[0] if number else "unknown"
    return found


def _success(show: Show, stage: Stage) -> Iterator[str]:
    total = sum(act.users.total for act in show.acts)
    yield f"All went as told. None of {total:,} requests of users failed, or got a revision before its turn."
    if stage.keep:
        yield "The sandbox is still up; `pinfeather sandbox up` tells how to use it, `down` ends it."


def _failure(show: Show, stage: Stage) -> Iterable[str]:
    yield from explain(show.acts[-1], str(stage.folder.log))
    yield "The sandbox is still up; `kubectl -n traefik logs deployment/flagger` tells the controller's view."
    yield "`pinfeather sandbox up` tells how to use it, `pinfeather sandbox down` ends it."
