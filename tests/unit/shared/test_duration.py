"""Durations are read as Go reads them, and written so that they read back."""

from datetime import timedelta

import pytest

from shared.duration import parse, render


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1m", 60),
        ("1m30s", 90),
        ("1h0m5s", 3605),
        ("500ms", 0.5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1000ns", 0.000001),
        ("0", 0),
        ("-5s", -5),
        ("+5s", 5),
    ],
)
def test_what_go_reads_is_read(text: str, seconds: float) -> None:
    assert parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "s",
        "10 s",
        "1min",
        "10sx",
        "x10s",
        "1d",
        "1w",
        "1m x 30s",
        "1.2.3s",
        "1e3s",
        "--5s",
        "10s\n",
        "٣s",
    ],
)
def test_what_go_does_not_read_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration") as caught:
        parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["2562048h", "9" * 400 + "h"])
def test_more_than_go_can_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (60, "1m"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (0.5, "500ms"),
        (-90, "-1m30s"),
        (59.999999, "59s999ms999us"),
    ],
)
def test_durations_are_written_in_whole_units(seconds: float, text: str) -> None:
    assert render(timedelta(seconds=seconds)) == text
