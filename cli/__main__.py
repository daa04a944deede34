"""Reads the command line and carries it out. Run as `pinfeather` or `python -m cli`."""

import argparse
import sys
from collections.abc import Callable

from cli import demo_command, lint_command, sandbox_commands
from shared.errors import AppError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


COMMANDS = {"demo": demo_command, "lint": lint_command, "sandbox": sandbox_commands}


def main() -> int:
    """The exit code: 0 = done, 1 = not, with a sentence on stderr that says why; `lint` has one more."""
    arguments = _parser().parse_args()
    try:
        run: Callable[[argparse.Namespace], int] = COMMANDS[arguments.command].run
        return run(arguments)
    except AppError as error:
        sys.stderr.write(f"pinfeather: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\npinfeather: interrupted\n")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pinfeather", description="Progressive delivery for Traefik on Kubernetes."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS.values():
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
