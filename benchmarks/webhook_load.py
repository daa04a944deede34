"""`python -m benchmarks.webhook_load`: load on webhooks, from a process and a core of its own; prints JSON.

In turns (closed loops: so many connections, each with one request under way, now to one server and now to the
next), open loop (a rate, whatever the answers take), or cold (each request on a connection of its own, all at
once). The client does as little as possible: what is measured is the server.
"""

import argparse
import asyncio
import itertools
import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import orjson
import uvloop

HEAD = (
    "POST {path}?timeout=5s HTTP/1.1\r\nHost: webhooks\r\nUser-Agent: kube-apiserver-admission\r\n"
    "Accept: application/json, */*\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self._answered: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("hung up"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or -1)
        if len(body) == length and self._answered is not None:
            self._received = b""
            self._answered.set_result(head)

    async def ask(self) -> float:
        """Seconds until the answer was there.

        Raises:
            RuntimeError: it is no HTTP 200.
        """
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(self._request)
        head = await self._answered
        if b" 200 " not in head[:16]:
            raise RuntimeError(head.decode(errors="replace"))
        return time.perf_counter() - began

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.close()


@dataclass(frozen=True, slots=True)
class Server:
    """Who is asked what."""

    pid: int
    port: int
    path: str
    body: Path

    @classmethod
    def told(cls, text: str) -> Self:
        """From `PID,PORT,PATH,BODY`."""
        pid, port, path, body = text.split(",")
        return cls(int(pid), int(port), path, Path(body))

    def spent(self) -> float:
        """Seconds of processor time so far."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


class Load:
    """Load on one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        body = server.body.read_bytes()
        self._request = HEAD.format(path=server.path, length=len(body)).encode() + body
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._clients: list[Client] = []
        self.seconds: list[float] = []

    async def connected(self, connections: int) -> None:
        """Have connections for `turn`."""
        self._clients = [await self._connect() for _ in range(connections)]

    async def turn(self, duration: float) -> tuple[float, float]:
        """All connections busy all the time. Microseconds of the server's processor time for a request, and
        requests a second."""
        self.seconds.clear()
        spent, began = self._server.spent(), time.perf_counter()

        async def work(client: Client) -> None:
            while time.perf_counter() < began + duration:
                self.seconds.append(await client.ask())

        await asyncio.gather(*map(work, self._clients))
        number = len(self.seconds)
        return (self._server.spent() - spent) / number * 1e6, number / (time.perf_counter() - began)

    async def open(self, connections: int, duration: float, rate: float) -> None:
        """So many requests a second; the time of one runs from when it was due."""
        idle: asyncio.Queue[Client] = asyncio.Queue()
        for _ in range(connections):
            idle.put_nowait(await self._connect())
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in itertools.count():
                due = began + number / rate
                if number / rate > duration:
                    return
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(self._due(idle, due))

    async def cold(self, connections: int) -> None:
        """Handshakes and requests, all at once."""

        async def work() -> None:
            began = time.perf_counter()
            client = await self._connect()
            await client.ask()
            self.seconds.append(time.perf_counter() - began)
            client.close()

        await asyncio.gather(*(work() for _ in range(connections)))

    async def _due(self, idle: "asyncio.Queue[Client]", due: float) -> None:
        client = await idle.get()
        await client.ask()
        self.seconds.append(time.perf_counter() - due)
        idle.put_nowait(client)

    async def _connect(self) -> Client:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(
            lambda: Client(self._request), "127.0.0.1", self._server.port, ssl=self._context
        )
        return client


async def _turns(told: argparse.Namespace) -> list[list[tuple[float, float]]]:
    """By turn and server, after one that warms all up: a connection that stays silent at first is cut."""
    loads = [Load(server) for server in told.server]
    for load in loads:
        await load.connected(told.connections)
        await load.turn(told.seconds)
    return [[await load.turn(told.seconds) for load in loads] for _ in range(told.turns)]


async def _run(told: argparse.Namespace) -> None:
    if told.kind == "turns":
        print(orjson.dumps(await _turns(told)).decode())
        return
    load = Load(told.server[0])
    if told.kind == "open":
        await load.open(told.connections, told.seconds, told.rate)
    else:
        await load.cold(told.connections)
    print(orjson.dumps(load.seconds).decode())


def main() -> None:
    """Put the load on, and print what each turn took, or how many seconds each answer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhook_load")
    parser.add_argument("kind", choices=("turns", "open", "cold"))
    parser.add_argument("--server", type=Server.told, action="append", metavar="PID,PORT,PATH,BODY")
    parser.add_argument("--connections", type=int, default=25)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--rate", type=float, default=500.0)
    told = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    uvloop.run(_run(told))


if __name__ == "__main__":
    main()
