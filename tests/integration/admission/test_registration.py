"""Outside any cluster: the process registers itself by URL, and the API server asks it."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from admission.__main__ import Admission
from admission.settings import Settings
from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster, PatchType
from shared.crd import crds
from shared.errors import ClusterError, NotFound
from shared.names import WEBHOOKS
from shared.resources import (
    CANARIES,
    CRDS,
    METRIC_TEMPLATES,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    VALIDATING_WEBHOOKS,
)
from shared.types.meta import Json
from tests.integration.real_api_server import RealApiServer
from tests.unit.shared.wire_objects import canary
from tests.waiting import POLL, eventually

CONFIGURATIONS = (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
_numbers = itertools.count(1)


@dataclass
class Outside:
    """An API server, and a process beside it."""

    cluster: Cluster
    kubeconfig: Path
    namespace: str
    own: str
    """The process's own namespace; it does not exist yet."""


def settings(outside: Outside) -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Settings(
        host="127.0.0.1",
        port=port,
        probe_port=0,
        drain=timedelta(0),
        namespace=outside.own,
        webhook_url=f"https://127.0.0.1:{port}",
    )


@pytest.fixture(params=["sandbox", "real"])
async def outside(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outside]:
    async with AsyncExitStack() as stack:
        if request.param == "real":
            real: RealApiServer = request.getfixturevalue("real_api_server")
            kubeconfig = real.kubeconfig
        else:
            server = ApiServer(Config(state=tmp_path))
            await server.start()
            stack.push_async_callback(server.stop)
            kubeconfig = tmp_path / "kubeconfig"
        cluster = await stack.enter_async_context(await Cluster.connect(kubeconfig))
        stack.push_async_callback(_without_webhooks, cluster)
        for crd in crds():
            await cluster.patch(CRDS, crd["metadata"]["name"], None, crd, patch=PatchType.APPLY, force=True)
        number = next(_numbers)
        made = Outside(cluster, kubeconfig, f"outside-{number}", f"own-{number}")
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}}
        await cluster.create(NAMESPACES, body)
        yield made


async def _without_webhooks(cluster: Cluster) -> None:
    """Other tests use the same API server."""
    for resource in CONFIGURATIONS:
        with suppress(NotFound):
            await cluster.delete(resource, WEBHOOKS)


async def refusal(outside: Outside, body: Json) -> str:
    """The webhook's refusal; the API server goes by a new registration after a moment."""
    while True:
        try:
            await outside.cluster.create(CANARIES, body)
        except ClusterError as error:
            return str(error)
        await outside.cluster.delete(CANARIES, "podinfo", outside.namespace)
        await asyncio.sleep(POLL)


async def test_the_process_makes_its_namespace_and_certificates_registers_and_is_asked(
    outside: Outside,
) -> None:
    async with await Cluster.connect(outside.kubeconfig) as cluster:
        admission = Admission(settings(outside), cluster, CollectorRegistry())
        stop = asyncio.Event()
        running = asyncio.ensure_future(admission.run(stop))
        await eventually(lambda: admission.problem() is None or running.done())
        wrong = canary()
        wrong["metadata"]["namespace"] = outside.namespace
        wrong["spec"]["provider"] = "istio"
        said = await refusal(outside, wrong)
        assert 'admission webhook "canaries.pinfeather.dev" denied the request' in said
        # What is wrong elsewhere is asked about in the same way, and what is right passes.
        template: Json = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "MetricTemplate",
            "metadata": {"name": "ok", "namespace": outside.namespace},
            "spec": {
                "provider": {"type": "prometheus", "address": "http://prometheus:9090"},
                "query": "vector(1)",
            },
        }
        await outside.cluster.create(METRIC_TEMPLATES, template)
        stop.set()
        await running
