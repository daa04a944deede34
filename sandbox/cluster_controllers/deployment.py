"""Deployments: one ReplicaSet for each revision, rolled from one to the next.

`decide` is pure; `DeploymentController` carries its plan out. The arithmetic is in `rollout`, revisions in
`revisions`, the status in `deployment_status`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.cluster_controllers import revisions, rollout
from sandbox.cluster_controllers.adoption import adopt
from sandbox.cluster_controllers.deployment_status import Rollout, is_complete, status, time_left
from sandbox.cluster_controllers.objects import controller_reference, differences, is_terminating, key_of
from sandbox.cluster_controllers.view import View
from shared.cluster import Cluster
from shared.errors import NotFound
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import DEPLOYMENTS, REPLICASETS
from shared.types.meta import Json


@dataclass(frozen=True, slots=True)
class Observed:
    """A Deployment, the ReplicaSets that it controls, and how many pods of theirs still run for another

    template."""

    deployment: Json
    sets: Sequence[Json]
    old_pods: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write. `patches` are merge patches by the name of the ReplicaSet; empty ones are left out."""

    revision: int
    status: Json
    create: Json | None = None
    patches: dict[str, Json] = field(default_factory=dict)
    delete: Sequence[Json] = ()
    again: float | None = None
    """Seconds until the progress deadline has to be looked at."""


def decide(seen: Observed) -> Plan:
    """The next step of a Deployment."""
    deployment = seen.deployment
    bounds = rollout.limits(deployment["spec"])
    new = revisions.find_new(deployment, seen.sets)
    old = [each for each in seen.sets if each is not new]
    groups = {each["metadata"]["name"]: _group(each) for each in seen.sets}
    paused = bool(deployment["spec"].get("paused"))
    revision = max(revisions.next_revision(old), revisions.revision_of(new) if new else 0)
    create = None
    sizes: rollout.Sizes = {}
    if paused or _was_scaled(bounds, seen.sets):
        newest = new or max(old, key=revisions.revision_of, default=None)
        sizes = rollout.rescale(bounds, list(groups.values()), newest["metadata"]["name"] if newest else "")
    if new is None and not paused and not sizes:
        size = _first_size(seen, bounds, groups)
        create = revisions.new_replica_set(deployment, size, revision, bounds)
    elif new is not None and not paused and not sizes:
        mine = groups.pop(new["metadata"]["name"])
        others = list(groups.values())
        if _recreates(deployment):
            sizes = rollout.recreate(bounds, mine, others, old_pods=seen.old_pods)
        else:
            sizes = rollout.roll(bounds, mine, others)
    created = create["metadata"]["name"] if create else ""
    told = status(Rollout(deployment, new, old, seen.now, created))
    left = None if paused else time_left({**deployment, "status": told}, seen.now)
    done = new is not None and is_complete(deployment, told)
    return Plan(
        revision=revision if new is not None or create is not None else revisions.revision_of(deployment),
        status=told,
        create=create,
        patches=_patches(seen, new, revision, sizes),
        delete=revisions.expired(deployment, old) if done else (),
        again=None if left is None else max(left.total_seconds(), 0) + 1,
    )


def _recreates(deployment: Json) -> bool:
    strategy = deployment["spec"].get("strategy") or {}
    return bool(strategy.get("type") == "Recreate")


def _first_size(seen: Observed, bounds: rollout.Limits, groups: dict[str, rollout.Group]) -> int:
    others = sum(each.size for each in groups.values())
    if _recreates(seen.deployment):
        return 0 if others or seen.old_pods else bounds.desired
    return rollout.grow(bounds, 0, others)


def _group(replica_set: Json) -> rollout.Group:
    metadata = replica_set["metadata"]
    before = (metadata.get("annotations") or {}).get(revisions.MOST, "")
    size = replica_set["spec"]["replicas"]
    return rollout.Group(
        name=metadata["name"],
        size=size,
        available=(replica_set.get("status") or {}).get("availableReplicas", 0),
        created=metadata["creationTimestamp"],
        before=int(before) if before.isdecimal() else size,
    )


def _was_scaled(bounds: rollout.Limits, sets: Sequence[Json]) -> bool:
    """Whether the Deployment's size is another than the one its pods were last spread for."""
    active = [each for each in sets if each["spec"]["replicas"]]
    remembered = ((each["metadata"].get("annotations") or {}).get(revisions.DESIRED) for each in active)
    return any(each not in (None, str(bounds.desired)) for each in remembered)


def _patches(seen: Observed, new: Json | None, revision: int, sizes: rollout.Sizes) -> dict[str, Json]:
    bounds = rollout.limits(seen.deployment["spec"])
    patches: dict[str, Json] = {}
    for each in seen.sets:
        name, size = each["metadata"]["name"], sizes.get(each["metadata"]["name"])
        wanted: dict[str, str] = {}
        spec: Json = {}
        if each is new:
            wanted = revisions.annotations(seen.deployment, revision, bounds)
            min_ready = seen.deployment["spec"].get("minReadySeconds", 0)
            if each["spec"].get("minReadySeconds", 0) != min_ready:
                spec["minReadySeconds"] = min_ready
        elif size is not None or each["spec"]["replicas"]:
            wanted = revisions.size_annotations(bounds)
        if size is not None:
            spec["replicas"] = size
        has = each["metadata"].get("annotations") or {}
        changed = {key: value for key, value in wanted.items() if has.get(key) != value}
        patch: Json = ({"spec": spec} if spec else {}) | (
            {"metadata": {"annotations": changed}} if changed else {}
        )
        if patch:
            patches[name] = patch
    return patches


class DeploymentController:
    """Carries the plans out."""

    def __init__(self, cluster: Cluster, deployments: View, sets: View, pods: View) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._deployments = deployments
        self._sets = sets
        self._pods = pods
        deployments.add_listener(self._on_deployment)
        sets.add_listener(self._on_replica_set)
        pods.add_listener(self._on_pod)

    def _on_deployment(self, old: Json | None, new: Json | None) -> None:
        self.queue.add(key_of(new or old or {}))

    def _on_replica_set(self, old: Json | None, new: Json | None) -> None:
        self._wake_owner(new or old or {})

    def _on_pod(self, old: Json | None, new: Json | None) -> None:
        """Only the end of a pod matters here, and only to Recreate: everything else shows in a ReplicaSet's

        status."""
        reference = controller_reference(old) if old and new is None else None
        owner = (
            self._sets.get((old["metadata"]["namespace"], reference["name"])) if old and reference else None
        )
        if owner is not None:
            self._wake_owner(owner)

    def _wake_owner(self, replica_set: Json) -> None:
        namespace = replica_set["metadata"]["namespace"]
        reference = controller_reference(replica_set)
        if reference is not None and reference["kind"] == DEPLOYMENTS.kind:
            self.queue.add((namespace, reference["name"]))
        elif reference is None:
            for deployment in self._deployments.in_namespace(namespace):
                self.queue.add(key_of(deployment))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over a Deployment."""
        deployment = self._deployments.get(key)
        if deployment is None or is_terminating(deployment):
            return None
        await adopt(self._cluster, (DEPLOYMENTS, deployment), (REPLICASETS, self._sets))
        sets = self._sets.live(deployment["metadata"]["uid"])
        new = revisions.find_new(deployment, sets)
        old_pods = sum(len(self._pods.owned_by(each["metadata"]["uid"])) for each in sets if each is not new)
        plan = decide(Observed(deployment, sets, old_pods, datetime.now(UTC)))
        await self._carry_out(deployment, plan)
        return plan.again

    async def _carry_out(self, deployment: Json, plan: Plan) -> None:
        namespace, name = key_of(deployment)
        if plan.create is not None:
            self._sets.wrote(await self._cluster.create(REPLICASETS, plan.create))
            self.queue.add((namespace, name))
        for replica_set, patch in plan.patches.items():
            self._sets.wrote(await self._cluster.patch(REPLICASETS, replica_set, namespace, patch))
        change: Json = {}
        if plan.revision != revisions.revision_of(deployment):
            # It goes with the status: written any other way it would count as a new generation.
            change["metadata"] = {"annotations": {revisions.REVISION: str(plan.revision)}}
        if changed := differences(deployment.get("status") or {}, plan.status):
            change["status"] = changed
        if change:
            self._deployments.wrote(
                await self._cluster.patch(DEPLOYMENTS, name, namespace, change, subresource="status")
            )
        for surplus in plan.delete:
            await self._delete(surplus)

    async def _delete(self, replica_set: Json) -> None:
        namespace, name = key_of(replica_set)
        try:
            await self._cluster.delete(REPLICASETS, name, namespace, uid=replica_set["metadata"]["uid"])
        except NotFound:
            return  # somebody was faster
        self._sets.doom(replica_set)
