"""The view fits its terminal and shows what the show knows."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from sandbox.demo import poster, view
from sandbox.demo.show import Kind, Show
from shared.types.status import Phase
from tests.unit.sandbox.demo.acts import show_of

ROOT = Path(__file__).parents[4]


def _drawn(show: Show, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    with console.capture() as capture:
        console.print(view.frame(show, poster.show().clock(), width, height))
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24), (80, 23), (40, 14)])
def test_a_frame_has_exactly_its_size(width: int, height: int) -> None:
    rows = _drawn(poster.show(), width, height)
    assert len(rows) == height
    assert {len(row) for row in rows} == {width}


def test_a_frame_shows_phase_weight_gauges_and_users() -> None:
    text = "\n".join(_drawn(poster.show(), 80, 24))
    for shown in (
        "4 of 7 ─ hold ─ 1:19",
        "Progressing",
        "primary  75 %",
        "25 % canary",
        "100.00 %       5 ms",
        "1,565 requests  0 failed   4.0.6: 1,402   4.0.7: 41   4.0.8: 122",
        "20:15:11 * Advance podinfo.test canary weight 25",
    ):
        assert shown in text


def test_before_the_story_begins_there_is_a_frame_too() -> None:
    text = "\n".join(_drawn(show_of(), 80, 24))
    assert "Setting the stage." in text
    assert "0 requests  0 failed" in text


def test_a_long_command_is_folded_and_not_cut() -> None:
    show = show_of()
    show.tell(Kind.COMMAND, "kubectl " + " ".join(f"word{number}" for number in range(30)))
    text = "\n".join(_drawn(show, 60, 24))
    assert all(f"word{number}" in text for number in range(30))


def test_the_newest_lines_are_at_the_bottom() -> None:
    show = show_of()
    for number in range(50):
        show.tell(Kind.NOTE, f"line {number}")
    assert "line 49" in _drawn(show, 80, 24)[-2]


def test_plain_lines_have_time_mark_and_text() -> None:
    show = show_of()
    show.see_event("Warning", "Halt podinfo.test advancement")
    assert view.plain(show.feed[0]) == "12:00:01 ! Halt podinfo.test advancement"


def test_the_summary_tells_how_far_each_scenario_came() -> None:
    picture = poster.show()
    picture.see_canary(Phase.SUCCEEDED, 0)
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(view.summary(picture.acts, picture.clock()))
    assert "Succeeded     Succeeded" in capture.get()


def test_the_picture_in_the_docs_is_the_one_that_is_drawn() -> None:
    assert (ROOT / "docs" / "demo.svg").read_text() == poster.svg(), (
        "run: python -m sandbox.demo.poster docs/demo.svg"
    )
