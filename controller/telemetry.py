"""The controller's own metrics, named and labelled as Flagger's: dashboards and alerts go on working.

`controller.reconcile` reports to it. The label `name` is the target's name, as with Flagger.
"""

from importlib import metadata

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from controller.decision import Decision
from shared.names import primary_name
from shared.types.canary import Canary, Phase

Key = tuple[str, str]

_STATUS = {Phase.PROGRESSING: 0, Phase.FAILED: 2}
_OTHER_STATUS = 1
_ALL = 100
_TARGET = ("name", "namespace")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. Flagger's, which are the defaults of Prometheus' Go client."""
_OUTCOME = (*_TARGET, "deployment_strategy", "analysis_status")


class Telemetry:
    """One process' metrics. Series of a Canary go when it goes."""

    def __init__(self, mesh_provider: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._targets: dict[Key, str] = {}
        info = Gauge("flagger_info", "What is running", ("version", "mesh_provider"), registry=registry)
        info.labels(_version(), mesh_provider).set(1)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"flagger_canary_{name}", meaning, labels, registry=registry)

        self._total = gauge("total", "Canaries", "namespace")
        self._status = gauge("status", "0 progressing, 1 anything else, 2 failed", *_TARGET)
        self._weight = gauge("weight", "Share of traffic in percent", "workload", "namespace")
        self._analysis = gauge("metric_analysis", "Last value of a metric", *_TARGET, "metric")
        self._duration = Histogram(
            "flagger_canary_duration_seconds",
            "Duration of one pass",
            _TARGET,
            registry=registry,
            buckets=_BUCKETS,
        )
        self._successes = Counter("flagger_canary_successes", "Promotions", _OUTCOME, registry=registry)
        self._failures = Counter("flagger_canary_failures", "Rollbacks", _OUTCOME, registry=registry)

    def passed(self, canary: Canary, seconds: float) -> None:
        """A pass over the Canary took that long."""
        self._remember(canary)
        self._duration.labels(*_target(canary)).observe(seconds)

    def measured(self, canary: Canary, metric: str, value: float) -> None:
        """A metric was measured; in its own unit."""
        self._remember(canary)
        self._analysis.labels(*_target(canary), metric).set(value)

    def decided(self, canary: Canary, decision: Decision) -> None:
        """A decision was carried out."""
        self._remember(canary)
        (name, namespace), status = _target(canary), decision.status
        self._status.labels(name, namespace).set(_STATUS.get(status.phase, _OTHER_STATUS))
        self._weight.labels(primary_name(name), namespace).set(_ALL - status.canary_weight)
        self._weight.labels(name, namespace).set(status.canary_weight)
        if status.phase is canary.status.phase:
            return
        if status.phase is Phase.FAILED:
            self._failures.labels(*_outcome(canary)).inc()
        elif status.phase is Phase.SUCCEEDED and canary.status.phase is Phase.FINALISING:
            self._successes.labels(*_outcome(canary)).inc()

    def forget(self, key: Key) -> None:
        """The Canary is gone."""
        name, namespace = self._targets.pop(key, None), key[0]
        if name is None:
            return
        self._total.labels(namespace).dec()
        for metric in (self._status, self._duration, self._analysis, self._successes, self._failures):
            metric.remove_by_labels({"name": name, "namespace": namespace})
        for workload in (name, primary_name(name)):
            self._weight.remove_by_labels({"workload": workload, "namespace": namespace})

    def _remember(self, canary: Canary) -> None:
        name, namespace = _target(canary)
        key = (namespace, canary.metadata.name)
        if self._targets.get(key) != name:
            self.forget(key)
            self._targets[key] = name
            self._total.labels(namespace).inc()


def _version() -> str:
    try:
        return metadata.version("pinfeather")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def _target(canary: Canary) -> tuple[str, str]:
    return canary.spec.target_ref.name, canary.metadata.namespace


def _outcome(canary: Canary) -> tuple[str, str, str, str]:
    analysis = "skipped" if canary.spec.skip_analysis else "completed"
    return (*_target(canary), canary.spec.analysis.strategy.value, analysis)
