"""The Deployment and EndpointSlice controllers without pods: they write what those would, as pods become
ready.

    Deployment changed ─► status: observed, not yet ready ─► `startup` passes ─► EndpointSlices ─►
    status: ready

A test says which versions never become ready (`hold`), and a version that is running and is held crashes.
Pods of the old template go on serving until those of the new one are ready, as in a rolling update.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from shared.cluster import Cluster
from shared.errors import NotFound
from shared.names import CANARY_LABEL
from shared.resources import DEPLOYMENTS, ENDPOINTSLICES, REPLICASETS, SERVICES
from shared.types.meta import Json
from tests.integration.controller.feed import Change, Feed
from tests.integration.controller.objects import image

COUNT = "deployment.kubernetes.io/revision"


@dataclass
class Live:
    """The ready pods of a Deployment: of one template, as in no real cluster, but enough here."""

    template: Json | None = None
    count: int = 0


@dataclass(frozen=True)
class Roll:
    """Pods of a Deployment that were there were replaced by pods of another template."""

    at: float
    deployment: str
    governed: bool
    """Whether the Deployment was labelled as governed before its template changed."""


@dataclass
class Pods:
    """`startup` is in seconds."""

    cluster: Cluster
    feed: Feed
    namespace: str
    startup: float = 0.02
    held: set[tuple[str, str]] = field(default_factory=set)
    live: dict[str, Live] = field(default_factory=dict)
    templates: dict[str, list[Json]] = field(default_factory=dict)
    sets: dict[str, tuple[Json | None, int]] = field(default_factory=dict)
    """Template and ready pods of each Deployment's ReplicaSet, as they were written."""
    rolls: list[Roll] = field(default_factory=list)
    late: set[str] = field(default_factory=set)
    """Deployments that exceeded their own progress deadline."""

    def __post_init__(self) -> None:
        self._dirty = asyncio.Event()
        self.feed.listeners.append(self._on_change)

    def hold(self, deployment: str, version: str) -> None:
        """Pods of this version do not become ready; those that were crash."""
        self.held.add((deployment, image(version)))
        self._dirty.set()

    def release(self, deployment: str, version: str) -> None:
        """They become ready after all."""
        self.held.discard((deployment, image(version)))
        self._dirty.set()

    def exceed_deadline(self, deployment: str) -> None:
        """The Deployment says that it made no progress in time, until it has another template."""
        self.late.add(deployment)
        self._dirty.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            for name in self._names(DEPLOYMENTS.plural):
                with contextlib.suppress(NotFound):  # deleted meanwhile: the watch says so next
                    if (deployment := self.feed.get(DEPLOYMENTS, name)) is not None:
                        await self._settle(name, deployment)
            for name in [name for name in self.live if name not in self._names(DEPLOYMENTS.plural)]:
                del self.live[name]
            await self._slices()

    def _on_change(self, change: Change) -> None:
        if change.ref[0] in (DEPLOYMENTS.plural, SERVICES.plural):
            self._dirty.set()

    def _names(self, plural: str) -> list[str]:
        return [name for kind, name in self.feed.state if kind == plural]

    async def _settle(self, name: str, seen: Json) -> None:
        """One Deployment: tell that it was seen; when pods can start, tell that they did."""
        await self._count_template(seen)
        there, wanted = self.live.get(name, Live()), self._wanted(seen)
        if wanted.count > there.count or (wanted.count and wanted.template != there.template):
            await self._write_status(seen)
            await asyncio.sleep(self.startup)
        latest = self.feed.get(DEPLOYMENTS, name)
        if latest is None:
            return
        await self._count_template(latest)
        before, self.live[name] = self.live.get(name, Live()), self._wanted(latest)
        if before.count and self.live[name].count and before.template != self.live[name].template:
            self.rolls.append(Roll(asyncio.get_running_loop().time(), name, self._was_governed(latest)))
        await self._write_replicaset(latest)
        await self._slices()
        await self._write_status(latest)

    def _was_governed(self, deployment: Json) -> bool:
        """Whether the version before the present template had the label."""
        template = deployment["spec"]["template"]
        ref = (DEPLOYMENTS.plural, deployment["metadata"]["name"])
        older = [
            change.obj
            for change in self.feed.changes
            if change.ref == ref and change.obj is not None and change.obj["spec"]["template"] != template
        ]
        return bool(older) and CANARY_LABEL in (older[-1]["metadata"].get("labels") or {})

    def _wanted(self, deployment: Json) -> Live:
        spec, name = deployment["spec"], deployment["metadata"]["name"]
        replicas, template = spec["replicas"], spec["template"]
        there = self.live.get(name, Live())
        if spec.get("paused") and there.template is not None:
            return Live(there.template, min(there.count, replicas))
        if replicas == 0:
            return Live(template, 0)
        if (name, template["spec"]["containers"][0]["image"]) not in self.held:
            return Live(template, replicas)
        if there.template == template:
            return Live(template, 0)
        return Live(there.template, min(there.count, replicas))

    async def _count_template(self, deployment: Json) -> None:
        name, template = deployment["metadata"]["name"], deployment["spec"]["template"]
        known = self.templates.setdefault(deployment["metadata"]["uid"], [])
        if template in known:
            return
        known.append(template)
        self.late.discard(name)
        if (deployment["metadata"].get("annotations") or {}).get(COUNT) != str(len(known)):
            body = {"metadata": {"annotations": {COUNT: str(len(known))}}}
            await self.cluster.patch(DEPLOYMENTS, name, self.namespace, body)

    async def _write_status(self, deployment: Json) -> None:
        metadata, spec = deployment["metadata"], deployment["spec"]
        live, replicas = self.live.get(metadata["name"], Live()), spec["replicas"]
        new = live.template == spec["template"]
        reason = "ProgressDeadlineExceeded" if metadata["name"] in self.late else "ReplicaSetUpdated"
        late = reason == "ProgressDeadlineExceeded"
        status = {
            "observedGeneration": metadata["generation"],
            "replicas": replicas if new else replicas + live.count,
            "updatedReplicas": replicas,
            "readyReplicas": live.count,
            "availableReplicas": live.count,
            "unavailableReplicas": replicas - live.count if new else replicas,
            "conditions": [{"type": "Progressing", "status": str(not late), "reason": reason}],
        }
        if deployment.get("status") != status:
            await self.cluster.patch(
                DEPLOYMENTS, metadata["name"], self.namespace, {"status": status}, subresource="status"
            )

    async def _write_replicaset(self, deployment: Json) -> None:
        """One for a Deployment, whose template changes with the pods."""
        metadata, labels = deployment["metadata"], deployment["spec"]["template"]["metadata"]["labels"]
        live = self.live[metadata["name"]]
        key, name = metadata["uid"], f"{metadata['name']}-{metadata['uid'][:8]}"
        if live.template is None or self.sets.get(key) == (live.template, live.count):
            return
        template = {
            **live.template,
            "metadata": {**live.template["metadata"], "labels": {**labels, "pod-template-hash": "x"}},
        }
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": key}
        if key not in self.sets:
            body = {
                "apiVersion": REPLICASETS.api_version,
                "kind": REPLICASETS.kind,
                "metadata": {
                    "name": name,
                    "namespace": self.namespace,
                    "ownerReferences": [{**owner, "controller": True}],
                },
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            }
            await self.cluster.create(REPLICASETS, body)
        else:
            spec = {"spec": {"template": template}}
            await self.cluster.patch(REPLICASETS, name, self.namespace, spec)
        status = {"status": {"replicas": live.count, "readyReplicas": live.count}}
        await self.cluster.patch(REPLICASETS, name, self.namespace, status, subresource="status")
        self.sets[key] = (live.template, live.count)

    async def _slices(self) -> None:
        for name in self._names(SERVICES.plural):
            if (service := self.feed.get(SERVICES, name)) is None:
                continue
            selector = service["spec"].get("selector") or {}
            ready = sum(self._ready(deployment, selector) for deployment in self._names(DEPLOYMENTS.plural))
            await self._write_slice(name, ready)

    def _ready(self, deployment: str, selector: Json) -> int:
        labels = self.feed.state[DEPLOYMENTS.plural, deployment]["spec"]["template"]["metadata"]["labels"]
        if not selector or not selector.items() <= labels.items():
            return 0
        return self.live.get(deployment, Live()).count

    async def _write_slice(self, service: str, ready: int) -> None:
        name = f"{service}-slice"
        endpoints = [
            {"addresses": [f"10.9.{number // 250}.{number % 250 + 1}"], "conditions": {"ready": True}}
            for number in range(ready)
        ]
        there = self.feed.get(ENDPOINTSLICES, name)
        if there is None:
            metadata = {
                "name": name,
                "namespace": self.namespace,
                "labels": {"kubernetes.io/service-name": service},
            }
            body = {
                "apiVersion": ENDPOINTSLICES.api_version,
                "kind": ENDPOINTSLICES.kind,
                "metadata": metadata,
                "addressType": "IPv4",
                "endpoints": endpoints,
            }
            await self.cluster.create(ENDPOINTSLICES, body)
            await self.feed.until(lambda: self.feed.get(ENDPOINTSLICES, name))
        elif len(there.get("endpoints") or []) != ready:
            await self.cluster.patch(ENDPOINTSLICES, name, self.namespace, {"endpoints": endpoints})
