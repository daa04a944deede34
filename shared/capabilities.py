"""What this build can run, of all that the API can say: one table, read by both processes.

Admission refuses what is not in it when it is applied, the controller when it got past that, and neither
approximates. A strategy or provider that arrives later opens here, and with that at both ends at once.
"""

from collections.abc import Iterator

from shared.errors import Problem, ProblemReason
from shared.types.alert import AlertProviderType
from shared.types.analysis import Analysis
from shared.types.canary import Canary, Metric, Provider
from shared.types.metric import MetricProviderType

PROVIDERS = frozenset({Provider.TRAEFIK})
"""Who can route; the keys of `controller.routers.ROUTERS`."""
TARGET_KINDS = frozenset({"Deployment"})
"""What can be rolled out; the keys of `controller.workloads.WORKLOADS`."""
AUTOSCALER_KINDS = frozenset({"HorizontalPodAutoscaler"})
"""Which autoscalers a primary can get a copy of."""
METRIC_PROVIDERS = frozenset({MetricProviderType.PROMETHEUS})
"""Whose queries can be asked; the keys of `controller.metrics.PROVIDERS`."""
ALERT_TYPES: frozenset[AlertProviderType] = frozenset()
"""To which chat services alerts are sent."""

SUCCESS_RATE = "request-success-rate"
REQUEST_DURATION = "request-duration"
BUILTIN_METRICS = frozenset({SUCCESS_RATE, REQUEST_DURATION})
"""Metrics whose name says what to ask; the keys of each router in `controller.metrics.queries.BUILTIN`."""


def is_builtin(metric: Metric) -> bool:
    """Whether the metric's name says what to ask."""
    return metric.name in BUILTIN_METRICS and metric.template_ref is None and metric.query is None


def unsupported(canary: Canary, default_provider: str) -> tuple[Problem, ...]:
    """Everything that the Canary asks for and this build cannot do.

    `default_provider` is the provider of Canaries that name none.
    """
    return tuple(_unsupported(canary, default_provider))


def _unsupported(canary: Canary, default_provider: str) -> Iterator[Problem]:
    spec = canary.spec
    provider = spec.provider or default_provider
    if provider not in PROVIDERS:
        yield _outside("spec.provider", provider, PROVIDERS)
    if spec.target_ref.kind not in TARGET_KINDS:
        yield _outside("spec.targetRef.kind", spec.target_ref.kind, TARGET_KINDS)
    if spec.autoscaler_ref is not None and spec.autoscaler_ref.kind not in AUTOSCALER_KINDS:
        yield _outside("spec.autoscalerRef.kind", spec.autoscaler_ref.kind, AUTOSCALER_KINDS)
    yield from _strategy(spec.analysis)


def _strategy(analysis: Analysis) -> Iterator[Problem]:
    path = "spec.analysis"
    if analysis.iterations is not None:
        yield _forbidden(f"{path}.iterations", "A/B testing and Blue/Green; set stepWeight or stepWeights")
    if analysis.match:
        yield _forbidden(f"{path}.match", "A/B testing; remove it to roll out by weight")
    if analysis.mirror:
        yield _forbidden(f"{path}.mirror", "mirroring; remove it to roll out by weight")
    if analysis.session_affinity is not None:
        yield _forbidden(f"{path}.sessionAffinity", "session affinity; remove it")


def _forbidden(field: str, what: str) -> Problem:
    return Problem(field, ProblemReason.FORBIDDEN, f"Forbidden: this version does not do {what}")


def _outside(field: str, value: str, supported: frozenset[str]) -> Problem:
    known = ", ".join(f'"{each}"' for each in sorted(supported))
    message = f'Unsupported value: "{value}": supported values: {known}'
    return Problem(field, ProblemReason.UNSUPPORTED, message)
