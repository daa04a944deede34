"""No child process is lost, whatever ends the parent."""

import asyncio
import shutil
import signal
import sys
from pathlib import Path

import pytest

from sandbox.kubelet.images import search_path
from sandbox.kubelet.process import Launch, Processes, StartFailed
from tests.waiting import eventually, is_alive, numbers_in


def launch(directory: Path, script: str) -> Launch:
    environment = {"PATH": search_path(), "GREETING": "hello"}
    return Launch(["bash", "-c", script], environment, directory, directory / "log")


async def test_output_is_kept_and_the_exit_code_told(tmp_path: Path) -> None:
    process = await Processes().start(launch(tmp_path, "echo $GREETING; pwd; echo oops >&2; exit 3"))
    assert await process.wait() == 3
    assert (tmp_path / "log").read_text() == f"hello\n{tmp_path}\noops\n"


async def test_a_signal_is_told_as_shells_do(tmp_path: Path) -> None:
    process = await Processes().start(launch(tmp_path, "kill -TERM $$"))
    assert await process.wait() == 128 + signal.SIGTERM


async def test_a_process_may_end_gracefully(tmp_path: Path) -> None:
    processes = Processes()
    process = await processes.start(
        launch(tmp_path, "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done")
    )
    await eventually(lambda: "up" in (tmp_path / "log").read_text())
    assert await process.stop(5) == 7


async def test_one_that_will_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = await Processes().start(
        launch(tmp_path, f"trap '' TERM; sleep 100 & echo $$ $! > {pids}; wait; sleep 100")
    )
    await eventually(lambda: len(numbers_in(pids)) == 2)
    assert await process.stop(0.1) == 128 + signal.SIGKILL
    await eventually(lambda: not any(is_alive(pid) for pid in numbers_in(pids)))


async def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = await Processes().start(launch(tmp_path, f"sleep 100 & echo $! > {pids}"))
    assert await process.wait() == 0
    await eventually(lambda: not any(is_alive(pid) for pid in numbers_in(pids)))


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match='"no-such-program": executable file not found'):
        await Processes().start(
            Launch(["no-such-program"], {"PATH": search_path()}, tmp_path, tmp_path / "log")
        )


async def test_nothing_starts_once_all_have_been_stopped(tmp_path: Path) -> None:
    processes = Processes()
    process = await processes.start(launch(tmp_path, "sleep 100"))
    await processes.stop_all(1)
    assert not is_alive(process.pid)
    with pytest.raises(StartFailed, match="is stopping"):
        await processes.start(launch(tmp_path, "true"))


@pytest.mark.skipif(not shutil.which("setpriv"), reason="util-linux's setpriv is not installed")
async def test_the_kernel_ends_children_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    parent = f"""
import asyncio
from pathlib import Path
from sandbox.kubelet.process import Launch, Processes
async def main():
    here = Path({str(tmp_path)!r})
    launch = Launch(["sleep", "100"], {{"PATH": "/usr/bin:/bin"}}, here, here / "log")
    process = await Processes().start(launch)
    Path({str(pids)!r}).write_text(str(process.pid))
    await process.wait()
asyncio.run(main())
"""
    started = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    await eventually(lambda: numbers_in(pids))
    started.kill()
    await started.wait()
    await eventually(lambda: not is_alive(numbers_in(pids)[0]))
