"""Metrics: one question to a metrics server, answered by one number.

    Metric ─► measure ─┬─ builtin  ─► queries (PromQL by router) ──────────┐
                       ├─ query    ─► template (names filled in) ──────────┼─► provider ─► float
                       └─ template ─► MetricTemplate, Secret, template ────┘        └──► NoData, ManySeries,
                                                                                         MetricsUnavailable

A provider is one file and one line in `PROVIDERS`. Whether a value is good is for `controller.judge` to say.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from controller.metrics.prometheus import Prometheus
from controller.metrics.source import Source
from shared.types.metric import MetricProviderType


class MetricsProvider(Protocol):
    """One kind of metrics server. An instance serves every Canary, until it is closed."""

    async def query(self, source: Source, query: str) -> float:
        """The one value that the query has; finite.

        Raises:
            NoData: nothing, NaN, infinite, or too old.
            ManySeries: several values.
            MetricsUnavailable: the server was not reached, or did not answer.
        """

    async def close(self) -> None:
        """Give connections and threads back."""


PROVIDERS: Mapping[MetricProviderType, Callable[[], MetricsProvider]] = {
    MetricProviderType.PROMETHEUS: Prometheus,
}
