"""Connections to the webhooks: how many, how long they may be silent, and how to leave without failing any.

    socket ─► slot (cap) ─► TLS handshake ─► HTTP/1.1 (aiohttp, C parser) ─► Reviews.serve

Started by `__main__`. Connections are accepted by hand, because a cap has to count those in their
handshake, too.
"""

import asyncio
import logging
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import http_parser, web
from aiohttp.web_protocol import RequestHandler
from prometheus_client import Gauge

from admission.server import LARGEST_BODY
from shared.errors import ConfigError

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 1000
"""At the same time; more wait in the kernel. An API server keeps 25, and at most 200 are under way."""
BACKLOG = 1024
HANDSHAKE_SECONDS = 5.0
SILENT_SECONDS = 5.0
"""Within which a new connection has to send a whole request head."""
IDLE_SECONDS = 120.0
"""Between two requests. Longer than the 90 s after which an API server closes its side, so that we never
close one on which it is just sending."""
FINISH_SECONDS = 5.0
"""For requests under way when the listener stops."""

_wire = logging.getLogger("admission.wire")
_wire.setLevel(logging.CRITICAL)  # what is no HTTP gets 400; a stack trace for each would fill disks


@dataclass(frozen=True, slots=True)
class Door:
    """Where to listen, and with which certificate. Port 0 takes any free one."""

    host: str
    port: int
    tls: ssl.SSLContext
    most: int = MOST_CONNECTIONS
    silent: float = SILENT_SECONDS


class Serves(Protocol):
    """Answers HTTP requests; `admission.server.Reviews` is one."""

    leaving: bool

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response."""


class Listener:
    """Listens from `start` to `stop`."""

    def __init__(self, door: Door, reviews: Serves, connections: Gauge) -> None:
        self._door = door
        self._reviews = reviews
        self._slots = asyncio.Semaphore(door.most)
        self._gauge = connections
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = _Http(reviews, door.silent)
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The one that was taken."""
        assert self._socket is not None, "started"
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Listen, and answer from now on.

        Raises:
            ConfigError: the address cannot be used, or aiohttp came without its C parser.
        """
        if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
            raise ConfigError("aiohttp's C extensions are missing: its Python parser is not safe to use here")
        try:
            family = socket.AF_INET6 if ":" in self._door.host else socket.AF_INET
            listening = socket.create_server(
                (self._door.host, self._door.port), family=family, backlog=BACKLOG
            )
        except OSError as error:
            where = f"{self._door.host}:{self._door.port}"
            raise ConfigError(f"cannot listen on {where}: {error.strerror or error}") from error
        listening.settimeout(0)
        self._socket = listening
        self._spawn(self._accept(listening))

    async def leave(self, seconds: float) -> None:
        """Go on answering for a while, but send every client away after its answer."""
        self._reviews.leaving = True
        if self._socket is not None:
            await asyncio.sleep(seconds)

    async def stop(self) -> None:
        """Take no more connections, finish the requests under way, then close."""
        if self._socket is None:
            return
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._http.pre_shutdown()
        await self._http.shutdown(FINISH_SECONDS)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # out of file descriptors, or the client is gone already
                self._slots.release()
                log.warning("a connection was not accepted", extra={"error": str(error)})
                await asyncio.sleep(0.1)
                continue
            self._spawn(self._connect(connection))

    async def _connect(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        closed = loop.create_future()
        self._gauge.inc()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(
                lambda: self._http.protocol(closed),
                connection,
                ssl=self._door.tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
            await closed
        except (OSError, ssl.SSLError) as error:
            log.debug("no connection came about", extra={"error": str(error)})
        finally:
            self._gauge.dec()
            self._slots.release()

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Http(web.Server):
    """aiohttp's server, which also tells when a connection is closed and cuts those that stay silent."""

    def __init__(self, reviews: Serves, silent: float) -> None:
        super().__init__(
            reviews.serve,
            request_factory=self._request,
            keepalive_timeout=IDLE_SECONDS,
            access_log=None,
            logger=_wire,
            auto_decompress=False,
            lingering_time=1.0,
        )
        self._silent_seconds = silent
        self._silent: dict[RequestHandler, asyncio.TimerHandle] = {}
        self._closed: dict[RequestHandler, asyncio.Future[None]] = {}

    def protocol(self, closed: asyncio.Future[None]) -> RequestHandler:
        """For one connection; `closed` is set when it ends."""
        handler = self()
        self._closed[handler] = closed
        closed.add_done_callback(lambda _: self._closed.pop(handler, None))
        return handler

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        self._silent[handler] = loop.call_later(self._silent_seconds, handler.force_close)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._heard(handler)
        closed = self._closed.get(handler)
        if closed is not None and not closed.done():
            closed.set_result(None)

    def _heard(self, handler: RequestHandler) -> None:
        timer = self._silent.pop(handler, None)
        if timer is not None:
            timer.cancel()

    def _request(
        self, message: Any, payload: Any, protocol: RequestHandler, writer: Any, task: Any
    ) -> web.BaseRequest:
        if self._silent:
            self._heard(protocol)
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY)
