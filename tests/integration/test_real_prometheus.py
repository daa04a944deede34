"""Builtin queries and templates against a real Prometheus; its series are named as Traefik names them."""

import asyncio
import itertools
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from controller.metrics.measure import Measurer
from shared.errors import ManySeries, MetricsError, MetricsUnavailable, NoData
from shared.resources import Resource
from tests.builders import canary
from tests.integration.raw_http import Call, RawServer

Json = dict[str, Any]

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus binary on PATH"),
    pytest.mark.asyncio(loop_scope="module"),
]

# Per scrape: (good requests, failed requests) of a `service` label.
TRAFFIC = {
    "test-podinfo-canary-80@kubernetescrd": (90, 10),
    "safe_podinfo_wrr_1_safe_podinfo-canary_80@kubernetescrd": (80, 20),
    "dead-podinfo-canary-80@kubernetescrd": (0, 50),
    "quiet-podinfo-canary-80@kubernetescrd": (0, 0),
    # whoever is mistaken for a canary above spoils its rate
    "test-podinfo-primary-80@kubernetescrd": (0, 1000),
    "test-podinfo-v2-canary-80@kubernetescrd": (0, 1000),
    "test-2-podinfo-canary-80@kubernetescrd": (0, 1000),
    "my-test-podinfo-canary-80@kubernetescrd": (0, 1000),
    "test-podinfo-canary-8080@kubernetescrd": (0, 1000),
    "safe_podinfo_wrr_0_safe_podinfo-primary_80@kubernetescrd": (0, 1000),
    "safe-2_podinfo_wrr_1_safe-2_podinfo-canary_80@kubernetescrd": (0, 1000),
    "safe_podinfo-v2_wrr_1_safe_podinfo-v2-canary_80@kubernetescrd": (0, 1000),
}
# Of 100 requests this many took up to so many seconds: the 99th is at 0.1 + 0.15 * (99 - 90) / 10.
BUCKETS = {"0.1": 90, "0.25": 100, "+Inf": 100}


def exposition(scrape: int) -> str:
    """Traefik's metrics at the n-th scrape."""
    lines = []
    for service, (good, failed) in TRAFFIC.items():
        for code, count in (("200", good), ("503", failed)):
            if count or not good + failed:
                labels = f'code="{code}",method="GET",protocol="http",service="{service}"'
                lines.append(f"traefik_service_requests_total{{{labels}}} {count * scrape}")
        for bound, share in BUCKETS.items():
            labels = f'code="200",method="GET",protocol="http",service="{service}",le="{bound}"'
            count = (good + failed) * share * scrape
            lines.append(f"traefik_service_request_duration_seconds_bucket{{{labels}}} {count}")
    return "\n".join([*lines, ""])


class NoSecrets:
    """A cluster that is not asked."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        raise AssertionError("no secret is referenced")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Prometheus that has scraped a few times."""
    scrapes = itertools.count(1)

    async def export(call: Call) -> None:
        await call.answer(exposition(next(scrapes)).encode(), headers="Content-Type: text/plain\r\n")

    async with RawServer(export) as traefik:
        home = tmp_path_factory.mktemp("prometheus")
        config = home / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            "scrape_configs:\n"
            f"- {{job_name: traefik, static_configs: [{{targets: ['{traefik.url.removeprefix('http://')}']}}]}}\n"
        )
        process, address = await start(home, config)
        try:
            await traefik.asked(4)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def start(home: Path, config: Path) -> tuple[asyncio.subprocess.Process, str]:
    """Prometheus on a port of its own choice, read from its log."""
    assert PROMETHEUS is not None
    with (home / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROMETHEUS,
            f"--config.file={config}",
            f"--storage.tsdb.path={home / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=log,
            env={"PATH": os.environ["PATH"]},
        )
    while True:
        for line in (home / "log").read_text().splitlines():
            if 'msg="Listening on"' in line:
                return process, f"http://{line.partition('address=')[2].split()[0]}"
        assert process.returncode is None, (home / "log").read_text()
        await asyncio.sleep(0.05)


async def measure(prometheus: str, metric: Json, namespace: str = "test", *templates: Json) -> float:
    """The metric of podinfo in that namespace, with a window of two seconds."""
    of = canary(analysis={"metrics": [{"interval": "2s", **metric}]})
    of = of.model_copy(update={"metadata": of.metadata.model_copy(update={"namespace": namespace})})
    cache = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in templates}
    async with Measurer(NoSecrets(), cache, prometheus) as measurer:
        return await measurer.measure(of, of.spec.analysis.metrics[0])


RATE, DURATION = {"name": "request-success-rate"}, {"name": "request-duration"}


@pytest.mark.parametrize(
    ("namespace", "percent"),
    [("test", 90.0), ("safe", 80.0), ("dead", 0.0)],
    ids=["plain names", "safe names", "only errors"],
)
async def test_the_success_rate_is_the_canarys_and_nobody_elses(
    prometheus: str, namespace: str, percent: float
) -> None:
    assert await measure(prometheus, RATE, namespace) == pytest.approx(percent)


@pytest.mark.parametrize("namespace", ["test", "safe"])
async def test_the_duration_is_the_99th_percentile_in_milliseconds(prometheus: str, namespace: str) -> None:
    assert await measure(prometheus, DURATION, namespace) == pytest.approx(235.0)


@pytest.mark.parametrize("metric", [RATE, DURATION])
@pytest.mark.parametrize("namespace", ["quiet", "nowhere"])
async def test_without_traffic_there_is_no_value(prometheus: str, metric: Json, namespace: str) -> None:
    with pytest.raises(NoData):
        await measure(prometheus, metric, namespace)


async def test_a_template_is_measured_where_it_says(prometheus: str) -> None:
    template = {
        "metadata": {"name": "errors", "namespace": "test"},
        "spec": {
            "provider": {"type": "prometheus", "address": prometheus},
            "query": """
                sum(rate(traefik_service_requests_total{
                    service=~"{{ namespace }}-{{ target }}-canary-[0-9a-zA-Z-]+@kubernetescrd",
                    code="{{ variables.code }}"
                }[{{ interval }}]))
                / sum(rate(traefik_service_requests_total{
                    service=~"{{ namespace }}-{{ target }}-canary-[0-9a-zA-Z-]+@kubernetescrd"
                }[{{ interval }}]))
            """,
        },
    }
    metric = {"name": "errors", "templateRef": {"name": "errors"}, "templateVariables": {"code": "503"}}
    assert 0 < await measure("http://127.0.0.1:1", metric, "test", template) < 1


@pytest.mark.parametrize(
    ("query", "error", "text"),
    [
        ("traefik_service_requests_total", ManySeries, "series; aggregate"),
        ("traefik_service_requests_total[5s]", NoData, "instant vector or a scalar"),
        ('"5"', NoData, "instant vector or a scalar"),
        ("vector(0) / 0", NoData, "the value is nan"),
        ("1 / 0", NoData, "the value is inf"),
        ("no_such_series", NoData, "no values found"),
        ("sum(", MetricsUnavailable, "status 400: "),
    ],
)
async def test_what_prometheus_has_no_single_value_for_is_told_apart(
    prometheus: str, query: str, error: type[MetricsError], text: str
) -> None:
    with pytest.raises(error, match=text):
        await measure(prometheus, {"name": "mine", "query": query})


async def test_a_scalar_is_a_value(prometheus: str) -> None:
    assert await measure(prometheus, {"name": "mine", "query": "scalar(vector(42))"}) == 42.0
