"""One request to the API server with all its attempts: deadlines, retries, fresh credentials.

    request ──► pace (after a 429) ──► one attempt with a deadline ──► answer, or an error, or another attempt

Used by shared/cluster.py alone, which knows the verbs; here is what they have in common.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from shared import answers
from shared.errors import ClusterUnavailable, ConfigError, Throttled
from shared.kubeconfig import Connection
from shared.pace import Failure, Pace, retry_delay
from shared.types.meta import Json

ATTEMPT_SECONDS = 15.0
"""Deadline of one attempt of a request, from the first byte sent to the last byte read."""
REQUEST_SECONDS = 30.0
"""Deadline of a request with all its attempts and the waiting between them."""
IDLE_SECONDS = 70.0
"""A watch that is silent for so long is taken for dead: API servers send a bookmark about every minute."""
RELOAD_SECONDS = 10.0
"""Credentials are read again after a 401, but not more often than this."""

_TLS_ERRORS = (ssl.SSLError, aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError)
_SUCCESS = range(200, 300)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the API server. `path` has no host and no query; `body` is anything that JSON can
    say.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"

    @property
    def what(self) -> str:
        """For messages."""
        return f"{self.method} {self.path}"


class Exchange:
    """Sends requests over a connection that it replaces when its credentials expire."""

    def __init__(self, connection: Connection, kubeconfig: Path | None) -> None:
        self._connection = connection
        self._kubeconfig = kubeconfig
        self._pace = Pace()
        self._reload_allowed = 0.0
        self._reloading = asyncio.Lock()
        self._retired: list[Connection] = []

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._connection.host

    async def close(self) -> None:
        """Close all connections."""
        for connection in (*self._retired, self._connection):
            await connection.close()

    async def send(self, request: Request) -> Json:
        """The answer of the first attempt that has one, within REQUEST_SECONDS."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + REQUEST_SECONDS
        attempt = 0
        while True:
            connection = self._connection
            try:
                async with asyncio.timeout_at(deadline):
                    await self._pace.turn()
                    async with asyncio.timeout(ATTEMPT_SECONDS), await _open(request, connection) as response:
                        return answers.parse(await answers.read_body(response.content), request.what)
            except (_Failed, aiohttp.ClientError, OSError) as error:
                failure = await self._understand(request, error, connection)
                delay = retry_delay(failure, request.method, attempt)
                if delay is None or loop.time() + delay >= deadline:
                    raise failure.error from error
            await asyncio.sleep(delay)
            attempt += 1

    async def lines(self, request: Request) -> AsyncGenerator[bytes]:
        """The lines of a watch's answer as they come. One attempt; ends with the answer, or in silence."""
        await self._pace.turn()
        connection = self._connection
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    response = await stack.enter_async_context(await _open(request, connection))
            except (_Failed, aiohttp.ClientError, OSError) as error:
                raise (await self._understand(request, error, connection)).error from error
            stack.callback(_hang_up, response)
            stream = await stack.enter_async_context(aclosing(answers.lines(response.content)))
            while True:
                try:
                    async with asyncio.timeout(IDLE_SECONDS):
                        line = await anext(stream, None)
                except TimeoutError:
                    _log.info("watch was silent and is taken for dead", extra={"path": request.path})
                    return
                except (aiohttp.ClientError, OSError) as error:
                    raise ClusterUnavailable(f"{request.what}: the watch broke: {_reason(error)}") from error
                if line is None:
                    return
                yield line

    async def _understand(self, request: Request, error: Exception, connection: Connection) -> Failure:
        """What went wrong in one attempt; done about it what helps later attempts."""
        if isinstance(error, _Failed):
            if isinstance(error.failure.error, Throttled):
                self._pace.throttled(error.failure.error.retry_after)
            if error.failure.status == HTTPStatus.UNAUTHORIZED and await self._reload(connection):
                return Failure(error.failure.error, unsent=True)
            return error.failure
        if isinstance(error, _TLS_ERRORS):
            await self._reload(connection)  # the cluster's CA may have been rotated
        unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        message = f"{request.what} at {self.server} ({connection.source}): {_reason(error)}"
        return Failure(ClusterUnavailable(message), unsent=unsent)

    async def _reload(self, used: Connection) -> bool:
        """Read the credentials again: tokens expire, certificates rotate. True: try with the new ones."""
        async with self._reloading:
            if self._connection is not used:
                return True  # another request that failed has done it
            now = asyncio.get_running_loop().time()
            if now < self._reload_allowed:
                return False
            self._reload_allowed = now + RELOAD_SECONDS
            try:
                fresh = await Connection.open(self._kubeconfig)
            except ConfigError as error:
                _log.error("credentials cannot be read again", extra={"error": str(error)})
                return False
            await self._use(fresh)
            return True

    async def _use(self, fresh: Connection) -> None:
        # Requests under way still use the old session: it is closed at the next reload, or at the end.
        for connection in self._retired:
            await connection.close()
        self._retired = [self._connection]
        self._connection = fresh


class _Failed(Exception):
    """One attempt got an answer that is no success."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.error))
        self.failure = failure


async def _open(request: Request, connection: Connection) -> aiohttp.ClientResponse:
    """Begin one exchange. The response is one that the server means as success."""
    headers = await connection.headers() | {"Content-Type": str(request.content_type)}
    response = await connection.session.request(
        request.method,
        connection.host + request.path,
        params=request.query,
        data=None if request.body is None else orjson.dumps(request.body),
        headers=headers,
        allow_redirects=False,  # API servers send none; a token must not follow one elsewhere
        **connection.options(),
    )
    if response.status in _SUCCESS:
        return response
    async with response:
        status = answers.status_of(await answers.read_body(response.content))
        rest = answers.retry_after(response.headers)
        error = answers.refusal(response.status, status, request.what, rest)
        raise _Failed(Failure(error, response.status, rest))


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Leave an answer that has not ended. TLS would wait for the server to say goodbye, and it streams on."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and not isinstance(error, _TLS_ERRORS) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0)  # aiohttp's own text says less: "Cannot connect to host"
    return " ".join(str(error).split()) or type(error).__name__
