"""podinfo over real sockets and as a real process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from sandbox.podinfo.faults import Faults
from sandbox.podinfo.http import Server
from sandbox.podinfo.routes import App

ADDRESS = f"127.{64 + os.getpid() % 64}.{os.getpid() // 64 % 256}.251"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    started = Server(App("6.0.1", "podinfo-1", Faults()))
    yield started
    await started.stop(0.5)


async def talk(server: Server, sent: bytes) -> bytes:
    """Everything that comes back until the server closes the connection."""
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


async def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    received = await talk(
        server,
        b"GET /delay/0.05 HTTP/1.1\r\n\r\n"
        b"HEAD /version HTTP/1.1\r\n\r\n"
        b"POST /token HTTP/1.1\r\nContent-Length: 4\r\n\r\ntest"
        b"GET /status/404 HTTP/1.1\r\nConnection: close\r\n\r\n",
    )
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert (
        received.index(b'"delay":0.05')
        < received.index(b'"token"')
        < received.index(b"HTTP/1.1 404 Not Found")
    )
    assert b'"commit"' not in received


async def test_a_chunked_body_is_read_to_its_end(server: Server) -> None:
    received = await talk(
        server,
        b"POST /token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntest\r\n0\r\nX: y\r\n\r\n"
        b"GET /version HTTP/1.0\r\n\r\n",
    )
    assert received.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_what_cannot_be_read_is_refused_and_the_connection_ends(
    server: Server, sent: bytes, status: bytes
) -> None:
    assert (await talk(server, sent)).startswith(b"HTTP/1.1 " + status)


async def test_draining_asks_clients_to_leave_but_answers_them(server: Server) -> None:
    server.drain()
    received = await talk(server, b"GET /version HTTP/1.1\r\n\r\n")
    assert b"HTTP/1.1 200 OK" in received
    assert b"Connection: close" in received


async def test_stopping_lets_an_answer_under_way_finish(server: Server) -> None:
    answering = asyncio.create_task(talk(server, b"GET /delay/0.2 HTTP/1.1\r\n\r\n"))
    while not server.busy:  # noqa: ASYNC110 - the request arrives without an event
        await asyncio.sleep(0.005)
    await server.stop(1.0)
    assert b'"delay":0.2' in await answering


async def start(*arguments: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "sandbox.podinfo", f"--host={ADDRESS}", *arguments)
    return await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)


async def line(process: asyncio.subprocess.Process, wanted: bytes) -> bytes:
    assert process.stderr is not None
    while found := await process.stderr.readline():
        if wanted in found:
            return found
    raise AssertionError(f"podinfo ended without saying {wanted!r}")


async def test_the_process_ignores_unknown_flags_and_ends_gracefully() -> None:
    process = await start("--tag=6.0.1", "--port=9001", "--level=info", "--shutdown-delay=0.1")
    await line(process, b"flags that mean nothing here are ignored: --level=info")
    await line(process, b"podinfo 6.0.1 listens on")
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_crashing_release_exits_with_a_failure() -> None:
    process = await start("--tag=6.0.1-crash-0", "--port=9002")
    await line(process, b"crashes on purpose")
    assert await process.wait() == 1


async def test_a_taken_address_is_said() -> None:
    first = await start("--tag=6.0.1", "--port=9003", "--shutdown-delay=0")
    await line(first, b"listens on")
    second = await start("--tag=6.0.2", "--port=9003")
    await line(second, f"cannot listen on {ADDRESS}:9003".encode())
    assert await second.wait() == 1
    first.terminate()
    assert await first.wait() == 0
