"""Switches with which tests have the server fail, for any client, over HTTP. Only masters reach /debug.

    POST /debug/faults {"verb": "patch", "resource": "canaries/status", "skip": 2, "count": 1, "answer": 409}
    request -> Faults.next -> carry_out: wait, serve (or not), then refuse, hang, cut, or pass it on
    GET /debug/watches, POST /debug/watches/close {"resource": "canaries", "cut": true} -> Watches

Called by `server.py` around each request; history is forgotten with POST /debug/compact.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import orjson
from aiohttp import web

from sandbox.apiserver import status
from sandbox.apiserver.access.attributes import Access
from sandbox.apiserver.replies import Reply
from sandbox.apiserver.requests import User
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import ApiError

_REASONS = {
    409: ("Conflict", "Operation cannot be fulfilled: the object has been modified; please apply your "
          "changes to the latest version and try again"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: a fault that a test asked for"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}  # fmt: skip
_TELLS_WHEN = (429, 503)
HANG, CUT, PASS = "hang", "cut", "pass"


@dataclass(frozen=True, slots=True)
class Client:
    """What a request asks for, and who asks."""

    access: Access
    user: User
    agent: str


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests: those with all that is given. The user agent need only begin with what is given."""

    verb: str = ""
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    user: str = ""
    userAgent: str = ""
    # spelled as in the request that makes it

    def __call__(self, client: Client) -> bool:
        access = client.access
        wanted = (self.verb, self.group, self.resource, self.namespace, self.name, self.user)
        found = (access.verb, access.group, access.resource, access.namespace, access.name, client.user.name)
        fits = all(not each or each == value for each, value in zip(wanted, found, strict=True))
        return fits and client.agent.startswith(self.userAgent)

    @classmethod
    def taken_from(cls, body: Json) -> Self:
        """Takes its own fields out of a request's body. Raises an ApiError (400) for what is no text."""
        taken = {each.name: body.pop(each.name) for each in fields(cls) if each.name in body}
        for name, value in taken.items():
            if not isinstance(value, str):
                raise status.bad_request(f"{name}: Invalid value: {status.quoted(value)}")
        return cls(**taken)


@dataclass(slots=True)
class Fault:
    """One switch: after `skip` matching requests, the next `count` of them (null: all) fail."""

    match: Match
    answer: int | str
    """A status code; "hang": no answer; "cut": the connection ends; "pass": answered, after the delay."""
    skip: int = 0
    count: int | None = 1
    applied: bool = False
    """Whether the request is carried out before it fails."""
    delay: float = 0.0
    """Seconds to wait first; a watch that passes is held back so long before each of its chunks."""
    retryAfter: int = 1
    """What 429 and 503 tell the client, in seconds."""
    seen: int = 0
    done: int = 0

    def strikes(self, client: Client) -> bool:
        """Whether this request fails; counts it."""
        if not self.match(client) or (self.count is not None and self.done >= self.count):
            return False
        self.seen += 1
        if self.seen <= self.skip:
            return False
        self.done += 1
        return True


_OPTIONS: dict[str, Callable[[Any], bool]] = {
    "answer": lambda value: value in _REASONS or value in (HANG, CUT, PASS),
    "skip": lambda value: type(value) is int and value >= 0,
    "count": lambda value: value is None or (type(value) is int and value > 0),
    "applied": lambda value: isinstance(value, bool),
    "delay": lambda value: isinstance(value, int | float) and value >= 0,
    "retryAfter": lambda value: type(value) is int and value >= 0,
}


def parse(body: Json) -> Fault:
    """The fault that a body describes. Raises an ApiError (400) that names what is wrong in it."""
    rest = dict(body)
    match = Match.taken_from(rest)
    for name, value in rest.items():
        if name not in _OPTIONS:
            raise status.bad_request(f"{name}: a fault has no such field")
        if not _OPTIONS[name](value):
            raise status.bad_request(f"{name}: Invalid value: {status.quoted(value)}")
    if "answer" not in rest:
        raise status.bad_request("answer: Required value: a status code, or hang, cut, pass")
    return Fault(match, **rest)


@dataclass(slots=True)
class Faults:
    """The switches that are on, by their ids."""

    _faults: dict[str, Fault] = field(default_factory=dict)
    _made: int = 0

    def next(self, client: Client) -> Fault | None:
        """The fault that this request meets: the oldest one that strikes."""
        return next((fault for fault in self._faults.values() if fault.strikes(client)), None)

    def serve(self, method: str, path: str, body: bytes) -> Reply:
        """POST adds one, GET lists them, DELETE removes one or all."""
        name = path.removeprefix("/debug/faults").strip("/")
        match method:
            case "POST" if not name:
                self._made += 1
                name = str(self._made)
                self._faults[name] = parse(read_object(body))
                return Reply.json(_shown(name, self._faults[name]), 201)
            case "GET" if not name:
                return Reply.json({"faults": [_shown(each, fault) for each, fault in self._faults.items()]})
            case "DELETE" if not name:
                self._faults.clear()
                return Reply.json({"faults": []})
            case "DELETE" if name in self._faults:
                return Reply.json(_shown(name, self._faults.pop(name)))
        raise status.no_such_path()


def read_object(body: bytes) -> Json:
    """A body that is an object. Raises an ApiError (400)."""
    try:
        parsed = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise status.bad_request(f"the body is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise status.bad_request("the body is not an object")
    return parsed


def _shown(name: str, fault: Fault) -> Json:
    shown = {each.name: getattr(fault, each.name) for each in fields(fault) if each.name != "match"}
    matched = {each.name: getattr(fault.match, each.name) for each in fields(fault.match)}
    return {"id": name, **{key: value for key, value in matched.items() if value}, **shown}


async def carry_out(fault: Fault, request: web.BaseRequest, serve: Callable[[], Awaitable[Reply]]) -> Reply:
    """What a client gets that meets the fault. Raises an ApiError for a status code."""
    if fault.answer == PASS:
        return await _late(fault.delay, serve)
    await asyncio.sleep(fault.delay)
    if fault.applied:
        await serve()
    if fault.answer == CUT:
        cut(request)
    if fault.answer in (CUT, HANG):
        await asyncio.Event().wait()  # until the connection ends, which cancels this
    code = int(fault.answer)
    reason, message = _REASONS[code]
    details = {"retryAfterSeconds": fault.retryAfter} if code in _TELLS_WHEN else {}
    raise ApiError(status.status_object(code, reason, message, details))


async def _late(seconds: float, serve: Callable[[], Awaitable[Reply]]) -> Reply:
    reply = await serve()
    if reply.chunks is not None:
        return replace(reply, chunks=_held_back(reply.chunks, seconds))
    await asyncio.sleep(seconds)
    return reply


async def _held_back(chunks: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        await asyncio.sleep(seconds)
        yield chunk


def cut(request: web.BaseRequest) -> None:
    """Ends the connection of a request without a word."""
    if request.transport is not None:
        request.transport.abort()


@dataclass(slots=True)
class _Open:
    client: Client
    request: web.BaseRequest
    ended: bool = False


class Watches:
    """The watches that are open, each with the task that feeds it."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Task[Any], _Open] = {}

    @contextmanager
    def feeding(self, client: Client, request: web.BaseRequest) -> Iterator[None]:
        """While a watch is fed by the current task. Leaves the block quietly once the watch is closed."""
        task = asyncio.current_task()
        assert task is not None, "requests are served by tasks"
        watch = self._open[task] = _Open(client, request)
        try:
            yield
        except asyncio.CancelledError:
            if not watch.ended:
                raise
            task.uncancel()
        finally:
            del self._open[task]

    def listed(self) -> Reply:
        """Those that are open: who watches what."""
        open_ones = [
            {
                "user": watch.client.user.name,
                "userAgent": watch.client.agent,
                "group": watch.client.access.group,
                "resource": watch.client.access.resource,
                "namespace": watch.client.access.namespace,
            }
            for watch in self._open.values()
        ]
        return Reply.json({"watches": open_ones})

    def close(self, body: Json) -> Reply:
        """Ends those that match as their timeout would or, with `cut`, with their connections."""
        rest = dict(body)
        match, hard = Match.taken_from(rest), rest.pop("cut", False)
        if rest:
            raise status.bad_request(f"{next(iter(rest))}: watches have no such field")
        closed = 0
        for task, watch in list(self._open.items()):
            if match(watch.client) and not watch.ended:
                closed += 1
                if hard:
                    cut(watch.request)
                else:
                    watch.ended = True
                    task.cancel()
        return Reply.json({"closed": closed})
