"""The sandbox's daemon as a process: `python -m sandbox`. Started by `pinfeather sandbox up`, not by hand."""

import asyncio
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.daemon import Order, run
from sandbox.processes import ID_VARIABLE
from sandbox.state import Folder
from shared import logs
from shared.errors import ConfigError
from shared.settings import REQUIRED, environment, flag, load


@dataclass(frozen=True, slots=True)
class Settings:
    """What the daemon is told by `up`, beside the state that lies in the folder already."""

    state_dir: Path = flag(REQUIRED, "folder with the state that `up` wrote")
    port: int = flag(0, "port of the API server on 127.0.0.1, 0 for any free one")


def main() -> int:
    """Run until SIGTERM."""
    try:
        settings = load(Settings, sys.argv[1:], prog="python -m sandbox")
        folder = Folder(settings.state_dir)
        state = folder.read()
        if state is None or state.id != environment(ID_VARIABLE):
            raise ConfigError(f"{folder.state} is not of this run; start it with `pinfeather sandbox up`")
    except ConfigError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    logs.configure("info")
    return asyncio.run(run(Order(folder, replace(state, pid=os.getpid()), settings.port)))


if __name__ == "__main__":
    sys.exit(main())
