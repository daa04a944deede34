"""API servers for tests that hold the sandbox's against a real one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import ApiClient, connected
from tests.integration.sandbox.people import Town, town


@pytest.fixture(params=["sandbox", "real"])
async def admin_kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """The kubeconfig of a cluster admin."""
    if request.param == "real":
        yield request.getfixturevalue("real_api_server").kubeconfig
        return
    server = ApiServer(Config(state=tmp_path / "apiserver"))
    await server.start()
    yield tmp_path / "apiserver/kubeconfig"
    await server.stop()


@pytest.fixture
async def admin(admin_kubeconfig: Path) -> AsyncIterator[ApiClient]:
    """A cluster admin."""
    async with connected(admin_kubeconfig) as client:
        yield client


@pytest.fixture
async def here(admin: ApiClient) -> AsyncIterator[Town]:
    """A namespace of the test's own."""
    async with town(admin) as made:
        yield made
