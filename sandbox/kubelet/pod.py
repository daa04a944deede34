"""One pod from its binding to its end: containers started, status published, processes ended, object deleted.

Run as a task by `kubelet`.

    volumes ─► init containers in order ─► containers side by side ─► deletion ─► stop ─► DELETE, grace 0
                         every change ─► publish ─► PATCH pods/status
"""

import asyncio
import logging
from datetime import UTC, datetime

from sandbox.kubelet import volumes
from sandbox.kubelet.container import ContainerRunner, Surroundings
from sandbox.kubelet.environment import ConfigInvalid
from sandbox.kubelet.status import PodFacts, pod_status, timestamp
from shared.cluster import Cluster
from shared.errors import ClusterError, Conflict, NotFound
from shared.resources import PODS
from shared.types.meta import Json

_RETRY_SECONDS = 0.5
_VOLUME_RETRY_SECONDS = 2.0

_log = logging.getLogger(__name__)


class PodRunner:
    """Runs one pod."""

    def __init__(self, cluster: Cluster, around: Surroundings, changed: asyncio.Event) -> None:
        self._cluster = cluster
        self._around = around
        self._pod = around.pod
        self._changed = changed
        self._deleted = asyncio.Event()
        self._gone = asyncio.Event()
        self._began = timestamp(datetime.now(UTC))
        spec = around.pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        self._init = [
            ContainerRunner(each, around, restart="Never" if policy == "Never" else "OnFailure")
            for each in spec.get("initContainers") or ()
        ]
        self._containers = [ContainerRunner(each, around, restart=policy) for each in spec["containers"]]

    @property
    def ip(self) -> str:
        """The pod's address."""
        return self._around.ip

    def update(self, pod: Json | None) -> None:
        """The pod's object has changed, or is gone."""
        if pod is None:
            self._gone.set()
            self._deleted.set()
            return
        self._pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()

    async def run(self) -> None:
        """Run the pod until its object is deleted and its processes have ended."""
        self.update(self._pod)
        publishing = asyncio.create_task(self._publish())
        running = asyncio.create_task(self._run_containers())
        try:
            await self._deleted.wait()
            await self._stop(running)
        finally:
            for task in (running, publishing):
                task.cancel()
            await asyncio.wait({running, publishing})
        await self._delete()

    async def _run_containers(self) -> None:
        if self._deleted.is_set():
            return  # deleted before it was ever started here
        try:
            await self._write_volumes()
            await self._run_in_order()
        except Exception:  # noqa: BLE001 - one bad pod must not end the kubelet, nor be forgotten in silence
            _log.exception("pod cannot be run", extra={"pod": self._pod["metadata"]["name"]})

    async def _run_in_order(self) -> None:
        for runner in self._init:
            await runner.run()
            if runner.state.state["terminated"]["exitCode"]:
                return
        async with asyncio.TaskGroup() as group:
            for runner in self._containers:
                group.create_task(runner.run())

    async def _write_volumes(self) -> None:
        while True:
            try:
                sources = await self._around.sources()
                volumes.write(self._around.directory / "volumes", self._pod, sources)
            except ConfigInvalid as error:
                for runner in self._containers:
                    message = f"volumes cannot be mounted: {error}"
                    runner.state.state = {"waiting": {"reason": "ContainerCreating", "message": message}}
                self._changed.set()
                await asyncio.sleep(_VOLUME_RETRY_SECONDS)
            else:
                return

    async def _stop(self, running: asyncio.Task[None]) -> None:
        """End all containers, restarting none."""
        default = self._pod["spec"].get("terminationGracePeriodSeconds", 30)
        grace = self._pod["metadata"].get("deletionGracePeriodSeconds", default)
        if self._gone.is_set():
            grace = 0  # deleted by force: nobody waits for a graceful end
        stopping = asyncio.create_task(self._stop_containers(grace))
        gone = asyncio.create_task(self._await_gone())
        await asyncio.wait({stopping, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, gone, running):
            task.cancel()
        await asyncio.wait({stopping, gone, running})
        await self._stop_containers(0)  # what began just before, or did not end in time for a forced deletion

    async def _stop_containers(self, grace: float) -> None:
        await asyncio.gather(*(each.stop(grace) for each in (*self._init, *self._containers)))

    async def _await_gone(self) -> None:
        await self._gone.wait()

    async def _publish(self) -> None:
        """Patch the status at each change; changes that come together are one patch."""
        last: Json = {}
        while True:
            self._changed.clear()
            status = self._status()
            if status != last:
                if await self._patch(status):
                    last = status
                else:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
            await self._changed.wait()

    def _status(self) -> Json:
        return pod_status(
            PodFacts(
                pod=self._pod,
                ip=self._around.ip,
                began=self._began,
                init=[each.state for each in self._init],
                containers=[each.state for each in self._containers],
                now=datetime.now(UTC),
            )
        )

    async def _patch(self, status: Json) -> bool:
        metadata = self._pod["metadata"]
        body = {"metadata": {"uid": metadata["uid"]}, "status": status}
        try:
            self._pod = await self._cluster.patch(
                PODS, metadata["name"], metadata["namespace"], body, subresource="status"
            )
        except (NotFound, Conflict):
            return True  # the object is gone, or is another's now: nobody reads this status
        except ClusterError as error:
            _log.warning("pod status cannot be written", extra={"pod": metadata["name"], "error": str(error)})
            return False
        return True

    async def _delete(self) -> None:
        """The last word: the processes have ended, the object may go."""
        metadata = self._pod["metadata"]
        while not self._gone.is_set():
            try:
                await self._cluster.delete(
                    PODS, metadata["name"], metadata["namespace"], uid=metadata["uid"], grace=0
                )
            except (NotFound, Conflict):
                return
            except ClusterError as error:
                _log.warning("pod cannot be removed", extra={"pod": metadata["name"], "error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return
