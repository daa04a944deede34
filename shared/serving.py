"""The small HTTP server of each process: /healthz, /readyz, /metrics, and routes of its own.

Started by a process's __main__. A check answers None while all is well, else the reason, which the answer
shows.
"""

import errno
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

from shared.errors import ConfigError

Check = Callable[[], str | None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SHUTDOWN_SECONDS = 5.0
"""How long requests under way may take when the server stops."""


def _fine() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Site:
    """Where to listen and what to answer. Port 0 takes any free one."""

    host: str
    port: int
    healthy: Check = _fine
    ready: Check = _fine
    routes: Iterable[web.AbstractRouteDef] = ()
    registry: CollectorRegistry = REGISTRY
    cancel_abandoned: bool = False
    """Cancel a handler when its client hangs up."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens."""

    host: str
    port: int
    _runner: web.AppRunner

    async def stop(self) -> None:
        """Take no more requests, finish those under way, then close."""
        await self._runner.cleanup()


async def start(site: Site) -> Server:
    """Listen, and answer from now on.

    Raises:
        ConfigError: the address cannot be used.
    """
    app = web.Application()
    app.add_routes([web.get("/healthz", _probe(site.healthy)), web.get("/readyz", _probe(site.ready))])
    app.add_routes([web.get("/metrics", _metrics(site.registry)), *site.routes])
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
        handler_cancellation=site.cancel_abandoned,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, site.host, site.port).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(_why(site, error)) from error
    host, port = runner.addresses[0][:2]
    return Server(host, port, runner)


def _why(site: Site, error: OSError) -> str:
    where = f"cannot listen on {site.host or '0.0.0.0'}:{site.port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}: another process has that port; stop it or choose another port"
    return f"{where}: {error.strerror or error}"


def _probe(check: Check) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        problem = check()
        return web.Response(text="OK" if problem is None else problem, status=200 if problem is None else 503)

    return answer


def _metrics(registry: CollectorRegistry) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return answer
