"""The HTTP proxy through which names work in the sandbox, without root and without touching the host's
resolver.

curl, Python clients and (through a wrapper) hey are pointed at it by their environment. It runs in the
sandbox's daemon; the directory tells it where a name leads. Plain HTTP only: nothing in the sandbox speaks
TLS to another by name.
"""

import logging
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sandbox.directory import Address, Directory, Unreachable

log = logging.getLogger(__name__)

HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a request's body."""
BUFFERED = 64 * 1024
"""Bytes up to which an answer is read whole and sent in one piece; larger ones are streamed."""
CONNECT_TIMEOUT = 5.0
REQUEST_TIMEOUT = 300.0
"""Seconds for a whole exchange: `/delay/N` and long downloads fit, a peer that never ends does not."""
MOST_CONNECTIONS = 1024


class Proxy:
    """`start` binds 127.0.0.1 and returns the port; `stop` ends it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._client: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int = 0) -> int:
        """Listen on the port (0 = any free one). Raises OSError when it is taken."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "CONNECT":
            return _refuse(501, "the sandbox's proxy passes on http:// requests only")
        if (request.content_length or 0) > LARGEST_BODY:
            return _refuse(413, f"the body is larger than {LARGEST_BODY} bytes")
        # A proxy is sent the whole URL in the request line; a client that talks to it as to a server sends
        # Host alone.
        url = request.url
        target = self._directory.resolve(url.host or "", url.port or 80)
        if isinstance(target, Unreachable):
            return _refuse(target.status, target.reason)
        headers = _end_to_end(request.headers)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        headers["Host"] = url.authority.rpartition("@")[2].removesuffix(":80")
        try:
            return await self._forward(request, target, headers)
        except aiohttp.ClientConnectorError as error:
            return _refuse(502, f"{target} does not answer: {error.strerror}")
        except TimeoutError:
            return _refuse(504, f"{target} did not answer in time")
        except aiohttp.ClientError as error:
            return _refuse(502, f"{target} broke off: {error}")

    async def _forward(
        self, request: web.BaseRequest, target: Address, headers: CIMultiDict[str]
    ) -> web.StreamResponse:
        assert self._client is not None, "start() comes first"
        sending = self._client.request(
            request.method,
            URL(f"http://{target}{request.url.raw_path_qs}", encoded=True),
            headers=headers,
            data=_body(request) if request.body_exists else None,
            allow_redirects=False,
        )
        async with sending as upstream:
            answer_headers = _end_to_end(upstream.headers)
            if upstream.content_length is not None and upstream.content_length <= BUFFERED:
                body = await upstream.read()
                return web.Response(
                    status=upstream.status, reason=upstream.reason, headers=answer_headers, body=body
                )
            answer = web.StreamResponse(
                status=upstream.status, reason=upstream.reason, headers=answer_headers
            )
            await answer.prepare(request)
            return await _stream(upstream, answer, request)


async def _stream(
    upstream: aiohttp.ClientResponse, answer: web.StreamResponse, request: web.BaseRequest
) -> web.StreamResponse:
    """Copy the body. It is too late for another status: where the source breaks off, the client's
    connection is cut.
    """
    try:
        async for chunk in upstream.content.iter_any():
            await answer.write(chunk)
        await answer.write_eof()
    except (aiohttp.ClientError, TimeoutError) as error:
        log.info("answer cut off", extra={"host": request.host, "error": str(error)})
        if request.transport is not None:
            request.transport.abort()
    return answer


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    sent = 0
    async for chunk in request.content.iter_any():
        sent += len(chunk)
        if sent > LARGEST_BODY:
            raise aiohttp.ClientPayloadError(f"the body is larger than {LARGEST_BODY} bytes")
        yield chunk


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers that are meant for the other end, not for this connection."""
    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    dropped = HOP_BY_HOP | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def _refuse(status: int, reason: str) -> web.Response:
    return web.Response(status=status, text=f"sandbox proxy: {reason}\n")
