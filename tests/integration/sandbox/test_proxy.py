"""The proxy with real clients on one side and a real server on the other."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from sandbox.directory import Directory, ServicePorts, Slice
from sandbox.proxy import LARGEST_BODY, Proxy

LARGE = 3_000_000


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """Tells what arrived; paths that begin with a word do something else."""
    match request.path.split("/")[1]:
        case "large":
            return web.Response(body=b"x" * LARGE)
        case "stream":
            return await stream(request)
        case "break":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        case "empty":
            return web.Response(status=204)
        case "redirect":
            return web.Response(status=302, headers={"Location": "http://elsewhere/"})
    length = len(await request.read())
    headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
    return web.json_response({"path": request.raw_path, "headers": headers, "length": length})


async def stream(request: web.BaseRequest) -> web.StreamResponse:
    """Two chunks; the second is sent, or the connection cut, when the test says so."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"first")
    await SECOND.wait()
    if request.path.endswith("cut"):
        assert request.transport is not None
        request.transport.abort()
    await answer.write(b"second")
    return answer


SECOND = asyncio.Event()


@pytest.fixture
async def directory() -> AsyncIterator[Directory]:
    """podinfo.test and Traefik, both answered by the same server."""
    runner = web.ServerRunner(web.Server(echo, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.10.0.1", 0).start()
    port = runner.addresses[0][1]
    made = Directory()
    for service in (("test", "podinfo"), ("traefik", "traefik")):
        made.service_changed(service, None, ServicePorts({80: "http"}))
        made.slice_changed(service, None, Slice(service, {"http": port}, ("127.10.0.1",)))
    yield made
    await runner.cleanup()


@pytest.fixture
async def proxy(directory: Directory) -> AsyncIterator[str]:
    started = Proxy(directory)
    yield f"http://127.0.0.1:{await started.start()}"
    await started.stop()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_path_query_host_and_headers_arrive_as_they_were_sent(
    client: aiohttp.ClientSession, proxy: str
) -> None:
    headers = {"X-Canary": "insider", "Connection": "X-Hop", "X-Hop": "1", "Proxy-Connection": "close"}
    url = "http://app.example.com/a/b?c=d%20e"
    async with client.get(url, proxy=proxy, headers=headers) as response:
        seen = await response.json()
    assert seen["path"] == "/a/b?c=d%20e"
    assert seen["headers"]["Host"] == "app.example.com"
    assert seen["headers"]["X-Canary"] == "insider"
    assert not {"X-Hop", "Proxy-Connection"} & seen["headers"].keys()


async def test_bodies_pass_in_both_directions_whole(client: aiohttp.ClientSession, proxy: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"y" * 100_000

    async with client.post("http://podinfo.test/", data=b"test", proxy=proxy) as response:
        assert (await response.json())["length"] == 4
    async with client.post("http://podinfo.test/", data=chunks(), proxy=proxy, expect100=True) as response:
        assert (await response.json())["length"] == 300_000
    async with client.get("http://podinfo.test/large", proxy=proxy) as response:
        assert len(await response.read()) == LARGE


async def test_answers_are_passed_on_as_they_come(client: aiohttp.ClientSession, proxy: str) -> None:
    SECOND.clear()
    async with client.get("http://podinfo.test/stream", proxy=proxy) as response:
        assert await response.content.readany() == b"first"
        SECOND.set()
        assert await response.content.read() == b"second"


async def test_an_answer_that_breaks_off_is_not_passed_as_whole(
    client: aiohttp.ClientSession, proxy: str
) -> None:
    SECOND.clear()
    async with client.get("http://podinfo.test/stream/cut", proxy=proxy) as response:
        assert await response.content.readany() == b"first"
        SECOND.set()
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        ("http://podinfo-canary.test/", 502, "there is no Service podinfo-canary in namespace test"),
        ("http://podinfo.test:81/", 502, "has no port 81"),
        ("http://127.10.255.254:9/", 502, "127.10.255.254:9 does not answer"),
        ("http://podinfo.test/break", 502, "broke off"),
        ("http://podinfo.test/empty", 204, ""),
        ("http://podinfo.test/redirect", 302, ""),
    ],
)
async def test_every_outcome_has_its_status(
    client: aiohttp.ClientSession, proxy: str, url: str, status: int, text: str
) -> None:
    async with client.get(url, proxy=proxy, allow_redirects=False) as response:
        assert response.status == status
        assert text in await response.text()


async def test_a_service_without_endpoints_is_unavailable(
    client: aiohttp.ClientSession, proxy: str, directory: Directory
) -> None:
    directory.service_changed(("test", "idle"), None, ServicePorts({80: "http"}))
    async with client.get("http://idle.test/", proxy=proxy) as response:
        assert response.status == 503
        assert (
            await response.text() == "sandbox proxy: Service idle in namespace test has no ready endpoints\n"
        )


async def test_a_body_that_is_too_large_is_refused_unread(client: aiohttp.ClientSession, proxy: str) -> None:
    headers = {"Content-Length": str(LARGEST_BODY + 1)}
    async with client.post("http://podinfo.test/", data=b"", headers=headers, proxy=proxy) as response:
        assert response.status == 413


async def test_tunnels_are_refused_with_the_reason(proxy: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.rpartition(":")[2]))
    writer.write(b"CONNECT podinfo.test:443 HTTP/1.1\r\nHost: podinfo.test:443\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 501 ")
    writer.close()
    await writer.wait_closed()


async def test_one_connection_serves_many_requests(proxy: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.rpartition(":")[2]))
    for _ in range(3):
        writer.write(b"GET http://podinfo.test/empty HTTP/1.1\r\nHost: podinfo.test\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
    writer.close()
    await writer.wait_closed()
