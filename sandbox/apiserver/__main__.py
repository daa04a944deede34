"""Runs the API server alone: `python -m sandbox.apiserver --port 0 --state-dir DIR`. Prints one line when it
is ready.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from sandbox.apiserver import ApiServer, Config


async def _run(config: Config) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = ApiServer(config)
    url = await server.start()
    sys.stdout.write(f"ready {url} KUBECONFIG={config.state / 'kubeconfig'}\n")
    sys.stdout.flush()
    await stopped.wait()
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.apiserver", description="A Kubernetes API server in memory."
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument(
        "--state-dir", type=Path, required=True, help="where ca.crt and kubeconfig are written"
    )
    arguments = parser.parse_args()
    asyncio.run(_run(Config(state=arguments.state_dir, port=arguments.port)))


if __name__ == "__main__":
    main()
