"""How fast the story goes: the guide's own numbers, or the same analysis with shorter times.

Apart from the scenarios, which are the same at any pace.
"""

import json
from dataclasses import dataclass

from sandbox.demo.scenarios import CANARY, NAMESPACE


@dataclass(frozen=True, slots=True)
class Pace:
    """What the story depends on of the Canary's numbers."""

    step: int
    """Percent of the users that each step adds."""
    ceiling: int
    """Percent at which the canary is promoted."""
    window: int
    """Seconds over which metrics are taken."""
    patience: int
    """Seconds after which a scenario counts as stuck."""
    changes: tuple[tuple[str, str | int], ...] = ()
    """Fields of `spec.analysis` that differ from the guide's, with their values."""

    @property
    def steps(self) -> tuple[int, ...]:
        """The canary's weights on its way to promotion."""
        return tuple(range(self.step, self.ceiling + 1, self.step))

    def quicken(self, metrics: int) -> str:
        """The command that makes the changes on a Canary with so many metrics; empty where there are none."""
        windows = ((f"metrics/{number}/interval", f"{self.window}s") for number in range(metrics))
        if not self.changes:
            return ""
        patch = [
            {"op": "replace", "path": f"/spec/analysis/{path}", "value": value}
            for path, value in (*self.changes, *windows)
        ]
        text = json.dumps(patch, separators=(",", ":"))
        return f"kubectl -n {NAMESPACE} patch canary/{CANARY} --type json -p '{text}'"


AS_THE_GUIDE = Pace(step=5, ceiling=50, window=60, patience=480)
FAST = Pace(
    step=10,
    ceiling=50,
    window=10,
    patience=60,
    changes=(("interval", "2s"), ("threshold", 4), ("stepWeight", 10)),
)
