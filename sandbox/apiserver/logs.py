"""Pod logs: the files into which the kubelet writes what containers print.

STATE/pods/<pod uid>/<container>.log
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from sandbox.apiserver import status
from sandbox.apiserver.resources import Json

_CHUNK = 64 * 1024
_POLL_SECONDS = 0.2


class LogFiles:
    """Reads logs below a state directory."""

    def __init__(self, state: Path) -> None:
        self._pods = state / "pods"

    def read(self, pod: Json, container: str, *, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
        """Raises an ApiError (400) where the container has not started yet."""
        metadata = pod["metadata"]
        path = self._pods / metadata["uid"] / f"{container}.log"
        if not path.exists():
            raise status.bad_request(
                f'container "{container}" in pod "{metadata["name"]}" is waiting to start'
            )
        return _chunks(path, follow=follow, tail=tail)


async def _chunks(path: Path, *, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
    """The file's end, then, while it exists, what is added. Reads are small and local: worth no thread."""
    with path.open("rb") as file:
        if tail is not None:
            file.seek(_tail_offset(file, tail))
        while True:
            chunk = file.read(_CHUNK)
            if chunk:
                yield chunk
            elif follow and await asyncio.to_thread(path.exists):
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return


def _tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin."""
    position = end = file.seek(0, 2)
    seen = b""
    while position > 0 and seen.rstrip(b"\n").count(b"\n") < lines:
        position = max(0, position - _CHUNK)
        file.seek(position)
        seen = file.read(end - position)
    kept = seen.splitlines(keepends=True)[-lines:] if lines else []
    return end - sum(map(len, kept))
