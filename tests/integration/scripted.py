"""A server on loopback that answers what a test tells it to, and keeps what it was asked."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from typing import Any

import orjson
import yaml
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


def reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=orjson.dumps(body), status=status, headers=headers)

    return answer


def refuse(
    code: int, message: str = "no", reason: str = "", *, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a Status object."""
    status = {"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason}
    return reply(status, code, headers)


def stream(*parts: bytes, end: str = "close") -> Answer:
    """Send the parts, then `close` the answer, `reset` the connection, or `stall` until the test ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if end == "reset":
            assert request.transport is not None
            request.transport.abort()
        elif end == "stall":
            await asyncio.Event().wait()
        return response

    return answer


async def reset(request: web.Request) -> web.StreamResponse:
    """Break the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def event(kind: str, name: str, version: int, **fields: Any) -> bytes:
    """One line of a watch."""
    metadata = {"name": name, "namespace": "test", "resourceVersion": str(version), "uid": f"uid-{name}"}
    return orjson.dumps({"type": kind, "object": {"metadata": metadata, **fields}}) + b"\n"


class Server:
    """Answers each (method, path) with its answers in order, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answered = asyncio.Event()
        self.url = ""
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self._runner: web.AppRunner | None = None

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self._answers[method, path] = list(answers)

    def count(self, method: str, path: str) -> int:
        return sum((asked.method, asked.path) == (method, path) for asked in self.asked)

    async def start(self, tls: SSLContext | None = None) -> None:
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = orjson.loads(raw) if raw else None
        self.asked.append(Asked(request.method, request.path, dict(request.query), request.headers, body))
        answers = self._answers.get((request.method, request.path)) or [refuse(404, "not scripted")]
        self.answered.set()
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(request)


def write_kubeconfig(
    path: Path,
    server: str,
    *,
    user: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
) -> Path:
    """A kubeconfig with one context; `user` and `cluster` are what those entries say."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "it", "user": dict(user or {"token": "sesame"})}],
    }
    path.write_text(yaml.safe_dump(content))
    return path
