"""`python -m sandbox.demo.poster docs/demo.svg`: the picture of the live view that the README shows.

A frame of a release half-way, with invented numbers, so that it is the same whenever it is drawn.
"""

import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from sandbox.demo import view
from sandbox.demo.scenarios import HOLD, SET_IMAGE, STORY, TURN
from sandbox.demo.show import Gauge, Kind, Show
from shared.types.status import Phase

WIDTH, HEIGHT = 100, 26
WARNING = (
    "Warning: Canary test/podinfo holds the new template of podinfo: its pods go on as they are until all "
    "traffic is on podinfo-primary, then it is analysed"
)
STEPS = (5, 10, 15, 20, 25)
ANSWERS = {"4.0.6": 1402, "4.0.7": 41, "4.0.8": 122}


def show() -> Show:
    """A release that was held, five steps after it had its turn."""
    now = datetime(2026, 11, 22, 20, 14, 2, tzinfo=UTC)

    def clock() -> datetime:
        return now

    half_way = Show(STORY, clock=clock)
    for scenario in STORY[: STORY.index(HOLD) + 1]:
        half_way.begin(scenario)
    half_way.feed.clear()
    half_way.see_route(STEPS[1])
    now += timedelta(seconds=22)
    half_way.tell(Kind.COMMAND, SET_IMAGE + "4.0.8")
    half_way.tell(Kind.WARNING, WARNING)
    half_way.tell(Kind.OUTPUT, "deployment.apps/podinfo image updated")
    half_way.see_canary(Phase.PROGRESSING, 0)
    half_way.see_event("Normal", "New revision detected! Restarting analysis for podinfo.test")
    half_way.see_route(0)
    now += timedelta(seconds=7)
    half_way.see_event("Normal", "Starting canary analysis for podinfo.test")
    half_way.see_route(STEPS[0])
    half_way.tell(Kind.NOTE, TURN.format(version="4.0.8", total=548, had=0))
    for weight in STEPS:
        half_way.see_canary(Phase.PROGRESSING, weight)
        half_way.see_event("Normal", f"Advance podinfo.test canary weight {weight}")
        now += timedelta(seconds=10)
    for version, count in ANSWERS.items():
        for _ in range(count):
            half_way.user_answered(200, version)
    half_way.gauges = {"primary": Gauge(100.0, 4.4), "canary": Gauge(100.0, 4.7)}
    return half_way


def svg() -> str:
    """The picture."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    picture = show()
    console.print(view.frame(picture, picture.clock(), WIDTH, HEIGHT))
    return console.export_svg(title="make demo", unique_id="pinfeather-demo")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(svg())
