"""The probes and metrics that each process serves."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from shared.errors import ConfigError
from shared.serving import Server, Site, start


async def fetch(server: Server, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_probes_answer_ok_or_the_reason() -> None:
    problem: list[str | None] = ["waiting for the first list of canaries"]
    server = await start(Site("127.0.0.1", 0, ready=lambda: problem[0]))
    assert await fetch(server, "/healthz") == (200, "OK")
    assert await fetch(server, "/readyz") == (503, "waiting for the first list of canaries")
    problem[0] = None
    assert await fetch(server, "/readyz") == (200, "OK")
    await server.stop()


async def test_metrics_are_those_of_the_registry() -> None:
    registry = CollectorRegistry()
    Counter("flagger_things", "Things.", registry=registry).inc()
    server = await start(Site("127.0.0.1", 0, registry=registry))
    status, text = await fetch(server, "/metrics")
    assert status == 200
    assert "flagger_things_total 1.0" in text
    await server.stop()


async def test_own_routes_are_served_and_finished_on_stop() -> None:
    began = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        began.set()
        await asyncio.sleep(0.1)
        return web.Response(text="done")

    server = await start(Site("127.0.0.1", 0, routes=[web.get("/slow", slow)]))
    answer = asyncio.create_task(fetch(server, "/slow"))
    await began.wait()
    await server.stop()
    assert await answer == (200, "done")


async def test_a_busy_port_is_named_with_what_to_do() -> None:
    server = await start(Site("127.0.0.1", 0))
    with pytest.raises(
        ConfigError, match=f"127.0.0.1:{server.port}: another process has that port; stop it or"
    ):
        await start(Site("127.0.0.1", server.port))
    await server.stop()


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:1"):
        await start(Site("192.0.2.1", 1))
