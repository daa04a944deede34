"""Numbers as Go's %v prints them, for messages that must read as Flagger's. Pure.

`controller.judge` calls it. Apart because it is about Go and not about Canaries.
"""

_EXPONENT_FROM = 1e21
"""From here on Go writes a float64 with an exponent."""
_MILLISECOND = 1_000
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND


def go_float(value: float) -> str:
    """A float64: 99, 99.5, 1e+21."""
    if value.is_integer() and abs(value) < _EXPONENT_FROM:
        return str(int(value))
    return repr(value)


def go_milliseconds(value: float) -> str:
    """Milliseconds as a time.Duration, to the microsecond: 1.5s, 650ms, 500µs, 1m30s."""
    micros = round(value * _MILLISECOND)
    sign, micros = ("-" if micros < 0 else ""), abs(micros)
    if micros >= _SECOND:
        minutes, micros = divmod(micros, _MINUTE)
        hours, minutes = divmod(minutes, 60)
        whole = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        return f"{sign}{whole}{go_float(micros / _SECOND)}s"
    if micros >= _MILLISECOND:
        return f"{sign}{go_float(micros / _MILLISECOND)}ms"
    return f"{sign}{micros}µs" if micros else "0s"
