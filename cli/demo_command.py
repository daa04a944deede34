"""`pinfeather demo`: its arguments. Called by __main__; the demo itself is sandbox.demo."""

import argparse
from pathlib import Path

from sandbox.state import default_root
from shared.settings import environment


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    demo = commands.add_parser(
        "demo", help="play refusals, a promotion, a hold and two rollbacks in the sandbox"
    )
    demo.add_argument("--fast", action="store_true", help="short intervals: all of it in under two minutes")
    demo.add_argument("--json", type=Path, metavar="FILE", help="write a report of what happened")
    demo.add_argument("--keep", action="store_true", help="leave the sandbox up")
    demo.add_argument("--plain", action="store_true", help="plain lines, on a terminal too")
    demo.add_argument("--state-dir", type=Path, help="folder of the sandbox, as for `sandbox up`")


def run(arguments: argparse.Namespace) -> int:
    """Play it; returns the exit code. Raises AppError."""
    from sandbox.demo import command, pace  # noqa: PLC0415 - help must not wait for it

    return command.run(
        command.Options(
            root=arguments.state_dir or default_root(environment("XDG_STATE_HOME"), environment("HOME")),
            pace=pace.FAST if arguments.fast else pace.AS_THE_GUIDE,
            report=arguments.json,
            keep=arguments.keep,
            plain=arguments.plain,
        )
    )
