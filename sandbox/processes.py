"""Finds and ends the processes of one run of a sandbox, by the id that each has in its environment.

Called by `down`, by `up` when it was interrupted or finds an unfinished run, and by the guardian. A process
id alone proves nothing: it may belong to another program by now.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

ID_VARIABLE = "PINFEATHER_SANDBOX_ID"
POLL = 0.02


def of_run(run_id: str) -> list[int]:
    """The processes that carry this id, ours excepted."""
    own = os.getpid()
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in numbers if pid != own and belongs(pid, run_id)]


def belongs(pid: int, run_id: str) -> bool:
    """Whether the process is alive and of this run."""
    marker = f"{ID_VARIABLE}={run_id}".encode()
    try:
        return marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or of another user
        return False


def end(pid: int, run_id: str, seconds: float) -> bool:
    """Ask one process of the run to end; True once it is gone."""
    deadline = time.monotonic() + seconds
    _signal(pid, run_id, signal.SIGTERM)
    while belongs(pid, run_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def kill_all(run_id: str, seconds: float = 5.0) -> bool:
    """Kill every process of the run, those that they start meanwhile too; True once none is left."""
    deadline = time.monotonic() + seconds
    while pids := of_run(run_id):
        if time.monotonic() > deadline:
            return False
        for pid in pids:
            _signal(pid, run_id, signal.SIGKILL)
        time.sleep(POLL)
    return True


def _signal(pid: int, run_id: str, number: signal.Signals) -> None:
    # Looked at again through a handle that stays with this very process, however its number is used later.
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if belongs(pid, run_id):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
