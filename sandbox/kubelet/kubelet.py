"""The node's agent: which pods are to run here, and that they do.

Started by the sandbox's daemon and by tests. It runs what is bound to its node, and ends every process it
started, and no other, when it is stopped.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from sandbox.kubelet import images
from sandbox.kubelet.addresses import Addresses
from sandbox.kubelet.container import Surroundings
from sandbox.kubelet.environment import Sources
from sandbox.kubelet.pod import PodRunner
from sandbox.kubelet.process import Processes
from sandbox.kubelet.scheduler import Scheduler
from sandbox.kubelet.status import HOST_IP, timestamp
from shared.cluster import Cluster
from shared.errors import AlreadyExists, NotFound
from shared.informer import Informer, Key
from shared.resources import CONFIGMAPS, NODES, PODS, SECRETS, Resource
from shared.types.meta import Json

_FINAL_PHASES = ("Succeeded", "Failed")
_PROJECT = str(Path(__file__).parents[2])

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KubeletSettings:
    """How one kubelet runs."""

    state_dir: Path
    """Logs and volumes go below `pods/<uid>/` here; a container's log is `pods/<uid>/<container>.log`."""
    node: str = "sandbox"
    network: str = "127.10.0.0/16"
    """Where pod addresses come from; part of 127.0.0.0/8."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of every container, for example the proxy's; a PATH in it replaces the default one."""
    kubeconfig: Callable[[str, str], Path] | None = None
    """The kubeconfig file of a (namespace, service account), for the variable KUBECONFIG."""
    recipes: Mapping[str, images.Recipe] = field(default_factory=lambda: images.RECIPES)
    first_backoff: float = 10.0
    """Seconds before the second restart of a container that crashes; doubled with each further one."""
    stop_seconds: float = 2.0
    """How long processes may take to end when the kubelet stops; then they are killed."""


class Kubelet:
    """Runs the pods of one node. `run` it as a task; `stop` ends it and every process it started."""

    def __init__(
        self, cluster: Cluster, settings: KubeletSettings, *, scheduling: Cluster | None = None
    ) -> None:
        """`scheduling` is the scheduler's own connection, where it is another user's."""
        self.synced = asyncio.Event()
        """Set once the node is registered and its pods are known."""
        self._cluster = cluster
        self._settings = settings
        self._addresses = Addresses(settings.network)
        self._processes = Processes()
        self._scheduler = Scheduler(scheduling or cluster, settings.node)
        self._informer: Informer[Json] = Informer(cluster, PODS, lambda pod: pod)
        self._informer.add_listener(self._on_pod)
        self._runners: dict[str, PodRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Run pods until `stop` is called or the task is cancelled; either way no process is left."""
        try:
            # force_close: a kept connection would be answered by a process that no longer listens for others.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))
            await self._register()
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(each.run()) for each in (self._informer, self._scheduler)]
                await self._informer.synced.wait()
                self.synced.set()
                await self._stopping.wait()
                for task in background:
                    task.cancel()
        finally:
            await self._end_everything()
            self._stopped.set()

    async def stop(self) -> None:
        """End all pods' processes; returns when none is left. Their objects stay as they are."""
        self._stopping.set()
        await self._stopped.wait()

    async def _end_everything(self) -> None:
        # Cancelled first: a runner that still lived would take the end of its processes for a crash and say
        # so.
        for task in self._tasks:
            task.cancel()
        await self._processes.stop_all(self._settings.stop_seconds)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _on_pod(self, _key: Key, old: Json | None, new: Json | None) -> None:
        if old is not None and (new is None or new["metadata"]["uid"] != old["metadata"]["uid"]):
            runner = self._runners.get(old["metadata"]["uid"])
            if runner is not None:
                runner.update(None)
        if new is None:
            return
        runner = self._runners.get(new["metadata"]["uid"])
        if runner is not None:
            runner.update(new)
        elif not new["spec"].get("nodeName"):
            self._scheduler.consider(new)
        elif new["spec"]["nodeName"] == self._settings.node and self._concerns_us(new):
            self._begin(new)

    def _concerns_us(self, pod: Json) -> bool:
        """A pod that has finished needs nobody, but for its removal."""
        finished = (pod.get("status") or {}).get("phase") in _FINAL_PHASES
        return bool(pod["metadata"].get("deletionTimestamp")) or not finished

    def _begin(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        changed = asyncio.Event()
        around = self._surroundings(pod, changed)
        runner = self._runners[uid] = PodRunner(self._cluster, around, changed)
        task = asyncio.create_task(runner.run(), name=f"pod {pod['metadata']['name']}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._on_end(uid, done))

    def _on_end(self, uid: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        del self._runners[uid]
        if not task.cancelled() and task.exception() is not None:
            _log.error("pod runner failed", exc_info=task.exception(), extra={"pod": task.get_name()})

    def _surroundings(self, pod: Json, changed: asyncio.Event) -> Surroundings:
        assert self._session is not None, "pods are begun by run() alone"
        ip = self._addresses.take({runner.ip for runner in self._runners.values()})
        directory = self._settings.state_dir / "pods" / pod["metadata"]["uid"]
        directory.mkdir(parents=True, exist_ok=True)

        async def sources() -> Sources:
            namespace, spec = pod["metadata"]["namespace"], pod["spec"]
            config_maps = await self._fetch(CONFIGMAPS, namespace, _names(spec, "configMap"))
            secrets = await self._fetch(SECRETS, namespace, _names(spec, "secret"))
            return Sources(pod, ip, config_maps, secrets)

        return Surroundings(
            pod=pod,
            ip=ip,
            directory=directory,
            given=self._given(pod, ip, directory),
            recipes=self._settings.recipes,
            processes=self._processes,
            session=self._session,
            sources=sources,
            changed=changed.set,
            first_backoff=self._settings.first_backoff,
        )

    def _given(self, pod: Json, ip: str, directory: Path) -> dict[str, str]:
        """The variables that every container has before its own."""
        metadata = pod["metadata"]
        given = {
            "PATH": images.search_path(),
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PYTHONPATH": _PROJECT,
            "PYTHONUNBUFFERED": "1",
            "HOSTNAME": metadata["name"],
            "POD_IP": ip,
        }
        if self._settings.kubeconfig is not None:
            account = pod["spec"].get("serviceAccountName") or "default"
            given["KUBECONFIG"] = str(self._settings.kubeconfig(metadata["namespace"], account))
        return given | dict(self._settings.environment)

    async def _fetch(self, resource: Resource, namespace: str, names: set[str]) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for name in sorted(names):
            try:
                found[name] = await self._cluster.get(resource, name, namespace)
            except NotFound:
                continue  # whether it may be missing is for the one who asks for it to say
        return found

    async def _register(self) -> None:
        """Make the node known, and ready."""
        name, now = self._settings.node, timestamp(datetime.now(UTC))
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": sys.platform}
        node = {"apiVersion": "v1", "kind": NODES.kind, "metadata": {"name": name, "labels": labels}}
        try:
            await self._cluster.create(NODES, node)
        except AlreadyExists:
            _log.debug("the node is known already", extra={"node": name})
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "pods run as local processes",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        addresses = [{"type": "InternalIP", "address": HOST_IP}, {"type": "Hostname", "address": name}]
        status = {"conditions": [ready], "addresses": addresses}
        await self._cluster.patch(NODES, name, None, {"status": status}, subresource="status")


def _names(spec: Json, kind: str) -> set[str]:
    """The ConfigMaps or Secrets that a pod's containers and volumes refer to."""
    found: set[str] = set()
    key = "name" if kind == "configMap" else "secretName"
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        found |= {
            each[f"{kind}Ref"]["name"] for each in container.get("envFrom") or () if f"{kind}Ref" in each
        }
        sources = (each.get("valueFrom") or {} for each in container.get("env") or ())
        found |= {each[f"{kind}KeyRef"]["name"] for each in sources if f"{kind}KeyRef" in each}
    for volume in spec.get("volumes") or ():
        if kind in volume:
            found.add(volume[kind][key])
        for each in (volume.get("projected") or {}).get("sources") or ():
            if kind in each:
                found.add(each[kind]["name"])
    return found
