"""The webhooks' metrics. `server` counts requests, `handlers` refusals, `__main__` adds the caches.

Labels are names that this program knows, never text of a request: strangers must not fill the memory.
"""

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. Below 1 ms, because most answers take less."""


class Outcome(StrEnum):
    """How a request ended."""

    ALLOWED = "allowed"
    PATCHED = "patched"
    REFUSED = "refused"
    BAD = "bad"
    """HTTP 4xx: not a request that can be answered."""
    LATE = "late"
    """HTTP 504: no answer within the API server's timeout."""
    BLIND = "blind"
    """HTTP 503: the API server did not tell what the rules need, or too much is asked at once."""
    ERROR = "error"
    """HTTP 500: a bug."""


class Telemetry:
    """One process' metrics."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._requests = Counter(
            "pinfeather_admission_requests",
            "Admission requests by handler and outcome",
            ("handler", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "pinfeather_admission_duration_seconds",
            "From the last byte of a request to its answer",
            ("handler",),
            registry=registry,
            buckets=_BUCKETS,
        )
        self._refusals = Counter(
            "pinfeather_admission_refusals", "Violations that refused a request", ("rule",), registry=registry
        )
        self._misses = Counter(
            "pinfeather_admission_cache_misses",
            "Questions that the API server was asked because no cache could answer them",
            registry=registry,
        )
        self.connections = Gauge("pinfeather_admission_connections", "Open connections", registry=registry)
        self._staleness = Gauge(
            "pinfeather_admission_cache_staleness_seconds",
            "Seconds since the API server was last heard about a resource",
            ("resource",),
            registry=registry,
        )
        # Children are kept: to find one by its labels costs more than to count.
        self._counted: dict[tuple[str, Outcome], Counter] = {}
        self._timed: dict[str, Histogram] = {}

    def answered(self, handler: str, outcome: Outcome, seconds: float) -> None:
        """A request ended. `handler` is a name of `handlers`, empty where none was found."""
        key = handler, outcome
        if key not in self._counted:
            self._counted[key] = self._requests.labels(handler, outcome.value)
            self._timed[handler] = self._seconds.labels(handler)
        self._counted[key].inc()
        self._timed[handler].observe(seconds)

    def refused(self, rule: str) -> None:
        """A violation of the rule refused a request."""
        self._refusals.labels(rule).inc()

    def missed(self) -> None:
        """The API server had to be asked."""
        self._misses.inc()

    def staleness(self, resource: str, seconds: Callable[[], float]) -> None:
        """Show how long ago the API server was last heard about a resource."""
        self._staleness.labels(resource).set_function(seconds)
