"""`python -m sandbox.podinfo --host 127.10.0.1 --tag 6.0.1`: runs one podinfo until SIGTERM.

The sandbox's kubelet starts it for the image `stefanprodan/podinfo`, with the flags that the pod has for the
real one.
"""

import argparse
import asyncio
import logging
import signal
import sys

from sandbox.podinfo import faults
from sandbox.podinfo.http import Server
from sandbox.podinfo.routes import App

_log = logging.getLogger("podinfo")
_IN_FLIGHT_SECONDS = 0.8


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="podinfo", description=__doc__, allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9898, help="port to listen on")
    parser.add_argument("--tag", default="0.0.0", help="image tag: the version, and the faults it asks for")
    parser.add_argument("--hostname", default="podinfo", help="name of the pod, told in answers")
    parser.add_argument(
        "--shutdown-delay",
        type=float,
        default=3.0,
        help="seconds to go on serving after SIGTERM, for proxies to notice",
    )
    arguments, unknown = parser.parse_known_args()
    if unknown:
        _log.warning("flags that mean nothing here are ignored: %s", " ".join(unknown))
    return arguments


async def _run(arguments: argparse.Namespace) -> int:
    asked = faults.parse(arguments.tag)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(App(arguments.tag, arguments.hostname, asked))
    port = await server.start(arguments.host, arguments.port)
    _log.info("podinfo %s listens on %s:%d", arguments.tag, arguments.host, port)
    try:
        async with asyncio.timeout(asked.crash):
            await stop.wait()
    except TimeoutError:
        _log.error("this release crashes on purpose")
        return 1
    server.drain()
    await asyncio.sleep(arguments.shutdown_delay)
    await server.stop(_IN_FLIGHT_SECONDS)
    return 0


def main() -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 1 when a fault or a taken address ended it."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    arguments = _arguments()
    try:
        return asyncio.run(_run(arguments))
    except OSError as error:
        _log.error("cannot listen on %s:%d: %s", arguments.host, arguments.port, error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
