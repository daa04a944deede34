"""Leader election by a Lease: of several replicas of a process, one does the work.

    candidate: look at the Lease every 2 s ──► free, ours, or unchanged for 15 s of OUR clock ──► take it
    leader:    renew every 5 s; after 10 s without success: cancel the work, before anybody else may take over

Called by a process's __main__, around everything that writes. Time is the event loop's monotonic clock;
what the Lease says about time is for people to read. A Lease is no fence: a process that was stopped and
resumes may finish a write, so writes must be safe under two leaders as well (they carry resourceVersions).
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.cluster import Cluster
from shared.errors import AlreadyExists, AppError, ClusterError, Conflict, NotFound
from shared.resources import LEASES
from shared.types.meta import Json

RELEASE_SECONDS = 2.0
"""Patience for giving the Lease back at the end; after that it runs out by itself."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaderSettings:
    """Which Lease, who we are, and the times in seconds."""

    name: str
    namespace: str
    identity: str
    """Different in each replica."""
    lease: float = 15.0
    """A Lease that nobody renewed for so long is free."""
    deadline: float = 10.0
    """A leader that could not renew for so long stops. Less than `lease`: the difference is for stopping."""
    renew: float = 5.0
    retry: float = 2.0
    """Between two looks of a candidate, and between two tries of a leader whose renewal failed."""


class LeadershipLost(AppError):
    """The Lease could not be renewed in time, or somebody else has it; the work has been cancelled."""


async def lead(cluster: Cluster, settings: LeaderSettings, work: Callable[[], Awaitable[None]]) -> None:
    """Wait for the Lease, then run the work while it is ours; give it back when the work ends or we are
    cancelled.

    Raises:
        LeadershipLost: the work was cancelled because the Lease was lost. The process should exit.
    """
    lease = _Lease(cluster, settings)
    await lease.acquire()
    _log.info("became the leader", extra={"identity": settings.identity, "lease": settings.name})
    working = asyncio.ensure_future(work())
    keeping = asyncio.create_task(lease.keep())
    lost = False
    try:
        await asyncio.wait((working, keeping), return_when=asyncio.FIRST_COMPLETED)
        lost = not working.done()
    finally:
        await _stop(working)  # first: the Lease must stay ours until the last write is done
        await _stop(keeping)
        await lease.release()
    if lost:
        raise LeadershipLost(f"the lease {settings.namespace}/{settings.name} could not be kept")
    working.result()


async def _stop(task: "asyncio.Future[None]") -> None:
    task.cancel()
    await asyncio.wait((task,))


class _Lease:
    """The Lease as last seen, and since when it has looked like that."""

    def __init__(self, cluster: Cluster, settings: LeaderSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clock = asyncio.get_running_loop().time
        self._seen: Json | None = None
        self._seen_since = 0.0
        self._renewed = 0.0
        """When the last successful write of ours was begun; the Lease is ours from then on for `lease`
        seconds.
        """

    async def acquire(self) -> None:
        """Return once the Lease is ours."""
        while True:
            begun = self._clock()
            try:
                async with asyncio.timeout(self._settings.deadline):
                    if await self._try_to_take():
                        self._renewed = begun
                        return
            except (ClusterError, TimeoutError) as error:
                _log.warning("cannot read or take the lease", extra=_because(error))
            await asyncio.sleep(self._until_next_look())

    async def keep(self) -> None:
        """Renew for as long as that works; return when the Lease is lost, `deadline` after the last
        success.
        """
        pause = self._settings.renew
        while True:
            lost_at = self._renewed + self._settings.deadline
            begun = self._clock() + pause
            if begun >= lost_at:
                await asyncio.sleep(lost_at - self._clock())
                return
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout_at(lost_at):
                    if not await self._renew():
                        return
            except (ClusterError, TimeoutError) as error:
                _log.warning("cannot renew the lease", extra=_because(error))
                pause = self._settings.retry
                continue
            self._renewed, pause = begun, self._settings.renew

    async def release(self) -> None:
        """Give the Lease back, if it is still ours, so that the next leader need not wait for it to run
        out.
        """
        if self._seen is None or _holder(self._seen) != self._settings.identity:
            return
        free = self._written(self._seen, holder="") | {"leaseDurationSeconds": 1}
        # Best effort, and nobody is left to care: the Lease runs out by itself.
        with contextlib.suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._cluster.replace(LEASES, self._seen | {"spec": free})

    async def _try_to_take(self) -> bool:
        settings = self._settings
        try:
            found = await self._cluster.get(LEASES, settings.name, settings.namespace)
        except NotFound:
            return await self._create()
        self._look(found)
        if _holder(found) not in ("", settings.identity) and self._clock() < self._free_at():
            return False
        return await self._write(found)

    async def _create(self) -> bool:
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._settings.name, "namespace": self._settings.namespace},
            "spec": self._written({}, holder=self._settings.identity),
        }
        try:
            self._look(await self._cluster.create(LEASES, body))
        except AlreadyExists:
            return False
        return True

    async def _renew(self) -> bool:
        """Write without reading first; read only when the write says that the Lease has changed."""
        assert self._seen is not None  # renewed only after it was taken
        if await self._write(self._seen):
            return True
        found = await self._cluster.get(LEASES, self._settings.name, self._settings.namespace)
        self._look(found)
        return _holder(found) == self._settings.identity and await self._write(found)

    async def _write(self, found: Json) -> bool:
        """Make it ours at the resourceVersion that was read; False if somebody was faster."""
        spec = self._written(found, holder=self._settings.identity)
        try:
            self._look(await self._cluster.replace(LEASES, found | {"spec": spec}))
        except Conflict:
            return False
        return True

    def _written(self, found: Json, *, holder: str) -> Json:
        spec: Json = found.get("spec") or {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        written = spec | {
            "holderIdentity": holder,
            "leaseDurationSeconds": round(self._settings.lease),
            "renewTime": now,
        }
        if holder and holder != _holder(found):
            written["acquireTime"] = now
            written["leaseTransitions"] = spec.get("leaseTransitions", 0) + 1 if found else 0
        return written

    def _look(self, found: Json) -> None:
        """Note when the Lease last changed, by our own clock."""
        if self._seen is None or self._seen.get("spec") != found.get("spec"):
            self._seen_since = self._clock()
        self._seen = found

    def _free_at(self) -> float:
        assert self._seen is not None  # asked only after a look
        promised = (self._seen.get("spec") or {}).get("leaseDurationSeconds") or self._settings.lease
        return self._seen_since + float(promised)

    def _until_next_look(self) -> float:
        """Seconds; candidates look at slightly different times, and right when the Lease runs out."""
        pause = self._settings.retry * random.uniform(0.8, 1.0)
        if self._seen is None or self._clock() >= self._free_at():
            return pause
        return min(pause, self._free_at() - self._clock())


def _because(error: Exception) -> Json:
    return {"error": str(error) or "no answer in time"}


def _holder(lease: Json) -> str:
    return (lease.get("spec") or {}).get("holderIdentity") or ""
