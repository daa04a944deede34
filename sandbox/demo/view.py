"""What the audience sees: a frame of the live view, or a plain line. Pure.

`screen` puts it on the terminal.
"""

import textwrap
from collections.abc import Iterable, Iterator
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sandbox.demo.show import Act, Gauge, Kind, Line, Show, Users
from shared.types.status import Phase

PRIMARY, CANARY = "blue", "yellow"
STYLES = {
    Kind.TITLE: "bold",
    Kind.NOTE: "italic",
    Kind.COMMAND: "bold cyan",
    Kind.OUTPUT: "dim",
    Kind.REFUSAL: "red",
    Kind.PHASE: "magenta",
    Kind.EVENT: "",
    Kind.WARNING: "yellow",
    Kind.USERS: "dim",
}
MARKS = {
    Kind.TITLE: "#",
    Kind.NOTE: "i",
    Kind.COMMAND: "$",
    Kind.OUTPUT: " ",
    Kind.REFUSAL: "x",
    Kind.PHASE: ">",
    Kind.EVENT: "*",
    Kind.WARNING: "!",
    Kind.USERS: "=",
}
PHASE_STYLES = {Phase.SUCCEEDED: "bold green", Phase.INITIALIZED: "bold green", Phase.FAILED: "bold red"}
UNCHANGED = "unchanged"
HEAD = 13
"""Rows of a frame without its feed."""


def plain(line: Line) -> str:
    """A line of the feed without colour."""
    return f"{line.at:%H:%M:%S} {MARKS[line.kind]} {line.text}"


def users_text(users: Users) -> str:
    """What users got, in a line."""
    versions = ", ".join(f"{version}: {count}" for version, count in sorted(users.by_version.items()))
    return f"users: {users.total} requests, {users.failed} failed" + (f" ({versions})" if versions else "")


def frame(show: Show, now: datetime, width: int, height: int) -> RenderableType:
    """One picture of the live view, exactly this large."""
    act = show.act
    body = Group(
        Text(
            act.scenario.story if act else "Setting the stage.",
            style="italic",
            no_wrap=True,
            overflow="ellipsis",
        ),
        Text(),
        _facts(show, width - 4),
        Text(),
        _gauges(show.gauges),
        Text(),
        _users(act.users if act else Users()),
        Rule(style="dim"),
        *_feed(show.feed, width - 4, height - HEAD),
    )
    return Panel(
        body, title=_title(show, now), title_align="left", box=box.ROUNDED, width=width, height=height
    )


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _title(show: Show, now: datetime) -> Text:
    title = Text("pinfeather demo", style="bold")
    if act := show.act:
        minutes, seconds = divmod(int(act.seconds(now)), 60)
        title.append(
            f" ─ {len(show.acts)} of {len(show.story)} ─ {act.scenario.name} ─ {minutes}:{seconds:02}",
            "not bold",
        )
    return title


def _facts(show: Show, width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=7)
    table.add_row("phase", Text(show.phase or "-", style=PHASE_STYLES.get(show.phase, "bold magenta")))
    table.add_row("weight", _bar(show.weight, width - 9))
    return table


def _bar(weight: int, width: int) -> Text:
    """Who gets the users: primary to the left, canary to the right."""
    left, right = f"primary {100 - weight:3} % ", f" {weight:2} % canary"
    cells = max(10, width - len(left) - len(right))
    canary = round(cells * weight / 100)
    return Text.assemble(
        (left, PRIMARY),
        ("█" * (cells - canary), PRIMARY),
        ("▒" * canary, CANARY),
        (right, CANARY if weight else "dim"),
    )


def _gauges(gauges: dict[str, Gauge]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=7)
    table.add_column(justify="right", min_width=12)
    table.add_column(justify="right", min_width=9)
    table.add_row("", Text("success rate", style="dim"), Text("P99", style="dim"))
    for name, style in (("primary", PRIMARY), ("canary", CANARY)):
        gauge = gauges.get(name, Gauge())
        success = "-" if gauge.success is None else f"{gauge.success:.2f} %"
        p99 = "-" if gauge.p99 is None else f"{gauge.p99:.0f} ms"
        table.add_row(Text(name, style=style), success, p99)
    return table


def _users(users: Users) -> Text:
    text = Text.assemble("users    ", f"{users.total:,} requests  ", no_wrap=True, overflow="ellipsis")
    text.append(f"{users.failed:,} failed", "bold red" if users.failed else "bold green")
    for version, count in sorted(users.by_version.items()):
        text.append(f"   {version}: {count:,}", "dim")
    return text


def _feed(lines: Iterable[Line], width: int, height: int) -> list[Text]:
    """The last rows of the feed; long lines are folded, as a command that is cut off cannot be typed."""
    rows = [row for line in lines for row in _rows(line, width)]
    return rows[-height:] if height > 0 else []


def _rows(line: Line, width: int) -> Iterator[Text]:
    stamp = f"{line.at:%H:%M:%S} {MARKS[line.kind]} "
    for number, part in enumerate(
        textwrap.wrap(line.text, max(20, width - len(stamp)), drop_whitespace=False) or [""]
    ):
        yield Text.assemble((stamp if number == 0 else " " * len(stamp), "dim"), (part, STYLES[line.kind]))


def summary(acts: Iterable[Act], now: datetime) -> Table:
    """How all went, for the end."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("scenario", "expected", "ended", "seconds", "requests", "failed", "early"):
        table.add_column(column, justify="left" if column in ("scenario", "expected", "ended") else "right")
    for act in acts:
        table.add_row(
            act.scenario.name,
            act.scenario.ends or UNCHANGED,
            Text(act.phase or UNCHANGED, style="red" if act.problem or not act.ended else "green"),
            f"{act.seconds(now):.1f}",
            f"{act.users.total:,}",
            f"{act.users.failed:,}",
            f"{act.users.early:,}",
        )
    return table
