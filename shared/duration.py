"""Durations as Go spells them (`10s`, `1m30s`, `500ms`): text to timedelta and back.

Used by the wire models and the settings. Apart because `durationpy` reads more than Go does (days, text
between the parts), and what the API server or Flagger would refuse must not mean something here.
"""

import re
from datetime import timedelta

import durationpy

PART = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
"""One number with its unit, as a regular expression that Go, Rust and Python read alike."""

_DURATION = re.compile(rf"[-+]?(0|({PART})+)", re.ASCII)
_LONGEST = timedelta(microseconds=(2**63 - 1) // 1000)
"""Go counts nanoseconds in 64 bits."""
_UNITS = (
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
    ("ms", timedelta(milliseconds=1)),
    ("us", timedelta(microseconds=1)),
)


def parse(text: str) -> timedelta:
    """The duration that the whole text says: to the microsecond up to a year, where floats are that exact.

    Raises:
        ValueError: Go's ParseDuration would not read it; the message names the text.
    """
    if _DURATION.fullmatch(text):
        try:
            value: timedelta = durationpy.from_str(text)
        except durationpy.DurationError as error:
            raise ValueError(f"{text!r} is out of range for a duration") from error
        if abs(value) <= _LONGEST:
            return value
        raise ValueError(f"{text!r} is out of range for a duration")
    raise ValueError(f"{text!r} is not a duration: write a number with a unit, such as 30s, 1m30s or 500ms")


def render(value: timedelta) -> str:
    """The duration in whole numbers of units, largest first (`1m30s`); `parse` and PromQL read it back."""
    if not value:
        return "0s"
    text, left = "", abs(value)
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            text += f"{count}{unit}"
    return f"-{text}" if value < timedelta() else text
