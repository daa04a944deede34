"""`pinfeather sandbox up|down|status|logs`: what each does and prints.

Called by __main__ with parsed arguments.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from sandbox.lifecycle import Wish, down, is_running, up, user_environment
from sandbox.state import Folder, Stage, State, default_root
from shared.errors import ConfigError
from shared.settings import environment

ADDONS = ("admission", "controller", "loadtester", "prometheus", "traefik")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare `sandbox` and its actions."""
    sandbox = commands.add_parser("sandbox", help="a Kubernetes cluster on this machine, without containers")
    actions = sandbox.add_subparsers(dest="action", required=True)
    start = actions.add_parser("up", help="start it, or find it running, and say how to use it")
    start.add_argument("--port", type=int, default=0, help="port of the API server (default: any free one)")
    start.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="ADDON",
        help=f"leave out one of {', '.join(ADDONS)}; may be given several times",
    )
    end = actions.add_parser("down", help="end it and everything that it started")
    status = actions.add_parser("status", help="say whether it runs; exit code 0 if so, 1 if not")
    logs = actions.add_parser("logs", help="print the sandbox's own log; kubectl logs has those of its pods")
    for action in (start, end, status, logs):
        action.add_argument(
            "--state-dir",
            type=Path,
            help="folder of this sandbox (default: ~/.local/state/pinfeather/sandbox)",
        )


def run(arguments: argparse.Namespace) -> int:
    """Carry out one action; returns the exit code. Raises ConfigError."""
    root: Path = arguments.state_dir or default_root(environment("XDG_STATE_HOME"), environment("HOME"))
    match arguments.action:
        case "up":
            return _up(Wish(root, arguments.port, _addons(arguments.without)))
        case "down":
            return _down(root)
        case "status":
            return _status(Folder(root))
        case _:
            return _logs(Folder(root))


def _up(wish: Wish) -> int:
    began = time.monotonic()
    state = up(wish, lambda line: _say(f"{time.monotonic() - began:5.1f}s  {line}"))
    folder = Folder(wish.root.resolve())
    _say("\nTo use it in this shell (the last part of PATH stays yours):\n")
    for name, value in user_environment(folder, state, "").items():
        _say(
            f"  export {name}={shlex.quote(value) if name != 'PATH' else shlex.quote(value[:-1]) + ':$PATH'}"
        )
    return 0


def _down(root: Path) -> int:
    _say("the sandbox is down" if down(root, _say) else "no sandbox is running")
    return 0


def _status(folder: Folder) -> int:
    state = folder.read()
    if state is None:
        _say("no sandbox is running")
        return 1
    if not is_running(state):
        reason = f": {state.error}" if state.error else ""
        _say(f"the sandbox ended without `down`{reason}; `pinfeather sandbox up` starts a new one")
        return 1
    _say(_summary(folder, state))
    return 0 if state.stage is Stage.READY else 1


def _summary(folder: Folder, state: State) -> str:
    lines = [f"the sandbox is {state.stage} (process {state.pid})"]
    if state.api_url:
        lines += [f"API server  {state.api_url}", f"proxy       {state.proxy_url}"]
    return "\n".join([*lines, f"kubeconfig  {folder.kubeconfig}", f"log         {folder.log}"])


def _logs(folder: Folder) -> int:
    try:
        sys.stdout.write(folder.log.read_text(errors="replace"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no log at {folder.log}: no sandbox was started") from error
    return 0


def _addons(names: list[str]) -> tuple[str, ...]:
    chosen = {part for name in names for part in name.split(",")}
    if unknown := chosen - set(ADDONS):
        raise ConfigError(f"--without {', '.join(sorted(unknown))}: the addons are {', '.join(ADDONS)}")
    return tuple(sorted(chosen))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
