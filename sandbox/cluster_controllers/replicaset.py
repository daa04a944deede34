"""ReplicaSets: as many pods as asked for, no more, no fewer.

`decide` is pure; `ReplicaSetController` creates and deletes pods.
Source of the order of deletion: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-down-a-replicaset
"""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbox.cluster_controllers.adoption import adopt
from sandbox.cluster_controllers.objects import (
    available_in,
    condition,
    controller_reference,
    differences,
    is_active,
    is_ready,
    is_terminating,
    key_of,
    owner_reference,
    parse_time,
    selects,
)
from sandbox.cluster_controllers.view import View
from sandbox.cluster_controllers.worker import together
from shared.cluster import Cluster
from shared.errors import NotFound
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import PODS, REPLICASETS
from shared.types.meta import Json

BURST = 50
"""Pods that one pass creates or deletes at most; the next pass goes on."""

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX = 57
_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many pods to create, which to delete, the next status, and when to look again."""

    create: int
    delete: Sequence[Json]
    status: Json
    again: float | None


def decide(replica_set: Json, pods: Sequence[Json], now: datetime) -> Plan:
    """What a ReplicaSet needs, given its pods that are not deleted."""
    active = [pod for pod in pods if is_active(pod)]
    missing = replica_set["spec"]["replicas"] - len(active)
    surplus = sorted(active, key=_worth)[: max(-missing, 0)]
    min_ready = timedelta(seconds=replica_set["spec"].get("minReadySeconds", 0))
    waits = [wait for pod in active if (wait := available_in(pod, min_ready, now)) is not None]
    labels = replica_set["spec"]["template"]["metadata"].get("labels") or {}
    status = {
        "observedGeneration": replica_set["metadata"].get("generation", 0),
        "replicas": len(active),
        "fullyLabeledReplicas": sum(_has_all(pod, labels) for pod in active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(not wait for wait in waits),
    }
    soonest = min((wait for wait in waits if wait), default=None)
    return Plan(
        create=min(max(missing, 0), BURST),
        delete=surplus[:BURST],
        status=status,
        again=None if soonest is None else soonest.total_seconds(),
    )


def _has_all(pod: Json, labels: dict[str, str]) -> bool:
    return labels.items() <= (pod["metadata"].get("labels") or {}).items()


def _worth(pod: Json) -> tuple[float, ...]:
    """The smaller, the sooner a pod is deleted: what serves least, or has served for the shortest time."""
    status = pod.get("status") or {}
    ready = condition(pod, "Ready")
    ready_since = ready.get("lastTransitionTime") if ready and ready["status"] == "True" else None
    cost = (pod["metadata"].get("annotations") or {}).get(_COST, "0")
    restarts = [each.get("restartCount", 0) for each in status.get("containerStatuses") or ()]
    return (
        bool(pod["spec"].get("nodeName")),
        ("Pending", "Unknown", "Running").index(status.get("phase") or "Pending"),
        is_ready(pod),
        int(cost) if cost.removeprefix("-").isdecimal() else 0,
        -parse_time(ready_since).timestamp() if ready_since else 0.0,
        -max(restarts, default=0),
        -parse_time(pod["metadata"]["creationTimestamp"]).timestamp(),
    )


def new_pod(replica_set: Json, suffix: str) -> Json:
    """A pod from the ReplicaSet's template."""
    template = copy.deepcopy(replica_set["spec"]["template"])
    prefix = f"{replica_set['metadata']['name'][:_LONGEST_PREFIX]}-"
    given = template.get("metadata") or {}
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            "name": prefix + suffix,
            "generateName": prefix,
            "namespace": replica_set["metadata"]["namespace"],
            **{name: given[name] for name in ("labels", "annotations", "finalizers") if given.get(name)},
            "ownerReferences": [owner_reference(REPLICASETS, replica_set)],
        },
        "spec": template["spec"],
    }


class ReplicaSetController:
    """Carries the plans out."""

    def __init__(self, cluster: Cluster, sets: View, pods: View) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._sets = sets
        self._pods = pods
        sets.add_listener(self._on_replica_set)
        pods.add_listener(self._on_pod)

    def _on_replica_set(self, old: Json | None, new: Json | None) -> None:
        self.queue.add(key_of(new or old or {}))

    def _on_pod(self, old: Json | None, new: Json | None) -> None:
        pod = new or old or {}
        namespace, reference = pod["metadata"]["namespace"], controller_reference(pod)
        if reference is not None and reference["kind"] == REPLICASETS.kind:
            self.queue.add((namespace, reference["name"]))
        elif reference is None and new is not None:
            labels = pod["metadata"].get("labels") or {}
            for each in self._sets.in_namespace(namespace):
                if selects(each["spec"]["selector"], labels):
                    self.queue.add(key_of(each))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over a ReplicaSet."""
        replica_set = self._sets.get(key)
        if replica_set is None or is_terminating(replica_set):
            return None
        await adopt(self._cluster, (REPLICASETS, replica_set), (PODS, self._pods))
        plan = decide(replica_set, self._pods.live(replica_set["metadata"]["uid"]), datetime.now(UTC))
        namespace, name = key
        suffixes = ("".join(random.choices(_SUFFIX, k=5)) for _ in range(plan.create))
        await together(
            *(self._create(new_pod(replica_set, suffix)) for suffix in suffixes),
            *(self._delete(pod) for pod in plan.delete),
        )
        if plan.create or plan.delete:
            self.queue.add(key)
        changed = differences(replica_set.get("status") or {}, plan.status)
        if changed:
            patch = {"status": changed}
            answer = await self._cluster.patch(REPLICASETS, name, namespace, patch, subresource="status")
            self._sets.wrote(answer)
        return plan.again

    async def _create(self, pod: Json) -> None:
        self._pods.wrote(await self._cluster.create(PODS, pod))

    async def _delete(self, pod: Json) -> None:
        namespace, name = key_of(pod)
        try:
            await self._cluster.delete(PODS, name, namespace, uid=pod["metadata"]["uid"])
        except NotFound:
            return  # somebody was faster
        self._pods.doom(pod)
