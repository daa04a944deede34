"""Starting, finding and ending a sandbox from outside: what `pinfeather sandbox` does.

Called by the command line and by the demo. Synchronous, and light to import: the daemon does the work, and
on a running sandbox `up` answers at once.

    up ──► lock ──► running? say so : clear what an unfinished run left ──► start daemon ──► follow its state
"""

import contextlib
import fcntl
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sandbox import processes
from sandbox.prerequisites import find_programs, places
from sandbox.state import Folder, Stage, State
from shared.errors import ConfigError
from shared.settings import child_environment, environment

POLL = 0.02
START_TIMEOUT = 120.0
"""Seconds until an unfinished start is given up; the daemon itself gives up earlier, and says why."""
GRACEFUL_STOP = 15.0
"""Seconds that the daemon has to end its parts in order."""
LOG_LINES = 15
PROJECT = Path(__file__).parents[1]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sandbox shall be like."""

    root: Path
    port: int = 0
    """The API server's; 0 takes a free one."""
    without: tuple[str, ...] = field(default=())
    """Addons to leave out."""


def up(wish: Wish, say: Say) -> State:
    """A running sandbox: the one that is there, or a new one.

    Raises ConfigError when it cannot be started. Interrupted, it leaves nothing behind.
    """
    folder = Folder(wish.root.resolve())
    with _only_one(folder, say):
        state = folder.read()
        if state is not None and is_running(state) and state.stage is Stage.READY:
            _refuse_other_wish(state, wish)
            say(f"a sandbox is running already (process {state.pid})")
            return state
        if state is not None:
            say("clearing what an unfinished sandbox left behind")
            _clear(folder, state)
        find_programs(places(environment("PATH")), say)
        return _start(folder, wish, say)


def down(root: Path, say: Say) -> bool:
    """End the sandbox, and all that it started; False if there was none."""
    folder = Folder(root.resolve())
    with _only_one(folder, say):
        state = folder.read()
        if state is None:
            return False
        if is_running(state):
            say(f"stopping the sandbox (process {state.pid})")
            processes.end(state.pid, state.id, GRACEFUL_STOP)
        _clear(folder, state)
        return True


def is_running(state: State) -> bool:
    """Whether the daemon of this state is alive."""
    return bool(state.pid) and processes.belongs(state.pid, state.id)


def user_environment(folder: Folder, state: State, path: str) -> dict[str, str]:
    """The variables with which a person's tools use the sandbox; `path` is the PATH so far."""
    return {
        "KUBECONFIG": str(folder.kubeconfig),
        "http_proxy": state.proxy_url,
        "no_proxy": "127.0.0.1,localhost",
        "PATH": f"{folder.programs}:{path}",
    }


def _start(folder: Folder, wish: Wish, say: Say) -> State:
    state = State(id=secrets.token_hex(8), without=wish.without)
    folder.write(state)
    try:
        with _interruptible(), folder.log.open("wb") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "sandbox", f"--state-dir={folder.root}", f"--port={wish.port}"],
                cwd=folder.root,
                env=child_environment({processes.ID_VARIABLE: state.id, "PYTHONPATH": str(PROJECT)}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is not for it
            )
            return _follow(folder, daemon, say)
    except BaseException as error:
        failed = isinstance(error, ConfigError)
        _clear(folder, state, keep_log=failed)
        raise


def _follow(folder: Folder, daemon: "subprocess.Popen[bytes]", say: Say) -> State:
    """Tell each step of the start, until the sandbox is ready. Raises ConfigError when it fails."""
    told = 0
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        ended = daemon.poll() is not None  # looked at first: what it wrote last is then read
        state = folder.read()
        assert state is not None, "written before the daemon was started"
        for step in state.steps[told:]:
            say(step)
        told = len(state.steps)
        if state.stage is Stage.READY:
            return state
        if ended:
            reason = state.error or _last_lines(folder)
            raise ConfigError(f"the sandbox did not start: {reason}\nlog: {folder.log}")
        if time.monotonic() > deadline:
            raise ConfigError(f"the sandbox was not ready after {START_TIMEOUT:g} s\nlog: {folder.log}")
        time.sleep(POLL)


def _clear(folder: Folder, state: State, *, keep_log: bool = False) -> None:
    """End every process of the run, then remove its files; the state goes last, so that this can be done
    again.
    """
    if not processes.kill_all(state.id):
        raise ConfigError(f"processes of the sandbox do not end: {processes.of_run(state.id)}")
    kept = {folder.state, _lock(folder)} | ({folder.log} if keep_log else set())
    for entry in folder.root.iterdir():
        if entry in kept:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if keep_log:
        folder.write(replace(folder.read() or state, stage=Stage.FAILED))
    else:
        folder.state.unlink(missing_ok=True)


def _lock(folder: Folder) -> Path:
    return folder.root / "lock"


@contextlib.contextmanager
def _only_one(folder: Folder, say: Say) -> Iterator[None]:
    """One `up` or `down` at a time for a folder. Raises ConfigError for a folder that is something else's."""
    try:
        folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _lock(folder).exists() and any(folder.root.iterdir()):
            raise ConfigError(
                f"{folder.root} holds files that are not a sandbox's: choose another --state-dir"
            )
        lock = _lock(folder).open("w")
    except OSError as error:
        raise ConfigError(f"cannot use {folder.root} as state folder: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another `pinfeather sandbox` to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and a closed terminal end a start in the same way as Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _refuse_other_wish(state: State, wish: Wish) -> None:
    """A running sandbox is not changed; saying it is fine would be a lie."""
    port = int(state.api_url.rpartition(":")[2])
    if (wish.port and wish.port != port) or set(wish.without) != set(state.without):
        without = f" --without {','.join(state.without)}" if state.without else ""
        raise ConfigError(
            f"a sandbox is running with other options (--port {port}{without}): "
            "end it first with `pinfeather sandbox down`"
        )


def _last_lines(folder: Folder) -> str:
    lines = folder.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join(lines) or "it ended without a word"
