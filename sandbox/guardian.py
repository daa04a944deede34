"""Ends what is left of a sandbox when its daemon dies without having cleaned up.

Started by the daemon as `python -m sandbox.guardian` with a pipe as standard input that only the daemon
holds: the kernel closes it however the daemon ends. Nothing else could: a killed process cleans up nothing.
"""

import signal
import sys

from sandbox.processes import ID_VARIABLE, kill_all
from shared.settings import environment


def main() -> None:
    """Wait for the end of the input, then end every process of the run."""
    # A Ctrl-C in the terminal is the daemon's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill_all(environment(ID_VARIABLE))


if __name__ == "__main__":
    main()
