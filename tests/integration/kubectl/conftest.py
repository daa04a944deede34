"""Clusters that kubectl judges: the sandbox's, and a real one where `KUBEBUILDER_ASSETS` names one."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox.apiserver import ApiServer, Config
from sandbox.cluster_controllers.running import ClusterControllers
from shared.cluster import Cluster
from tests.integration.kubectl import manifests
from tests.integration.kubectl.command import BINARY, Kubectl
from tests.integration.kubectl.pods import report_ready
from tests.integration.real_api_server import RealApiServer
from tests.integration.real_controllers import BINARY as CONTROLLERS
from tests.integration.real_controllers import controlled

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def real_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApiServer]:
    assets = Path(os.environ.get("KUBEBUILDER_ASSETS", ""))
    if not (assets / CONTROLLERS).is_file():
        pytest.skip(f"KUBEBUILDER_ASSETS does not name a folder with kube-apiserver, etcd and {CONTROLLERS}")
    with controlled(assets, tmp_path_factory.mktemp("real-cluster")) as server:
        yield server


@pytest.fixture(params=["sandbox", "real"])
async def kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """A cluster with the controllers of Deployments and without pods that really run."""
    if not BINARY.exists():
        pytest.skip("kubectl is not installed beside this Python")
    if request.param == "real":
        yield request.getfixturevalue("real_cluster").kubeconfig
        return
    server = ApiServer(Config(state=tmp_path / "apiserver"))
    await server.start()
    path = tmp_path / "apiserver/kubeconfig"
    async with await Cluster.connect(path) as cluster:
        controllers = ClusterControllers(cluster, server.authority_file.read_text())
        task = asyncio.create_task(controllers.run())
        await controllers.synced.wait()
        yield path
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await server.stop()


@pytest.fixture
async def kubectl(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[Kubectl]:
    """kubectl in a namespace of the test's own, whose pods become ready."""
    made = Kubectl(kubeconfig, f"judged-{next(_numbers)}", tmp_path)
    await made("create", "namespace", made.namespace)
    async with await Cluster.connect(kubeconfig) as cluster:
        task = asyncio.create_task(report_ready(cluster, made.namespace))
        yield made
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def web(kubectl: Kubectl) -> Kubectl:
    """The same with a Deployment `web` of two pods that is rolled out."""
    await kubectl("apply", "-f", "-", stdin=manifests.WEB)
    await kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    return kubectl
