"""HTTP requests to the webhooks. What is asked and answered is for `request`, `handlers` and `response`.

    listener ─► limits, deadlines ─► read ─► handlers ─► render ─► one log line

A refusal is HTTP 200. HTTP 4xx is for what cannot be read, 503 for what cannot be answered now, 504 for an
answer that would come too late, 500 for a bug of ours: of all these the webhook's failurePolicy decides.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus

from aiohttp import web

from admission.answer import Answer
from admission.handlers import MUTATE, VALIDATE, Handlers, Moment
from admission.request import Envelope, read
from admission.response import render
from admission.telemetry import Outcome, Telemetry
from shared import duration, logs
from shared.errors import BadReview, ClusterError

log = logging.getLogger(__name__)

LARGEST_BODY = 7 * 2**20
"""Bytes. The API server takes objects of 3 MiB, and an update sends two of them."""
LARGEST_TOGETHER = 64 * 2**20
"""Bytes of all bodies that are being read or answered at the same time."""
BODY_SECONDS = 10.0
"""From a request's headers to the end of its body."""
DEFAULT_TIMEOUT = 10.0
"""Seconds, where the URL has none; Kubernetes' own default."""
USABLE = 0.9
"""Part of the API server's timeout in which an answer is made; the rest is for the way there and back."""

_JSON = "application/json"
_Served = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Refused(Exception):
    """An HTTP request that is not taken."""

    def __init__(self, status: HTTPStatus, why: str, outcome: Outcome = Outcome.BAD) -> None:
        super().__init__(why)
        self.status = status
        self.outcome = outcome


@dataclass(slots=True)
class _Seen:
    """What is known of a request so far, for its log line."""

    envelope: Envelope | None = None
    handler: str = ""


class Reviews:
    """Answers HTTP requests."""

    def __init__(self, handlers: Handlers, telemetry: Telemetry) -> None:
        self._handlers = handlers
        self._telemetry = telemetry
        self._reading = 0
        self.leaving = False
        """Whether clients are sent away: each answer then closes its connection."""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response to any HTTP request."""
        seen = _Seen()
        size = request.content_length or 0
        try:
            _check(request, size, self._reading)
            self._reading += size
            try:
                response = await self._answered(request, seen)
            finally:
                self._reading -= size
        except _Refused as refused:
            response = self._sorry(refused, seen)
        except BadReview as bad:
            response = self._sorry(_Refused(HTTPStatus.BAD_REQUEST, str(bad)), seen)
        except Exception:
            uid = seen.envelope.uid if seen.envelope is not None else ""
            log.exception("a bug: this request has no answer", extra={"uid": uid, "handler": seen.handler})
            self._telemetry.answered(seen.handler, Outcome.ERROR, 0.0)
            text = f"internal error while request {uid or 'without uid'} was answered; see the log\n"
            response = web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text=text)
        if self.leaving:
            response.force_close()
        return response

    async def _answered(self, request: web.BaseRequest, seen: _Seen) -> web.Response:
        body = await _body(request)
        began = time.perf_counter()
        seen.envelope = envelope = read(body)
        handler = self._handlers.find(request.rel_url.raw_path, envelope)
        seen.handler = handler.name
        deadline = asyncio.get_running_loop().time() + _patience(request.rel_url.raw_query_string)
        try:
            answer = await self._handlers.answer(handler, envelope, Moment(datetime.now(tz=UTC), deadline))
        except TimeoutError as error:
            why = f"no answer to request {envelope.uid} in time"
            raise _Refused(HTTPStatus.GATEWAY_TIMEOUT, why, Outcome.LATE) from error
        except ClusterError as error:
            why = f"request {envelope.uid} needs what could not be read: {error}"
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, why, Outcome.BLIND) from error
        response = web.Response(body=render(envelope, answer), content_type=_JSON)
        seconds = time.perf_counter() - began
        self._telemetry.answered(handler.name, _outcome(answer), seconds)
        _note(envelope, answer, seconds)
        return response

    def _sorry(self, refused: _Refused, seen: _Seen) -> web.Response:
        self._telemetry.answered(seen.handler, refused.outcome, 0.0)
        uid = seen.envelope.uid if seen.envelope is not None else ""
        log.warning("request not answered", extra={"status": refused.status, "why": str(refused), "uid": uid})
        response = web.Response(status=refused.status, text=f"{refused}\n")
        response.force_close()  # its body may not have been read
        return response


def _check(request: web.BaseRequest, size: int, reading: int) -> None:
    """Refuse what is no webhook call, before its body is read."""
    if request.rel_url.raw_path not in (MUTATE, VALIDATE):
        raise _Refused(HTTPStatus.NOT_FOUND, f"there are only {MUTATE} and {VALIDATE}")
    if request.method != "POST":
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is understood")
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _JSON:
        raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"only {_JSON} is understood")
    if "Content-Encoding" in request.headers:
        raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed bodies are not understood")
    if request.content_length is None:
        raise _Refused(HTTPStatus.LENGTH_REQUIRED, "Content-Length is needed")
    if size > LARGEST_BODY:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {LARGEST_BODY} bytes")
    if reading + size > LARGEST_TOGETHER:
        raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too much at the same time", Outcome.BLIND)


async def _body(request: web.BaseRequest) -> bytes:
    try:
        if request.content.is_eof():  # it came with the headers
            return await request.read()
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise _Refused(HTTPStatus.REQUEST_TIMEOUT, f"no body within {BODY_SECONDS:.0f} s") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body broke off") from error


@lru_cache(maxsize=64)
def _patience(query: str) -> float:
    """Seconds for the answer, of a query such as `timeout=2s`."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "timeout":
            try:
                asked = duration.parse(value).total_seconds()
            except ValueError:
                break
            return max(0.0, min(asked, DEFAULT_TIMEOUT * 3)) * USABLE
    return DEFAULT_TIMEOUT * USABLE


def _outcome(answer: Answer) -> Outcome:
    if not answer.allowed:
        return Outcome.REFUSED
    return Outcome.PATCHED if answer.patch else Outcome.ALLOWED


def _note(envelope: Envelope, answer: Answer, seconds: float) -> None:
    """One line for each request. Never of what is in the objects: there may be secrets in them."""
    resource = envelope.resource.plural
    fields = {
        "uid": envelope.uid,
        "user": envelope.user.name,
        "operation": envelope.operation.value,
        "resource": f"{resource}/{envelope.subresource}" if envelope.subresource else resource,
        "object": f"{envelope.namespace}/{envelope.name}",
        "allowed": answer.allowed,
        "patched": len(answer.patch),
        "warnings": len(answer.warnings),
        "ms": round(seconds * 1000, 3),
    }
    logs.request("admission/server.py", "reviewed", fields)
