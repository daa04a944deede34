"""What an image tag asks the application to do wrong.

    6.0.1-error-50      50 % of the requests are answered with 500
    6.0.1-notfound-30   30 % of the requests are answered with 404
    6.0.1-latency-800   every answer comes 800 ms later
    6.0.1-crash-10      the process exits with code 1 after 10 s
    6.0.1-unready       /readyz always answers 503

They combine: `6.0.1-error-5-latency-200`. Faults leave /healthz and /readyz alone (but for `unready`), as a
release that fails its probes never meets a user. What is not a fault is part of the version: `6.0.1-rc.1` is
a healthy release.
"""

import re
from dataclasses import dataclass, field

_FAULT = re.compile(r"-(?:(error|notfound|latency|crash)-(\d+)|(unready))(?=-|$)")
_ALL = 100


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares are percentages of the requests (0 to 100), times are in seconds; None means never."""

    error: int = 0
    notfound: int = 0
    latency: float = 0.0
    crash: float | None = None
    unready: bool = False


def parse(tag: str) -> Faults:
    """The faults that a tag asks for. A share above 100 counts as 100."""
    asked = {name: int(number) for name, number, _ in _FAULT.findall(tag) if name}
    return Faults(
        error=min(asked.get("error", 0), _ALL),
        notfound=min(asked.get("notfound", 0), _ALL),
        latency=asked.get("latency", 0) / 1000,
        crash=float(asked["crash"]) if "crash" in asked else None,
        unready=any(unready for _, _, unready in _FAULT.findall(tag)),
    )


@dataclass(slots=True)
class Share:
    """Says yes to a fixed percentage of its calls, spread evenly: a test of a 50 % fault must not depend on

    luck."""

    percent: int
    _owed: int = field(default=0, init=False)

    def strikes(self) -> bool:
        """Whether this call is one of the share."""
        self._owed += self.percent
        if self._owed < _ALL:
            return False
        self._owed -= _ALL
        return True
