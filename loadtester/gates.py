"""Manual gates: closed until someone opens them.

Called by the server. With a file the open gates survive a restart; without one they are all closed after
it, which stops rollouts rather than letting them pass.
"""

import os
from pathlib import Path

import orjson

from shared.errors import ConfigError


class Gates:
    """The set of open gates, by key (`podinfo.test`, `rollback.podinfo.test`)."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._open: frozenset[str] = frozenset() if file is None else _read(file)

    def is_open(self, key: str) -> bool:
        return key in self._open

    def open(self, key: str) -> None:
        self._store(self._open | {key})

    def close(self, key: str) -> None:
        self._store(self._open - {key})

    def _store(self, gates: frozenset[str]) -> None:
        """Write first, so that an answer of ours is never forgotten by a crash. Raises ConfigError."""
        if self._file is not None and gates != self._open:
            fresh = self._file.with_name(self._file.name + ".new")
            try:
                fresh.write_bytes(orjson.dumps(sorted(gates)))
                os.replace(fresh, self._file)
            except OSError as error:
                raise ConfigError(f"cannot write the gates file {self._file}: {error.strerror}") from error
        self._open = gates


def _read(file: Path) -> frozenset[str]:
    try:
        keys = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return frozenset()
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(
            f"cannot read the gates file {file}: {error}; delete it to start with all gates closed"
        ) from error
    if not isinstance(keys, list):
        raise ConfigError(f"the gates file {file} must hold a list; delete it to start with all gates closed")
    return frozenset(map(str, keys))
