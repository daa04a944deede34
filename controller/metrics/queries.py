"""The builtin metrics as PromQL, by router. Pure; `controller.metrics.measure` asks for them.

Traefik names a Service in its metrics in one of two ways, by its flag `--providers.kubernetescrd.safenaming`:

    off   test-podinfo-canary-80@kubernetescrd                  (every run of other characters becomes "-")
    on    test_podinfo_wrr_1_test_podinfo-canary_80@kubernetescrd   (1: its place in the TraefikService)

PromQL anchors its regular expressions, so neither matches `podinfo-v2` or namespace `test-2`. With
safenaming off, Service `c` in namespace `a-b` and Service `b-c` in namespace `a` have one name; no query can
tell them apart, only safenaming can.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from shared.capabilities import REQUEST_DURATION, SUCCESS_RATE
from shared.duration import render
from shared.errors import InvalidSpec
from shared.types.canary import Canary, Metric, Provider

_UNSAFE = re.compile("[^0-9A-Za-z]+")

Builtin = Callable[[Canary, timedelta], str]


def traefik_services(canary: Canary) -> str:
    """A regular expression for the `service` label of the canary's series."""
    namespace, apex = canary.metadata.namespace, canary.spec.apex_name
    service, port = canary.spec.canary_service_name, canary.spec.service.port
    plain = _UNSAFE.sub("-", f"{namespace}-{service}-{port}")
    safe = f"{namespace}_{apex}_wrr_[0-9]+_{namespace}_{service}_{port}".replace(".", "[.]")
    return f"({plain}|{safe})@kubernetescrd"


def _success_rate(canary: Canary, interval: timedelta) -> str:
    """Percent of requests that were not answered with 5xx. A canary without one good answer scores 0."""
    selector, window = f'service=~"{traefik_services(canary)}"', render(interval)
    good = f'sum(rate(traefik_service_requests_total{{{selector},code!~"5.."}}[{window}]))'
    every = f"sum(rate(traefik_service_requests_total{{{selector}}}[{window}]))"
    return f"({good} or vector(0)) / {every} * 100"


def _duration(canary: Canary, interval: timedelta) -> str:
    """Milliseconds within which 99 of 100 requests were answered."""
    series = f'traefik_service_request_duration_seconds_bucket{{service=~"{traefik_services(canary)}"}}'
    return f"histogram_quantile(0.99, sum(rate({series}[{render(interval)}])) by (le)) * 1000"


BUILTIN: Mapping[Provider, Mapping[str, Builtin]] = {
    Provider.TRAEFIK: {SUCCESS_RATE: _success_rate, REQUEST_DURATION: _duration},
}


def builtin_query(canary: Canary, metric: Metric) -> str:
    """The query of a builtin metric for the canary's Service.

    Raises:
        InvalidSpec: the router has no metric of that name.
    """
    provider = canary.spec.provider or Provider.TRAEFIK
    build = BUILTIN.get(provider, {}).get(metric.name)
    if build is None:
        raise InvalidSpec(
            f"Metric query failed for {metric.name}: provider {provider} has no such builtin metric"
        )
    return build(canary, metric.interval)
