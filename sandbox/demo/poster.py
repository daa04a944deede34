"""`python -m sandbox.demo.poster docs/demo.svg`: the picture of the live view that the README shows.

A frame of a promotion half-way, with invented numbers, so that it is the same whenever it is drawn.
"""

import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from sandbox.demo import view
from sandbox.demo.scenarios import BOOTSTRAP, PROMOTION, SET_IMAGE, STORY
from sandbox.demo.show import Gauge, Kind, Show
from shared.types.status import Phase

WIDTH, HEIGHT = 100, 26
STEPS = (5, 10, 15, 20, 25, 30)
ANSWERS = {"4.0.5": 1243, "4.0.6": 205}


def show() -> Show:
    """A promotion of which six steps are taken."""
    now = datetime(2026, 11, 22, 20, 14, 2, tzinfo=UTC)

    def clock() -> datetime:
        return now

    half_way = Show(STORY, clock=clock)
    half_way.begin(BOOTSTRAP)
    half_way.feed.clear()
    half_way.begin(PROMOTION)
    half_way.tell(Kind.COMMAND, SET_IMAGE + "4.0.6")
    half_way.tell(Kind.OUTPUT, "deployment.apps/podinfo image updated")
    half_way.see_canary(Phase.PROGRESSING, 0)
    half_way.see_event("Normal", "New revision detected! Scaling up podinfo.test")
    now += timedelta(seconds=3)
    half_way.see_event("Normal", "Starting canary analysis for podinfo.test")
    half_way.see_event("Normal", "Pre-rollout check acceptance-test passed")
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
