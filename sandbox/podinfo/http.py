"""HTTP/1.1 over asyncio streams: connections in, requests out, answers back in order.

Called by `sandbox.podinfo.__main__`. Written here rather than taken from a library because importing one
costs more than the whole start of a pod may; it knows just what an application behind a proxy meets:
keep-alive, pipelining, HEAD, Content-Length and chunked bodies, and refusals with a status code for what it
cannot read.
"""

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus

from sandbox.podinfo.routes import App, Request, Response

_LONGEST_HEAD = 32 * 1024
_LARGEST_BODY = 1024 * 1024
_IDLE_SECONDS = 120.0
_BODILESS = (204, 304)
_HEX = 16


class BadRequest(Exception):
    """A request that cannot be read; `status` is the answer and the connection ends, as the rest cannot be

    trusted."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers; header names in lower case."""

    method: str
    target: str
    version: str
    headers: dict[str, str]

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to send more on this connection."""
        connection = self.headers.get("connection", "").lower()
        return "close" not in connection if self.version == "HTTP/1.1" else "keep-alive" in connection


def parse_head(raw: bytes) -> Head:
    """The head of a request, up to and with the empty line. Raises BadRequest."""
    lines = raw.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != len(("method", "target", "version")) or not words[2].startswith("HTTP/1."):
        raise BadRequest(400, "the first line is not METHOD TARGET HTTP/1.x")
    headers: dict[str, str] = {}
    for line in filter(None, lines[1:]):
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "a header line has no name")
        headers[name.lower()] = value.strip()
    return Head(words[0], words[1], words[2], headers)


def render(response: Response, *, head_only: bool, keep_alive: bool) -> bytes:
    """The bytes of an answer. Content-Length tells what GET would get; a HEAD gets the head alone."""
    known = response.status in HTTPStatus._value2member_map_
    phrase = HTTPStatus(response.status).phrase if known else "Status"
    body = b"" if response.status in _BODILESS else response.body
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    if response.status not in _BODILESS:
        lines += ["Content-Type: application/json; charset=utf-8", f"Content-Length: {len(body)}"]
    if not keep_alive:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head_only else body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";")[0].strip(), _HEX)
        except ValueError as error:
            raise BadRequest(400, "a chunk has no length") from error
        if size < 0 or len(body) + size > _LARGEST_BODY:
            raise BadRequest(413, "the body is larger than 1 MiB")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers say nothing that an answer depends on
            return body
        body += await reader.readexactly(size)
        await reader.readexactly(len(b"\r\n"))


async def _read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    encoding = head.headers.get("transfer-encoding", "").lower()
    if encoding == "chunked":
        return await _read_chunks(reader)
    if encoding:
        raise BadRequest(501, "only the transfer encoding chunked is known")
    length = head.headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequest(400, "Content-Length is not a number")
    if int(length) > _LARGEST_BODY:
        raise BadRequest(413, "the body is larger than 1 MiB")
    return await reader.readexactly(int(length))


@dataclass(slots=True)
class Server:
    """Serves one App on one address."""

    app: App
    _server: asyncio.Server | None = field(default=None, init=False)
    _busy: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _idle: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _draining: bool = field(default=False, init=False)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (port 0 lets the system choose). OSError: the address is taken."""
        self._server = await asyncio.start_server(
            self._connection, host, port, limit=_LONGEST_HEAD, backlog=512
        )
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def busy(self) -> int:
        """How many requests are being answered."""
        return len(self._busy)

    def drain(self) -> None:
        """Go on serving, but ask each client to take its next request elsewhere."""
        self._draining = True

    async def stop(self, patience: float) -> None:
        """Close the listener and idle connections; wait `patience` seconds at most for answers under way."""
        self._draining = True
        if self._server is not None:
            self._server.close()
        for task in self._idle:
            task.cancel()
        if self._busy:
            await asyncio.wait(self._busy, timeout=patience)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while await self._exchange(reader, writer, task):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # the client went away or was silent, or the process ends: nobody waits for an answer
        finally:
            self._idle.discard(task)
            self._busy.discard(task)
            writer.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> bool:
        """One request and its answer; whether another may follow."""
        self._idle.add(task)
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                raw = await reader.readuntil(b"\r\n\r\n")
            self._idle.discard(task)
            self._busy.add(task)
            head = parse_head(raw)
            if head.headers.get("expect", "").lower() == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            async with asyncio.timeout(_IDLE_SECONDS):
                body = await _read_body(reader, head)
        except asyncio.LimitOverrunError:
            return await _refuse(writer, BadRequest(431, "the headers are larger than 32 KiB"))
        except BadRequest as error:
            return await _refuse(writer, error)
        response = await self.app.answer(Request(head.method, head.target.partition("?")[0], body))
        keep_alive = head.keep_alive and not self._draining
        writer.write(render(response, head_only=head.method == "HEAD", keep_alive=keep_alive))
        await writer.drain()
        self._busy.discard(task)
        return keep_alive


async def _refuse(writer: asyncio.StreamWriter, error: BadRequest) -> bool:
    writer.write(render(Response(error.status, f"{error}\n".encode()), head_only=False, keep_alive=False))
    await writer.drain()
    return False
