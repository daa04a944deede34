"""Servers that integration tests run against, and the product's connections to them."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster
from tests.integration.api_client import connected
from tests.integration.real_api_server import RealApiServer, running
from tests.integration.scripted import Server, write_kubeconfig
from tests.integration.webhook_receiver import path_of, receiving
from tests.integration.webhook_stage import Stage

_namespaces = itertools.count()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server that answers what the test tells it to."""
    scripted = Server()
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture
async def cluster(server: Server, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A connection to the scripted server."""
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", server.url)
    async with await Cluster.connect(kubeconfig) as connected:
        yield connected


@pytest.fixture(scope="session")
def real_api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApiServer]:
    """A real kube-apiserver, for the whole run: tests keep to namespaces of their own."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS does not name a folder with kube-apiserver and etcd")
    with running(Path(assets), tmp_path_factory.mktemp("real-api-server")) as started:
        yield started


@pytest.fixture(params=["sandbox", "real"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """An API server with a namespace of its own, and a webhook beside it."""
    server = None
    if request.param == "real":
        kubeconfig = request.getfixturevalue("real_api_server").kubeconfig
    else:
        server = ApiServer(Config(state=tmp_path))
        await server.start()
        kubeconfig = tmp_path / "kubeconfig"
    namespace = f"hooks-{next(_namespaces)}"
    async with connected(kubeconfig) as client, receiving() as receiver:
        await client.done("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        yield Stage(client, receiver, namespace)
        for kind in ("Mutating", "Validating"):
            await client.send("DELETE", path_of(kind))
    if server is not None:
        await server.stop()
