"""Ages as kubectl prints them. Used by the columns of built-in and of custom kinds."""

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3_600, 86_400, 365 * 86_400


def age(moment: str | None) -> str:
    """How long ago an RFC 3339 time was, as kubectl shows it."""
    if not moment:
        return "<unknown>"
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return "<invalid>"
    return human_duration(int((datetime.now(UTC) - then).total_seconds()))


def human_duration(seconds: int) -> str:
    """Two units where they matter, one where they do not: 45s, 3m5s, 20m, 5h10m, 2d3h, 40d, 2y50d."""
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    for below, unit, name, smaller, smaller_name in _STEPS:
        if seconds < below:
            large, small = seconds // unit, seconds % unit // smaller
            return f"{large}{name}{small}{smaller_name}" if small and smaller < unit else f"{large}{name}"
    return f"{seconds // _YEAR}y"


# Below this many seconds: the unit shown, and the smaller one beside it (the same where there is none).
_STEPS = (
    (2 * _MINUTE, 1, "s", 1, "s"),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", _MINUTE, "m"),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", _HOUR, "h"),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", _DAY, "d"),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)
