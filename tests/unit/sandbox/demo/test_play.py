"""Scenarios are performed step by step, end by themselves or by the clock, and leave no process behind."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.demo.pace import FAST
from sandbox.demo.play import Player
from sandbox.demo.scenarios import (
    BOOTSTRAP,
    ROLLBACK,
    Admit,
    Load,
    Quicken,
    Run,
    Say,
    Scenario,
    Step,
    Turn,
)
from sandbox.demo.shell import CommandFailed, Shell
from sandbox.demo.show import Kind, Show
from sandbox.demo.users import Users
from shared.types.status import Phase
from tests.unit.sandbox.demo.acts import show_of
from tests.waiting import eventually

SHELL = Shell({"PATH": os.environ["PATH"]})


def _scenario(*steps: Step) -> Scenario:
    return replace(BOOTSTRAP, steps=steps, told=())


def _player(show: Show, patience: int = 10) -> Player:
    return Player(
        SHELL, replace(FAST, patience=patience, changes=()), show, Users("http://127.0.0.1:1", show)
    )


async def test_steps_are_told_and_taken_in_order() -> None:
    scenario = _scenario(Say("look"), Run("echo one"), Quicken(metrics=2), Run("echo two"))
    show = show_of(scenario)
    performing = asyncio.create_task(_player(show).perform(scenario))
    await show.until(lambda: bool(show.feed) and show.feed[-1].text == "two")
    show.see_canary(Phase.INITIALIZED, 0)
    act = await performing
    assert act.problem == "" and act.ended
    assert [(line.kind, line.text) for line in show.feed][1:] == [
        (Kind.NOTE, "look"),
        (Kind.COMMAND, "echo one"),
        (Kind.OUTPUT, "one"),
        (Kind.COMMAND, "echo two"),
        (Kind.OUTPUT, "two"),
        (Kind.PHASE, "Initialized"),
    ]


async def test_a_command_that_fails_ends_its_scenario_with_what_it_said() -> None:
    scenario = _scenario(Run("ls /no/such/folder"), Say("never told"))
    act = await _player(show_of(scenario)).perform(scenario)
    assert "$ ls /no/such/folder" in act.problem
    assert "No such file or directory" in act.problem


async def test_a_command_that_should_be_refused_and_is_not_ends_its_scenario() -> None:
    scenario = _scenario(Run("echo done", refused=True), Say("never told"))
    act = await _player(show_of(scenario)).perform(scenario)
    assert act.problem.splitlines()[:3] == ["$ echo done", "should have been refused, and said:", "done"]


@pytest.mark.parametrize("ending", ["", "; false"])
async def test_a_command_that_does_not_say_what_it_should_ends_its_scenario(ending: str) -> None:
    step = Run(f"sh -c 'echo one{ending}'", says=("o*e", "two"), refused=bool(ending))
    scenario = _scenario(step)
    act = await _player(show_of(scenario)).perform(scenario)
    assert 'should have said "two", and said:\none' in act.problem


async def test_warnings_and_refusals_are_told_as_such() -> None:
    step = Run("sh -c 'echo Warning: held; echo no; false'", says=("no",), refused=True)
    scenario = replace(_scenario(step), ends=None)
    show = show_of(scenario)
    assert (await _player(show).perform(scenario)).problem == ""
    assert [(line.kind, line.text) for line in show.feed][2:] == [
        (Kind.WARNING, "Warning: held"),
        (Kind.REFUSAL, "no"),
    ]


async def test_a_turn_comes_with_the_climb_that_is_a_versions_own() -> None:
    scenario = replace(_scenario(Turn("2")), ends=None, turns=("1", "2"))
    show = show_of(scenario)
    performing = asyncio.create_task(_player(show).perform(scenario))
    await show.until(lambda: bool(show.acts))
    for share in (10, 20, 0):
        show.see_route(share)
        show.user_answered(200, "1")
    await asyncio.sleep(0)
    assert not performing.done()
    show.see_route(10)
    await performing
    assert "The turn of 2: of 3 requests so far, it has answered 0." in [line.text for line in show.feed]


async def test_a_scenario_that_takes_too_long_is_given_up() -> None:
    scenario = _scenario(Admit())
    act = await _player(show_of(scenario), patience=0).perform(scenario)
    assert act.problem.splitlines()[0] == "it was not over after 0 s"


async def test_a_load_begins_with_the_climb_and_ends_with_the_scenario(tmp_path: Path) -> None:
    number = tmp_path / "process"
    load = Load(f"sh -c 'echo $$ > {number}; exec sleep 60'", after_steps=1)
    scenario = replace(ROLLBACK, steps=(load,), told=(), serves="", turns=("4.0.9",))
    show = show_of(scenario)
    performing = asyncio.create_task(_player(show).perform(scenario))
    await show.until(lambda: bool(show.acts))
    assert not number.exists()
    show.see_canary(Phase.PROGRESSING, FAST.step)
    await eventually(lambda: number.exists() and number.read_text().endswith("\n"))
    show.see_canary(Phase.FAILED, 0)
    assert (await performing).problem == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


async def test_what_an_earlier_demo_left_is_taken_away_only_if_there_is_something() -> None:
    show = show_of()
    watching = asyncio.Event()
    watching.set()
    await _player(show).prepare(watching)
    assert list(show.feed) == []


async def test_a_program_that_is_missing_is_a_failed_command() -> None:
    with pytest.raises(CommandFailed, match="cannot be started"):
        await SHELL.run("no-such-program --at-all")
