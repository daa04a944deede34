"""Webhooks that are named by a Service are called at one of its ready endpoints."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import connected
from tests.integration.webhook_receiver import Json, configuration, deny, path_of, receiving
from tests.integration.webhook_stage import Stage

SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    async with (
        connected(tmp_path / "kubeconfig") as client,
        receiving(hosts=["hook.default.svc"]) as receiver,
    ):
        yield Stage(client, receiver, "default")
    await server.stop()


def by_service(stage: Stage, **service: object) -> Json:
    named = {"name": "hook", "namespace": "default", "path": "/v", **service}
    return {"caBundle": stage.receiver.client("")["caBundle"], "service": named}


def endpoints(stage: Stage, name: str, *, ready: bool, port: int | None = None) -> Json:
    """A slice of the Service with the receiver, or another port of the same address, in it."""
    number = port or URL(stage.receiver.url).port
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "hook"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
        "ports": [{"name": "https", "port": number}],
    }


async def register(stage: Stage, webhook: Json) -> None:
    """Without a look whether it counts: the sandbox's server goes by what was written at once."""
    await stage.client.done("POST", path_of("Validating"), configuration("Validating", "services", webhook))


async def test_a_ready_endpoint_is_called_under_the_services_name(stage: Stage) -> None:
    service = {"metadata": {"name": "hook"}, "spec": {"ports": [{"name": "https", "port": 8443}]}}
    await stage.client.done("POST", SERVICES, service)
    await stage.client.done("POST", SLICES, endpoints(stage, "a-dead", ready=False, port=9))
    await stage.client.done("POST", SLICES, endpoints(stage, "b-alive", ready=True))
    await register(stage, stage.webhook("/v", clientConfig=by_service(stage, port=8443)))
    stage.receiver.answers["/v"] = deny
    code, body, _ = await stage.make()
    assert (code, body["message"].partition(" denied")[0]) == (400, 'admission webhook "v.example.com"')


async def test_a_service_that_leads_nowhere_is_told_with_its_name(stage: Stage) -> None:
    await register(stage, stage.webhook("/v", clientConfig=by_service(stage)))
    post = 'failed to call webhook: Post "https://hook.default.svc:443/v?timeout=5s": '
    problem = f'Internal error occurred: failed calling webhook "v.example.com": {post}'
    assert (await stage.make())[1]["message"] == f'{problem}service "hook" not found'
    service = {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}}
    await stage.client.done("POST", SERVICES, service)
    assert (await stage.make())[1]["message"] == f'{problem}no endpoints available for service "hook"'
