"""Figures: a measured value beside its target and beside Flagger's, as a table or as JSON.

Every group of measurements returns some; `__main__` shows them.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. A target is the most that it should be; None where there is none."""

    name: str
    value: float
    unit: str
    spread: str = ""
    target: float | None = None
    flagger: str = ""
    detail: Any = None
    """More of it, for the JSON alone."""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return None if self.target is None else self.value <= self.target


def percentile(values: Iterable[float], percent: float) -> float:
    """The nearest-rank percentile: a value that was measured, never one between two."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(values: Sequence[float], unit: str = "") -> str:
    """Smallest, median and largest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{show(low)} / {show(middle)} / {show(high)} {unit}".rstrip()


def show(value: float) -> str:
    """Three significant digits; whole numbers as they are."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def table(figures: Iterable[Figure]) -> str:
    """A Markdown table."""
    lines = ["| Figure | Measured | Spread | Target | Met | Flagger 1.44 |", "|---|---|---|---|---|---|"]
    for each in figures:
        target = "" if each.target is None else f"≤ {show(each.target)} {each.unit}"
        met = {None: "", True: "yes", False: "**no**"}[each.met]
        lines.append(
            f"| {each.name} | {show(each.value)} {each.unit} | {each.spread} | {target} | {met} "
            f"| {each.flagger} |"
        )
    return "\n".join(lines)
