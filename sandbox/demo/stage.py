"""The sandbox that the demo plays in: one that is up, or one that is started for it and taken down again.

Opened by `command` around everything else.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.lifecycle import Wish, down, is_running, up, user_environment
from sandbox.state import Folder
from shared.settings import child_environment, environment


@dataclass(slots=True)
class Stage:
    """A sandbox that is up."""

    folder: Folder
    proxy_url: str
    environment: dict[str, str]
    """For the commands of the story."""
    keep: bool
    """Whether it stays up when the demo is over. One that was up before does."""


@contextlib.contextmanager
def opened(root: Path, say: Callable[[str], None]) -> Iterator[Stage]:
    """A sandbox with its state in the folder.

    Raises:
        ConfigError: it cannot be started, and why.
    """
    folder = Folder(root.resolve())
    before = folder.read()
    found = before is not None and is_running(before)
    state = up(Wish(folder.root), say)
    variables = user_environment(folder, state, environment("PATH"))
    # kubectl keeps a cache below HOME: this one goes away with the sandbox.
    stage = Stage(
        folder, state.proxy_url, child_environment(variables | {"HOME": str(folder.root)}), keep=found
    )
    try:
        yield stage
    finally:
        if not stage.keep:
            with _undisturbed():
                down(folder.root, say)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not stop the cleaning up; it is a matter of seconds."""
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
