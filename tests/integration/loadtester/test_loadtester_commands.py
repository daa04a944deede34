import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from loadtester.commands import CommandNotStarted, Limits, run
from tests.waiting import eventually, is_alive, numbers_in

LIMITS = Limits(timedelta(seconds=20), output_bytes=100)


def bash(script: str) -> tuple[str, ...]:
    return ("bash", "-c", script)


async def gone(pid_file: Path) -> None:
    """The process that wrote its id there has ended, or does so now."""
    (pid,) = numbers_in(pid_file)
    await eventually(lambda: not is_alive(pid))


async def test_output_and_code_are_those_of_the_command() -> None:
    outcome = await run(bash("echo out; echo err >&2; exit 3"), LIMITS)
    assert outcome.code == 3
    assert outcome.output == "out\nerr\n"
    assert not outcome.succeeded


async def test_only_the_end_of_long_output_is_kept() -> None:
    outcome = await run(bash("seq 1 100000; echo the end"), LIMITS)
    assert outcome.succeeded
    assert outcome.output.endswith("the end\n")
    assert "bytes left out]" in outcome.output
    assert len(outcome.output) < 140


async def test_a_signal_is_reported_as_a_shell_does() -> None:
    assert (await run(bash("kill -KILL $$"), LIMITS)).code == 137


async def test_a_missing_program_is_named() -> None:
    with pytest.raises(CommandNotStarted, match="no-such-program"):
        await run(("no-such-program",), LIMITS)


async def test_a_command_whose_time_is_up_ends_with_all_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; trap '' TERM; echo begun; wait; sleep 60"
    outcome = await run(bash(script), Limits(timedelta(seconds=0.5)))
    assert outcome.code is None
    assert outcome.output == "begun\n"
    await gone(tmp_path / "child")


async def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    outcome = await run(bash(f"sleep 60 & echo $! > {tmp_path}/child"), LIMITS)
    assert outcome.succeeded
    await gone(tmp_path / "child")


async def test_cancelling_kills_the_command(tmp_path: Path) -> None:
    running = asyncio.create_task(run(bash(f"echo $$ > {tmp_path}/pid; exec sleep 60"), LIMITS))
    await eventually(lambda: numbers_in(tmp_path / "pid"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gone(tmp_path / "pid")
