"""Starts the load tester: settings, wiring, and a clean stop on SIGTERM. Run as `python -m loadtester`."""

import asyncio
import contextlib
import logging
import signal
import sys

from prometheus_client import CollectorRegistry

from loadtester.access import Access, namespace_access, read_tokens
from loadtester.background import Background
from loadtester.commands import Limits
from loadtester.gates import Gates
from loadtester.server import Service, Slots, routes
from loadtester.settings import Settings
from loadtester.telemetry import Telemetry
from shared import logs, serving
from shared.errors import ConfigError
from shared.settings import load

log = logging.getLogger(__name__)

MOST_BACKGROUND = 64
MOST_SYNCHRONOUS = 16


def main() -> int:
    """Run until SIGTERM or SIGINT; 1 when it cannot be run as it was started."""
    try:
        settings = load(Settings, sys.argv[1:], prog="loadtester")
        logs.configure(settings.log_level)
        asyncio.run(_serve(settings))
    except ConfigError as error:
        sys.stderr.write(f"loadtester: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    limits = Limits(settings.timeout)
    background = Background(limits, telemetry, MOST_BACKGROUND)
    service = Service(
        access=_access(settings),
        gates=Gates(settings.gates_file),
        background=background,
        telemetry=telemetry,
        limits=limits,
        slots=Slots(MOST_SYNCHRONOUS),
    )
    site = serving.Site(
        settings.host, settings.port, routes=routes(service), registry=registry, cancel_abandoned=True
    )
    server = await serving.start(site)
    log.info("load tester started", extra={"port": server.port})
    try:
        await _stop_signal()
    finally:
        # Commands first: a hook that waits for one is then answered, and the server need not wait for it.
        await background.stop()
        await server.stop()


def _access(settings: Settings) -> Access:
    if settings.tokens_file is not None:
        return read_tokens(settings.tokens_file)
    log.warning("no -tokens-file: whoever reaches this port may run commands for the namespaces it claims")
    return namespace_access(settings.namespace_regexp)


async def _stop_signal() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with contextlib.suppress(asyncio.CancelledError):
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
