"""Pod logs: the files into which the kubelet writes what containers print.

STATE/pods/<pod uid>/<container>.log
"""

import asyncio
from collections.abc import AsyncIterator, Callable
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

    def read(
        self, pod: Json, container: str, *, follow: Callable[[], bool] | None, tail: int | None
    ) -> AsyncIterator[bytes]:
        """What is there and, while `follow` says so, what is added.

        Raises an ApiError (400) where the container has not started yet.
        """
        metadata = pod["metadata"]
        path = self._pods / metadata["uid"] / f"{container}.log"
        if not path.exists():
            what = f'container "{container}" in pod "{metadata["name"]}" is waiting to start'
            raise status.bad_request(f"{what}: {_waiting_for(pod, container)}".removesuffix(": "))
        return _chunks(path, follow=follow, tail=tail)


def _waiting_for(pod: Json, container: str) -> str:
    """Why a container has not started, in the word of the kubelet."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    states = (each.get("state", {}) for each in statuses if each["name"] == container)
    return next((str(state.get("waiting", {}).get("reason", "")) for state in states), "")


async def _chunks(path: Path, *, follow: Callable[[], bool] | None, tail: int | None) -> AsyncIterator[bytes]:
    """Reads are small and local: worth no thread."""
    with path.open("rb") as file:
        if tail is not None:
            file.seek(_tail_offset(file, tail))
        while True:
            more = follow is not None and follow()  # asked first: what comes until then is read below
            chunk = file.read(_CHUNK)
            if chunk:
                yield chunk
            elif more:
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
