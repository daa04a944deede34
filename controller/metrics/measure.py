"""Measuring: from a metric of a Canary to its value, through template, secret and provider.

`controller.rounds` calls it. Apart from the providers because it knows Canaries, which they do not.
"""

import base64
import binascii
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from controller.metrics import PROVIDERS, MetricsProvider
from controller.metrics.queries import builtin_query
from controller.metrics.source import Source, source_of
from shared.capabilities import is_builtin
from shared.errors import ClusterError, InvalidSpec
from shared.query_template import render, values_of
from shared.resources import SECRETS, Resource
from shared.types.canary import Canary, Metric
from shared.types.meta import Json, NamespacedRef
from shared.types.metric import (
    MetricProvider,
    MetricProviderType,
    MetricTemplateSpec,
    parse_metric_template,
)


class Reader(Protocol):
    """As much of the cluster as is needed here."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        """One object; raises ClusterError."""


class Measurer:
    """Answers metrics of any Canary. `templates` has MetricTemplates as they came, by namespace and name."""

    def __init__(
        self,
        cluster: Reader,
        templates: Mapping[tuple[str, str], Json],
        metrics_server: str,
        *,
        providers: Mapping[MetricProviderType, MetricsProvider] | None = None,
    ) -> None:
        self._cluster = cluster
        self._templates = templates
        self._metrics_server = metrics_server
        self._providers = providers or {kind: make() for kind, make in PROVIDERS.items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for provider in self._providers.values():
            await provider.close()

    async def measure(self, canary: Canary, metric: Metric) -> float:
        """The metric's value now.

        Raises:
            InvalidSpec: the metric, its template or its secret is wrong; the text is for an Event.
            NoData, ManySeries, MetricsUnavailable: see `MetricsProvider.query`.
        """
        if metric.template_ref is not None:
            return await self._templated(canary, metric, metric.template_ref)
        if metric.query is not None:
            query = _render(f"Metric query failed for {metric.name}:", metric.query, canary, metric)
        elif is_builtin(metric):
            query = builtin_query(canary, metric)
        else:
            raise InvalidSpec("Metric query failed for no usable metrics template and query were configured")
        source = Source(canary.spec.metrics_server or self._metrics_server)
        return await self._providers[MetricProviderType.PROMETHEUS].query(source, query)

    async def _templated(self, canary: Canary, metric: Metric, ref: NamespacedRef) -> float:
        namespace = ref.namespace or canary.metadata.namespace
        problem = f"Metric template {ref.name}.{namespace}"
        spec = self._find(problem, namespace, ref.name)
        described = spec.provider
        provider = self._providers.get(described.type)
        if provider is None:
            supported = ", ".join(self._providers)
            raise InvalidSpec(f"{problem} provider {described.type} error: supported are {supported}")
        if described.address is None:
            raise InvalidSpec(f"{problem} provider {described.type} error: spec.provider.address is not set")
        query = _render(f"{problem} query render error:", spec.query, canary, metric)
        secret = await self._secret(problem, described, namespace)
        return await provider.query(source_of(described, described.address, secret), query)

    def _find(self, problem: str, namespace: str, name: str) -> MetricTemplateSpec:
        """Parsed here, so that a template that slipped past admission harms only those who use it."""
        found = self._templates.get((namespace, name))
        if found is None:
            raise InvalidSpec(f'{problem} error: metrictemplate "{name}" not found')
        try:
            return parse_metric_template(found).spec
        except InvalidSpec as error:
            raise InvalidSpec(f"{problem} error: {error}") from error

    async def _secret(self, problem: str, provider: MetricProvider, namespace: str) -> dict[str, str]:
        """Read anew each time, so that a rotated secret is good at once."""
        if provider.secret_ref is None:
            return {}
        name = provider.secret_ref.name
        try:
            secret = await self._cluster.get(SECRETS, name, namespace)
            data = secret.get("data") or {}
            return {key: base64.b64decode(value, validate=True).decode() for key, value in data.items()}
        except ClusterError as error:
            raise InvalidSpec(f"{problem} secret {name} error: {error}") from error
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidSpec(f"{problem} secret {name} error: its data is no base64 of text") from error


def _render(problem: str, query: str, canary: Canary, metric: Metric) -> str:
    try:
        return render(query, values_of(canary, metric), metric.template_variables)
    except InvalidSpec as error:
        raise InvalidSpec(f"{problem} {error}") from error
