"""The HTTP side: who asks, for which path, and how replies and refusals are sent. All else is behind it.

request -> authenticate -> well-known path (discovery, health, debug), or Call -> Handlers -> Reply
"""

import asyncio
import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import orjson
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from sandbox.apiserver import status
from sandbox.apiserver.accounting import Accounts
from sandbox.apiserver.auth import ADMIN, Tokens
from sandbox.apiserver.credentials import Credentials, write_kubeconfig
from sandbox.apiserver.handlers import Handlers, Parts
from sandbox.apiserver.logs import LogFiles
from sandbox.apiserver.operations import Admission, Operations, admit_all
from sandbox.apiserver.replies import Reply
from sandbox.apiserver.requests import Call, User, parse_path
from sandbox.apiserver.resources import Catalog
from sandbox.apiserver.reviews import Reviews
from sandbox.apiserver.status import ApiError
from sandbox.apiserver.storage import Store
from sandbox.apiserver.subresources import Subresources
from sandbox.apiserver.wellknown import PUBLIC_PATHS, WellKnown

_LOG = logging.getLogger(__name__)
_MAX_BODY = 3 * 1024 * 1024
_NAMESPACES = ("default", "kube-system")
_SERVER_USER = User("system:apiserver", groups=("system:masters",))


@dataclass(frozen=True, slots=True)
class Config:
    """Where to listen and keep files.

    Port 0 takes a free one; `bookmark_interval` is seconds, `history` counts changes of a kind.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    bookmark_interval: float = 60.0
    history: int = 4_000
    admission: Admission = admit_all


class ApiServer:
    """A Kubernetes API server over objects in memory."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._credentials = Credentials()
        self._runner: web.ServerRunner | None = None
        self.tokens = Tokens()
        self.accounts = Accounts()
        self.store = Store(config.history)
        self.catalog = Catalog()
        self.url = ""
        operations = Operations(self.store, self.catalog, self.accounts.wrote, config.admission)
        subresources = Subresources(operations, self.tokens, LogFiles(config.state))
        reviews = Reviews(self.tokens)
        parts = Parts(self.store, self.catalog, operations, subresources, reviews, config.bookmark_interval)
        self._handlers = Handlers(parts)

    @property
    def authority_file(self) -> Path:
        return self._config.state / "ca.crt"

    async def start(self) -> str:
        """Listens, writes `ca.crt` and `kubeconfig` (user admin) into the state directory, and returns the
        URL.

        Raises OSError where the port is taken.
        """
        self._config.state.mkdir(parents=True, exist_ok=True)
        self.authority_file.write_bytes(self._credentials.authority)
        listener = socket.create_server((self._config.host, self._config.port))
        host, port = listener.getsockname()
        self.url = f"https://{host}:{port}"
        self._known = WellKnown(self.catalog, self.store, self.accounts, f"{host}:{port}")
        await self._create_namespaces()
        # A watcher that leaves must not be kept until the next event, so its handler is cancelled at once.
        server = web.Server(
            self._serve, request_factory=_bounded_request, handler_cancellation=True, access_log=None
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=self._credentials.server_context()).start()
        self.write_kubeconfig(self._config.state / "kubeconfig", ADMIN)
        return self.url

    async def stop(self) -> None:
        self.store.end_watches()
        if self._runner is not None:
            await self._runner.cleanup()

    def write_kubeconfig(self, path: Path, user: User) -> None:
        """A kubeconfig with a new token for `user`."""
        write_kubeconfig(path, self.url, self.authority_file.resolve(), self.tokens.issue(user))

    async def _create_namespaces(self) -> None:
        for name in _NAMESPACES:
            target = parse_path(self.catalog, "/api/v1/namespaces")
            body = orjson.dumps({"metadata": {"name": name}})
            await self._handlers.serve(
                Call("POST", target, {}, _SERVER_USER, user_agent="kube-apiserver", body=body)
            )

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        warnings: list[str] = []
        try:
            reply = await self._reply(request, warnings)
        except ApiError as error:
            reply = Reply.json(error.status, error.status["code"])
        except Exception as error:  # noqa: BLE001 - one request that trips must not look like a dead server
            _LOG.exception("request failed", extra={"method": request.method, "path": request.path})
            reply = Reply.json(
                status.status_object(500, "InternalError", f"Internal error occurred: {error!r}", {}), 500
            )
        return await _send(request, reply, warnings)

    async def _reply(self, request: web.BaseRequest, warnings: list[str]) -> Reply:
        path = request.path
        user = self.tokens.from_header(request.headers.get("Authorization", ""))
        if user is None and path not in PUBLIC_PATHS:
            raise status.unauthorized()
        known = self._known.serve(request)
        if known is not None:
            return known
        assert user is not None, "only public paths are served without a user"
        call = Call(
            method=request.method,
            target=parse_path(self.catalog, path),
            query=dict(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)),
            user=user,
            user_agent=request.headers.get("User-Agent", ""),
            accept=request.headers.get("Accept", ""),
            content_type=request.content_type,
            body=await _read(request),
            warnings=warnings,
        )
        self.accounts.count(call)
        return await self._handlers.serve(call)


def _bounded_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """What aiohttp makes of a request by itself, with another limit of the body."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_MAX_BODY)


async def _read(request: web.BaseRequest) -> bytes:
    if not request.can_read_body:
        return b""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise status.too_large(_MAX_BODY) from error


async def _send(request: web.BaseRequest, reply: Reply, warnings: list[str]) -> web.StreamResponse:
    response: web.StreamResponse
    if reply.chunks is None:
        response = web.Response(status=reply.code, body=reply.body)
    else:
        response = web.StreamResponse(status=reply.code)
    response.headers["Content-Type"] = reply.content_type
    for warning in warnings:
        response.headers.add("Warning", f"299 - {orjson.dumps(warning).decode()}")
    if reply.chunks is not None:
        await _send_chunks(request, response, reply)
    return response


async def _send_chunks(request: web.BaseRequest, response: web.StreamResponse, reply: Reply) -> None:
    assert reply.chunks is not None, "called for replies with chunks"
    response.enable_chunked_encoding()
    await response.prepare(request)
    async for chunk in reply.chunks:
        await response.write(chunk)
    await response.write_eof()
