"""The HTTP side: who asks, for which path, and how replies and refusals are sent. All else is behind it.

request -> Gate (who, may they) -> Faults -> well-known path (discovery, health, debug)
                                          or Call -> Handlers -> Reply
"""

import asyncio
import contextlib
import logging
import socket
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

import orjson
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from sandbox.apiserver import faults, status, warning_headers
from sandbox.apiserver.access import bootstrap
from sandbox.apiserver.access.attributes import access_of
from sandbox.apiserver.access.escalation import Escalation
from sandbox.apiserver.access.gate import Gate
from sandbox.apiserver.access.rbac import GROUP as RBAC
from sandbox.apiserver.access.rbac import Authorizer
from sandbox.apiserver.access.reviews import Reviews
from sandbox.apiserver.access.tokens import ADMIN, Tokens
from sandbox.apiserver.accounting import Accounts
from sandbox.apiserver.admission.chain import Admission
from sandbox.apiserver.admission.priorities import system_classes
from sandbox.apiserver.credentials import Credentials, write_kubeconfig
from sandbox.apiserver.expiry import Expiry
from sandbox.apiserver.faults import Client, Faults, Watches
from sandbox.apiserver.handlers import Handlers, Parts
from sandbox.apiserver.logs import LogFiles
from sandbox.apiserver.operations import Operations
from sandbox.apiserver.replies import Reply
from sandbox.apiserver.requests import Call, User, media_type, parse_path
from sandbox.apiserver.resources import Catalog
from sandbox.apiserver.status import ApiError
from sandbox.apiserver.storage import Entry, Store
from sandbox.apiserver.subresources import Subresources
from sandbox.apiserver.wellknown import WellKnown

_LOG = logging.getLogger(__name__)
_MAX_BODY = 3 * 1024 * 1024
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_PRIORITY_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
_NOT_FED = nullcontext()
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


class ApiServer:
    """A Kubernetes API server over objects in memory."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._credentials = Credentials()
        self._runner: web.ServerRunner | None = None
        self.tokens = Tokens()
        self.accounts = Accounts()
        self.store = Store(config.history)
        self._expiry = Expiry(self.store)
        self._sweeping: asyncio.Task[None] | None = None
        self.catalog = Catalog()
        self.url = ""
        self._port = config.port
        self._authorizer = Authorizer(self.store)
        self._gate = Gate(self.tokens, self._authorizer)
        self._escalation = Escalation(self._authorizer)
        self._faults = Faults()
        self._watches = Watches()
        self._admission = Admission(self.store, self.catalog)
        operations = Operations(
            self.store, self.catalog, self._wrote, self._admission, self._escalation.check
        )
        subresources = Subresources(operations, self.tokens, LogFiles(config.state))
        reviews = Reviews(self.tokens, self._authorizer)
        parts = Parts(self.store, self.catalog, operations, subresources, reviews, config.bookmark_interval)
        self._handlers = Handlers(parts)

    @property
    def authority_file(self) -> Path:
        return self._config.state / "ca.crt"

    async def start(self) -> str:
        """Listens, writes `ca.crt` and `kubeconfig` (user admin) into the state directory, and returns the
        URL. After a stop it starts again: on the same port, with the same objects and tokens.

        Raises OSError where the port is taken.
        """
        self._config.state.mkdir(parents=True, exist_ok=True)
        self.authority_file.write_bytes(self._credentials.authority)
        await self._create_first_objects()
        listener = socket.create_server((self._config.host, self._port))
        host, port = listener.getsockname()
        self._port = port
        self.url = f"https://{host}:{port}"
        self._known = WellKnown(self.catalog, self.store, self.accounts, f"{host}:{port}")
        # A watcher that leaves must not be kept until the next event, so its handler is cancelled at once.
        server = web.Server(
            self._serve,
            request_factory=_bounded_request,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,  # a real server takes the bytes as they are
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=self._credentials.server_context()).start()
        self.write_kubeconfig(self._config.state / "kubeconfig", ADMIN)
        self._sweeping = asyncio.create_task(self._expiry.run())
        return self.url

    async def stop(self) -> None:
        self.store.end_watches()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._admission.close()

    def write_kubeconfig(self, path: Path, user: User) -> None:
        """A kubeconfig with a new token for `user`."""
        write_kubeconfig(path, self.url, self.authority_file.resolve(), self.tokens.issue(user))

    async def _create_first_objects(self) -> None:
        """What every cluster has from its start; at a second start it is there already."""
        namespaces = (("/api/v1/namespaces", {"metadata": {"name": name}}) for name in _NAMESPACES)
        roles = ((f"/apis/{RBAC}/v1/{plural}", obj) for plural, obj in bootstrap.objects())
        classes = ((_PRIORITY_CLASSES, obj) for obj in system_classes())
        for path, obj in (*namespaces, *roles, *classes):
            target = parse_path(self.catalog, path)
            if self.store.collection(target.resource.storage).get(("", obj["metadata"]["name"])) is None:
                body = orjson.dumps(obj)
                call = Call("POST", target, {}, _SERVER_USER, user_agent="kube-apiserver", body=body)
                await self._handlers.serve(call)

    def _wrote(self, call: Call, entry: Entry, *, gone: bool) -> None:
        resource = call.target.resource
        if resource.group == RBAC:
            self._authorizer.forget()
        elif gone and resource.kind == "ServiceAccount":
            self.tokens.revoke(entry.obj["metadata"]["uid"])
        self._expiry.wrote(resource, entry, gone=gone)
        self.accounts.wrote(call, entry, gone=gone)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        warnings: list[str] = []
        try:
            client = self._enter(request)
            reply = await self._reply(request, client, warnings)
        except ApiError as error:
            reply = _refusal(error)
        except Exception as error:  # noqa: BLE001 - one request that trips must not look like a dead server
            _LOG.exception("request failed", extra={"method": request.method, "path": request.path})
            reply = Reply.json(
                status.status_object(500, "InternalError", f"Internal error occurred: {error!r}", {}), 500
            )
        else:
            if reply.chunks is not None:
                return await _send(request, reply, warnings, self._watches.feeding(client, request))
        return await _send(request, reply, warnings)

    def _enter(self, request: web.BaseRequest) -> Client:
        access = access_of(request.method, request.path, request.rel_url.query)
        user = self._gate.enter(request.headers, access)
        return Client(access, user, request.headers.get("User-Agent", ""))

    async def _reply(self, request: web.BaseRequest, client: Client, warnings: list[str]) -> Reply:
        if request.path.startswith("/debug/faults"):
            return self._faults.serve(request.method, request.path, await _read(request))
        match request.method, request.path:
            case "GET", "/debug/watches":
                return self._watches.listed()
            case "POST", "/debug/watches/close":
                return self._watches.close(faults.read_object(await _read(request)))
        fault = self._faults.next(client)
        if fault is not None:
            return await faults.carry_out(fault, request, lambda: self._answer(request, client, warnings))
        return await self._answer(request, client, warnings)

    async def _answer(self, request: web.BaseRequest, client: Client, warnings: list[str]) -> Reply:
        known = self._known.serve(request)
        if known is not None:
            return known
        call = Call(
            method=request.method,
            target=parse_path(self.catalog, request.path),
            query=_query(request.rel_url.raw_query_string),
            user=client.user,
            user_agent=client.agent,
            accept=request.headers.get("Accept", ""),
            content_type=media_type(request.headers.get("Content-Type", "")),
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


def _query(text: str) -> dict[str, str]:
    """Of a parameter that is there twice, the first counts."""
    return dict(reversed(parse_qsl(text, keep_blank_values=True)))


async def _read(request: web.BaseRequest) -> bytes:
    if not request.can_read_body:
        return b""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise status.too_large(_MAX_BODY) from error


def _refusal(error: ApiError) -> Reply:
    seconds = (error.status.get("details") or {}).get("retryAfterSeconds")
    headers = {"Retry-After": str(seconds)} if seconds else {}
    return replace(Reply.json(error.status, error.status["code"]), headers=headers)


async def _send(
    request: web.BaseRequest,
    reply: Reply,
    warnings: list[str],
    feeding: AbstractContextManager[None] = _NOT_FED,
) -> web.StreamResponse:
    response: web.StreamResponse
    if reply.chunks is None:
        response = web.Response(status=reply.code, body=reply.body, headers=reply.headers)
    else:
        response = web.StreamResponse(status=reply.code)
    response.headers["Content-Type"] = reply.content_type
    for warning in warning_headers.headers(warnings):
        response.headers.add("Warning", warning)
    if reply.chunks is not None:
        response.enable_chunked_encoding()
        await response.prepare(request)
        with feeding, contextlib.suppress(ConnectionResetError):  # whoever watched may leave at any time
            async for chunk in reply.chunks:
                await response.write(chunk)
            await response.write_eof()
    return response
