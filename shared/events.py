"""Kubernetes Events about objects: recorded at once, sent in the background, never in anybody's way.

    record ──► held lines of the object (joined by line breaks) ──► queue ──► run: POST, or PATCH of the count

Control loops record; the process runs `run` as a task and calls `flush` at its end. What fails is logged.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cachetools import TTLCache

from shared.cluster import Cluster
from shared.errors import ClusterError, NotFound
from shared.resources import EVENTS
from shared.types.meta import Json

REASON = "Synced"
HOLD_SECONDS = 30.0
"""How long a held message waits for another one to go with."""
AGGREGATE_SECONDS = 600.0
"""The same message about the same object counts up one Event for so long after the last one."""
MOST_WAITING = 1000
"""Events that wait for the API server; beyond, new ones are dropped."""
MOST_REMEMBERED = 4096
LONGEST_NAME = 253

EventType = Literal["Normal", "Warning"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    about: Json
    type: EventType
    message: str
    at: str


@dataclass(slots=True)
class _Sent:
    name: str
    count: int


def _now() -> datetime:
    return datetime.now(UTC)


class EventRecorder:
    """Sends Events whose source is `component`. Methods are to be called on the event loop."""

    def __init__(self, cluster: Cluster, component: str, *, now: Callable[[], datetime] = _now) -> None:
        self._cluster = cluster
        self._component = component
        self._now = now
        self._waiting: deque[_Waiting] = deque()
        self._held: dict[str, list[_Waiting]] = {}
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self._sent: TTLCache[tuple[str, str, str], _Sent] = TTLCache(
            MOST_REMEMBERED, AGGREGATE_SECONDS, timer=time.monotonic
        )

    def record(self, ref: Json, type: EventType, message: str, *, hold: bool = False) -> None:
        """An Event about the object that the reference names (apiVersion, kind, name, namespace, uid).

        `hold`: keep the message until the next one about this object that is not held, or for HOLD_SECONDS;
        then they go out as one Event, a line each. That saves requests where one pass has several things to
        say.
        """
        waiting = _Waiting(ref, type, message, self._now().strftime("%Y-%m-%dT%H:%M:%SZ"))
        key = _key(ref)
        held = self._held.setdefault(key, [])
        held.append(waiting)
        if not hold:
            self._let_go(key)
        elif len(held) == 1:
            asyncio.get_running_loop().call_later(HOLD_SECONDS, self._let_go_of, key, waiting)

    async def run(self) -> None:
        """Send for ever. Ends only by cancellation; call `flush` after that."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self._drain()

    async def flush(self) -> None:
        """Return when everything that was recorded has been sent, or has failed."""
        for key in list(self._held):
            self._let_go(key)
        await self._drain()

    def _let_go_of(self, key: str, first: _Waiting) -> None:
        if first in self._held.get(key, ()):
            self._let_go(key)

    def _let_go(self, key: str) -> None:
        """Queue what is held, neighbours of the same type as one."""
        for waiting in _joined(self._held.pop(key, [])):
            if len(self._waiting) >= MOST_WAITING:
                _log.warning("too many events are waiting, one is dropped", extra={"event": waiting.message})
                continue
            self._waiting.append(waiting)
        self._news.set()

    async def _drain(self) -> None:
        async with self._sending:
            while self._waiting:
                try:
                    await self._send(self._waiting[0])
                except ClusterError as error:
                    _log.warning("event cannot be sent", extra={"error": str(error)})
                self._waiting.popleft()  # only now: a cancelled `run` leaves it for `flush`

    async def _send(self, waiting: _Waiting) -> None:
        key = (_key(waiting.about), waiting.type, waiting.message)
        namespace = waiting.about.get("namespace") or "default"
        sent = self._sent.get(key)
        if sent is not None:
            again = {"count": sent.count + 1, "lastTimestamp": waiting.at}
            try:
                await self._cluster.patch(EVENTS, sent.name, namespace, again)
            except NotFound:
                pass  # the server deletes Events after an hour: it is a new one then
            else:
                self._sent[key] = _Sent(sent.name, sent.count + 1)
                return
        body = self._render(waiting, namespace)
        await self._cluster.create(EVENTS, body)
        self._sent[key] = _Sent(body["metadata"]["name"], 1)

    def _render(self, waiting: _Waiting, namespace: str) -> Json:
        suffix = "." + secrets.token_hex(8)
        name = waiting.about["name"][: LONGEST_NAME - len(suffix)].rstrip(".-") + suffix
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": waiting.about,
            "reason": REASON,
            "message": waiting.message,
            "type": waiting.type,
            "source": {"component": self._component},
            "firstTimestamp": waiting.at,
            "lastTimestamp": waiting.at,
            "count": 1,
            "reportingComponent": self._component,
            "reportingInstance": "",
        }


def _key(ref: Json) -> str:
    return "/".join(str(ref.get(part, "")) for part in ("kind", "namespace", "name", "uid"))


def _joined(held: list[_Waiting]) -> list[_Waiting]:
    joined: list[_Waiting] = []
    for waiting in held:
        last = joined[-1] if joined else None
        if last is not None and last.type == waiting.type:
            joined[-1] = _Waiting(waiting.about, last.type, f"{last.message}\n{waiting.message}", waiting.at)
        else:
            joined.append(waiting)
    return joined
