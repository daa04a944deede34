"""Informers of every kind get over what servers and networks do, and then know what there is, and only that.

Only the sandbox's server can be told to do it. Each trouble is followed, or accompanied, by changes that the
informer would miss if it did not recover.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.apiserver import ApiServer, Config
from sandbox.apiserver.access.tokens import service_account
from tests.integration.api_client import ApiClient, connected
from tests.integration.sandbox.judges import JUDGES, NAMESPACE, PROGRAM, Judge

ADDONS = Path(__file__).parents[3] / "sandbox/addons"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MIDDLEWARES = f"/apis/traefik.io/v1alpha1/namespaces/{NAMESPACE}/middlewares"
STORAGE = "traefik.io/middlewares"
pytestmark = [
    pytest.mark.skipif(not PROGRAM.exists(), reason="traefik is not installed beside this Python"),
    pytest.mark.timeout(90),
]


@dataclass
class Scene:
    """A server, its admin, and a client that follows it."""

    server: ApiServer
    admin: ApiClient
    judge: Judge

    async def create(self, name: str) -> None:
        body = {"metadata": {"name": name}, "spec": {"stripPrefix": {"prefixes": [f"/{name}"]}}}
        await self.admin.done("POST", MIDDLEWARES, body)

    async def delete(self, name: str) -> None:
        await self.admin.done("DELETE", f"{MIDDLEWARES}/{name}")

    async def change(self) -> None:
        await self.create("new")
        await self.delete("old")

    async def knows(self, *names: str) -> None:
        """Return once the judge knows these and no others; the test's timeout bounds the wait."""
        while await self.judge.names() != set(names):  # noqa: ASYNC110 - others follow, and tell nobody
            await asyncio.sleep(0.05)

    async def watches(self) -> bool:
        """Whether the judge does: it may only just have listed."""
        watches = (await self.admin.done("GET", "/debug/watches"))["watches"]
        return any(watch["resource"] == "middlewares" for watch in watches)

    async def close_watches(self, **how: Any) -> None:
        answer = await self.admin.done("POST", "/debug/watches/close", {"resource": "middlewares", **how})
        assert answer == {"closed": 1}

    async def fault(self, **fields: Any) -> str:
        fault = await self.admin.done("POST", "/debug/faults", {"resource": "middlewares", **fields})
        return str(fault["id"])


@pytest.fixture(params=JUDGES)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """Everything runs, and the judge knows the one object there is."""
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    async with connected(tmp_path / "kubeconfig") as admin:
        await install(admin)
        server.write_kubeconfig(tmp_path / "judge", service_account("traefik", "traefik"))
        async with JUDGES[request.param](tmp_path / "judge", tmp_path) as judge:
            made = Scene(server, admin, judge)
            await made.create("old")
            await made.knows("old")
            while not await made.watches():  # noqa: ASYNC110 - another process begins to
                await asyncio.sleep(0.01)
            yield made
    await server.stop()


async def install(admin: ApiClient) -> None:
    """What Traefik needs: its CRDs, and the rights that the sandbox gives it."""
    for crd in yaml.safe_load_all((ADDONS / "traefik-crds.yaml").read_text()):
        await admin.done("POST", DEFINITIONS, crd)
    for body in yaml.safe_load_all((ADDONS / "traefik.yaml").read_text()):
        if body["kind"] in ("ClusterRole", "ClusterRoleBinding"):
            await admin.done("POST", f"{RBAC}/{body['kind'].lower()}s", body)


async def watches_end(scene: Scene) -> None:
    await scene.close_watches()
    await scene.change()


async def connections_are_cut(scene: Scene) -> None:
    await scene.close_watches(cut=True)
    await scene.change()


async def watches_are_slow(scene: Scene) -> None:
    await scene.fault(verb="watch", answer="pass", delay=0.3, count=None)
    await scene.close_watches()
    await scene.change()


async def watches_are_refused_for_a_while(scene: Scene) -> None:
    for answer in (500, 503, "cut"):
        await scene.fault(verb="watch", answer=answer)
    await scene.fault(verb="watch", answer=429)
    await scene.close_watches(cut=True)
    await scene.change()


async def history_is_lost_while_nobody_watches(scene: Scene) -> None:
    fault = await scene.fault(verb="watch", answer=503, count=None)
    await scene.close_watches()
    await scene.change()
    await scene.admin.done("POST", "/debug/compact")
    await scene.admin.done("DELETE", f"/debug/faults/{fault}")


async def a_watch_is_told_that_it_is_too_old(scene: Scene) -> None:
    await scene.fault(verb="watch", answer=410)
    await scene.close_watches()
    await scene.change()


async def the_server_restarts(scene: Scene) -> None:
    await scene.server.stop()
    await scene.server.start()
    await scene.change()


async def the_server_restarts_without_its_history(scene: Scene) -> None:
    await scene.change()
    await scene.server.stop()
    scene.server.store.compact()
    await scene.server.start()


async def the_server_comes_back_with_less(scene: Scene) -> None:
    """As from a store where somebody else has written meanwhile."""
    await scene.create("new")
    await scene.knows("old", "new")
    await scene.server.stop()
    collection = scene.server.store.collection(STORAGE)
    key = (NAMESPACE, "old")
    collection.remove(key, collection.entries[key].obj)
    scene.server.store.compact()
    await scene.server.start()


TROUBLES: tuple[Callable[[Scene], Awaitable[None]], ...] = (
    watches_end,
    connections_are_cut,
    watches_are_slow,
    watches_are_refused_for_a_while,
    history_is_lost_while_nobody_watches,
    a_watch_is_told_that_it_is_too_old,
    the_server_restarts,
    the_server_restarts_without_its_history,
    the_server_comes_back_with_less,
)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
async def test_an_informer_gets_over_it(scene: Scene, trouble: Callable[[Scene], Awaitable[None]]) -> None:
    await trouble(scene)
    await scene.knows("new")
