"""A server that says exactly the bytes that a test wants, when it wants, and remembers what it was asked."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

Behaviour = Callable[["Call"], Awaitable[None]]


class Call:
    """One request, and the way to answer it."""

    def __init__(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.body = body
        self._writer = writer

    @property
    def target(self) -> str:
        """As in the request line: a path, or a URL when the server is asked as a proxy."""
        return self.head.split(" ", 2)[1]

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    async def send(self, data: bytes) -> None:
        """Send these bytes."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, body: bytes = b"", *, status: int = 200, headers: str = "") -> None:
        """Send a whole response; `headers` are lines that end with CR LF."""
        await self.send(
            f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class RawServer:
    """Runs the behaviour for each request, on a loopback port, while it is entered."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()
        self.calls: list[Call] = []
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def asked(self, times: int) -> None:
        """Return once there were so many requests."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.calls) >= times)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                call = Call(head, b"", writer)
                call.body = await reader.readexactly(int(call.header("Content-Length") or 0))
                self.calls.append(call)
                async with self._news:
                    self._news.notify_all()
                await self._behave(call)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def hang(_: Call) -> None:
    """A behaviour: never answer."""
    await asyncio.Event().wait()


def saying(body: bytes = b"", *, status: int = 200, headers: str = "") -> Behaviour:
    """A behaviour: always the same answer."""

    async def behave(call: Call) -> None:
        await call.answer(body, status=status, headers=headers)

    return behave
