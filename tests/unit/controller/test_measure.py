"""From a metric to the question that is asked, and what is said when it cannot be."""

import base64
from typing import Any

import pytest

from controller.metrics.measure import Measurer
from controller.metrics.source import Source
from shared.errors import InvalidSpec, NotFound
from shared.resources import Resource
from shared.types.metric import MetricProviderType
from tests.builders import canary

Json = dict[str, Any]


class Asked:
    """A provider that answers everything with 1 and remembers what it was asked."""

    def __init__(self) -> None:
        self.questions: list[tuple[Source, str]] = []

    async def query(self, source: Source, query: str) -> float:
        self.questions.append((source, query))
        return 1.0

    async def close(self) -> None:
        pass


class Secrets:
    """A cluster of Secrets."""

    def __init__(self, **data: Json) -> None:
        self.data = data

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        if name not in self.data:
            raise NotFound(f'secrets "{name}" not found')
        return {"data": self.data[name]}


def template(name: str = "t", namespace: str = "test", query: str = "up", **provider: Any) -> Json:
    described = {"type": "prometheus", "address": "http://prom:9090"} | provider
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"provider": described, "query": query},
    }


async def ask(
    metric: Json, *templates: Json, secrets: Secrets | None = None, **spec: Any
) -> tuple[Source, str]:
    cache = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in templates}
    of = canary(analysis={"metrics": [metric]}, **spec)
    provider = Asked()
    measurer = Measurer(
        secrets or Secrets(),
        cache,
        "http://default:9090",
        providers={MetricProviderType.PROMETHEUS: provider},
    )
    async with measurer:
        assert await measurer.measure(of, of.spec.analysis.metrics[0]) == 1.0
    return provider.questions[0]


async def test_builtin_metrics_ask_the_controllers_server() -> None:
    source, query = await ask({"name": "request-success-rate"})
    assert source == Source("http://default:9090")
    assert "traefik_service_requests_total" in query


async def test_the_canarys_own_server_wins() -> None:
    source, _ = await ask({"name": "request-duration"}, metricsServer="http://mine:9090")
    assert source == Source("http://mine:9090")


async def test_inline_queries_have_their_names_filled_in() -> None:
    _, query = await ask({"name": "mine", "query": "up{ns='{{ namespace }}'}[{{ interval }}]"})
    assert query == "up{ns='test'}[1m]"


async def test_a_template_brings_server_query_and_headers() -> None:
    found = template(
        query='x{a="{{ variables.a }}"}', headers={"X-Scope": ["a", "b"]}, insecureSkipVerify=True
    )
    metric = {"name": "m", "templateRef": {"name": "t"}, "templateVariables": {"a": "b"}}
    source, query = await ask(metric, found)
    assert source == Source("http://prom:9090", headers=(("X-Scope", "a, b"),), insecure_skip_verify=True)
    assert query == 'x{a="b"}'


async def test_a_template_elsewhere_is_named_with_its_namespace() -> None:
    metric = {"name": "m", "templateRef": {"name": "t", "namespace": "other"}}
    _, query = await ask(metric, template(namespace="other", query="theirs"), template(query="ours"))
    assert query == "theirs"


async def test_the_secret_is_read_where_the_template_is() -> None:
    secrets = Secrets(creds={"token": base64.b64encode(b"s3cr3t").decode()})
    source, _ = await ask(
        {"name": "m", "templateRef": {"name": "t"}}, template(secretRef={"name": "creds"}), secrets=secrets
    )
    assert source.credential("token") == "s3cr3t"
    assert "s3cr3t" not in repr(source)


@pytest.mark.parametrize(
    ("metric", "templates", "message"),
    [
        ({"name": "m"}, [], "Metric query failed for no usable metrics template and query were configured"),
        (
            {"name": "m", "templateRef": {"name": "t"}},
            [],
            'Metric template t.test error: metrictemplate "t" not found',
        ),
        (
            {"name": "m", "templateRef": {"name": "t"}},
            [template(type="datadog")],
            "Metric template t.test provider datadog error: supported are prometheus",
        ),
        (
            {"name": "m", "templateRef": {"name": "t"}},
            [template(address=None)],
            "Metric template t.test provider prometheus error: spec.provider.address is not set",
        ),
        (
            {"name": "m", "templateRef": {"name": "t"}},
            [template(secretRef={"name": "gone"})],
            'Metric template t.test secret gone error: secrets "gone" not found',
        ),
        (
            {"name": "m", "templateRef": {"name": "t"}},
            [template(query="{{ nope }}")],
            "Metric template t.test query render error: line 1, column 1: nope is not known",
        ),
        (
            {"name": "m", "query": "{{ nope }}"},
            [],
            "Metric query failed for m: line 1, column 1: nope is not known",
        ),
        (
            {"name": "m", "templateRef": {"name": "t"}},
            [template(type="nope")],
            "Metric template t.test error: spec.",
        ),
    ],
)
async def test_what_is_wrong_is_said_in_flaggers_words(
    metric: Json, templates: list[Json], message: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        await ask(metric, *templates)
    assert str(refused.value).startswith(message)


async def test_a_secret_that_is_not_text_is_named_without_its_content() -> None:
    secrets = Secrets(creds={"token": "%%%"})
    with pytest.raises(InvalidSpec, match=r"secret creds error: its data is no base64 of text"):
        await ask(
            {"name": "m", "templateRef": {"name": "t"}},
            template(secretRef={"name": "creds"}),
            secrets=secrets,
        )
