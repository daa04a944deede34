"""The state folder of a sandbox: what is written there about the daemon, and how it is read back.

The daemon writes its progress; `up`, `down` and `status` read it. Apart from both so that they agree, and
light: `up` on a running sandbox answers at once, so nothing here imports more than it needs.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from shared.errors import ConfigError

STATE_FILE = "sandbox.json"


class Stage(StrEnum):
    """How far the daemon is."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class State:
    """One run of a sandbox."""

    id: str
    """Random, new for every start, and in the environment of each process of this run: what proves that
    they are ours.
    """
    pid: int = 0
    """Process id of the daemon; 0 until it is started."""
    stage: Stage = Stage.STARTING
    steps: tuple[str, ...] = ()
    """What the start has reached, a line each, for a person."""
    error: str = ""
    """Why it failed, for a person."""
    api_url: str = ""
    proxy_url: str = ""
    without: tuple[str, ...] = field(default=())
    """Addons that were left out."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths in the state folder."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / STATE_FILE

    @property
    def log(self) -> Path:
        return self.root / "daemon.log"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def programs(self) -> Path:
        """The folder for PATH."""
        return self.root / "bin"

    def read(self) -> State | None:
        """The last state written; None where there is none. Raises ConfigError when it cannot be read."""
        try:
            content = json.loads(self.state.read_text())
            tuples = {name: tuple(content[name]) for name in ("steps", "without")}
            return State(**content | tuples | {"stage": Stage(content["stage"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"cannot read {self.state}: {error}; is it a sandbox's state folder?"
            ) from error

    def write(self, state: State) -> None:
        """Replace the state in one step: a reader never sees half of it."""
        fresh = self.state.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(state)))
        os.replace(fresh, self.state)


def default_root(state_home: str, home: str) -> Path:
    """Where the state lies unless told otherwise, from $XDG_STATE_HOME and $HOME."""
    return (Path(state_home) if state_home else Path(home) / ".local" / "state") / "pinfeather" / "sandbox"
