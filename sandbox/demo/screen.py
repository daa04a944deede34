"""Puts the show on standard output: a live view on a terminal, else plain lines without colour.

Opened by `play` around the whole demo. The only module of the demo that writes to the terminal.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from sandbox.demo import view
from sandbox.demo.show import Kind, Line, Show

FRAME_SECONDS = 0.25
COUNT_SECONDS = 10.0
"""How often plain output tells what users got."""
TALLEST, WIDEST = 30, 120


class Screen(Protocol):
    """A way to show the demo."""

    def line(self, line: Line) -> None:
        """Called with each new line of the feed."""

    async def run(self, show: Show) -> None:
        """Keep the picture fresh; ends by cancellation."""

    def close(self, show: Show, words: Iterable[str]) -> None:
        """The end: how each scenario went, and some words."""


class PlainScreen:
    """Lines, for pipes and logs."""

    def __init__(self) -> None:
        self._console = Console(
            color_system=None, force_terminal=False, soft_wrap=True, highlight=False, emoji=False
        )

    def line(self, line: Line) -> None:
        self._console.print(view.plain(line), markup=False)

    async def run(self, show: Show) -> None:
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            if show.act:
                show.tell(Kind.USERS, view.users_text(show.act.users))

    def close(self, show: Show, words: Iterable[str]) -> None:
        _close(self._console, show, words)


class LiveScreen:
    """One picture that changes, for people at a terminal. The last one stays."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = False

    def line(self, line: Line) -> None:
        """Before the first frame lines are printed; then the next frame has them."""
        if not self._live:
            self._console.print(view.plain(line), markup=False)

    async def run(self, show: Show) -> None:
        with Live(
            console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as live:
            try:
                while True:
                    live.update(self._frame(show), refresh=True)
                    await asyncio.sleep(FRAME_SECONDS)
            finally:
                live.update(self._frame(show), refresh=True)
                self._live = False

    def _frame(self, show: Show) -> RenderableType:
        width, height = self._console.size
        return view.frame(show, show.clock(), min(width, WIDEST), min(height - 1, TALLEST))

    def close(self, show: Show, words: Iterable[str]) -> None:
        _close(self._console, show, words)


def _close(console: Console, show: Show, words: Iterable[str]) -> None:
    if show.acts:
        console.print(view.summary(show.acts, show.clock()))
    for each in words:
        console.print(Text(each))
