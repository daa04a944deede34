"""HorizontalPodAutoscalers, as far as their bounds: a Deployment stays between minReplicas and maxReplicas.

There are no resource metrics here, so nothing is scaled on load. A target at zero replicas is left alone, as
by the real autoscaler: that is how a rollout takes a canary out of service.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.cluster_controllers.objects import condition, differences, key_of, timestamp
from sandbox.cluster_controllers.view import View
from shared.cluster import Cluster
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import DEPLOYMENTS, HPAS
from shared.types.meta import Json


@dataclass(frozen=True, slots=True)
class Plan:
    """The target's next size, None to leave it, and the autoscaler's next status."""

    replicas: int | None
    status: Json


def decide(autoscaler: Json, target: Json | None, now: datetime) -> Plan:
    """What an autoscaler does with its target."""
    spec, reference = autoscaler["spec"], autoscaler["spec"]["scaleTargetRef"]
    if target is None:
        message = f'unable to get the target\'s current scale: "{reference["name"]}" not found'
        verdicts = [("AbleToScale", "False", "FailedGetScale", message)]
        return Plan(None, {"conditions": _conditions(autoscaler, verdicts, now)})
    size = target["spec"].get("replicas", 1)
    bounded = min(max(size, spec.get("minReplicas", 1)), spec["maxReplicas"]) if size else 0
    verdicts = [
        ("AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's scale")
    ]
    if size:
        verdicts.append(
            (
                "ScalingActive",
                "False",
                "FailedGetResourceMetric",
                "no metrics are served here; only the bounds apply",
            )
        )
    else:
        verdicts.append(
            (
                "ScalingActive",
                "False",
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
            )
        )
    status = {
        "observedGeneration": autoscaler["metadata"].get("generation", 0),
        "currentReplicas": (target.get("status") or {}).get("replicas", 0),
        "desiredReplicas": bounded,
        "conditions": _conditions(autoscaler, verdicts, now),
    }
    return Plan(bounded if bounded != size else None, status)


def _conditions(autoscaler: Json, verdicts: list[tuple[str, str, str, str]], now: datetime) -> list[Json]:
    conditions: list[Json] = []
    for kind, value, reason, message in verdicts:
        present = condition(autoscaler, kind)
        since = present["lastTransitionTime"] if present and present["status"] == value else timestamp(now)
        conditions.append(
            {"type": kind, "status": value, "reason": reason, "message": message, "lastTransitionTime": since}
        )
    return conditions


class AutoscalerController:
    """Carries the plans out."""

    def __init__(self, cluster: Cluster, autoscalers: View, deployments: View) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._autoscalers = autoscalers
        self._deployments = deployments
        autoscalers.add_listener(self._on_autoscaler)
        deployments.add_listener(self._on_deployment)

    def _on_autoscaler(self, old: Json | None, new: Json | None) -> None:
        self.queue.add(key_of(new or old or {}))

    def _on_deployment(self, old: Json | None, new: Json | None) -> None:
        namespace, name = key_of(new or old or {})
        for each in self._autoscalers.in_namespace(namespace):
            if each["spec"]["scaleTargetRef"]["name"] == name:
                self.queue.add(key_of(each))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over an autoscaler."""
        autoscaler = self._autoscalers.get(key)
        if autoscaler is None or self._autoscalers.is_doomed(autoscaler):
            return None
        reference = autoscaler["spec"]["scaleTargetRef"]
        target = (
            self._deployments.get((key[0], reference["name"]))
            if reference["kind"] == DEPLOYMENTS.kind
            else None
        )
        plan = decide(autoscaler, target, datetime.now(UTC))
        if plan.replicas is not None:
            scale = {"spec": {"replicas": plan.replicas}}
            await self._cluster.patch(DEPLOYMENTS, reference["name"], key[0], scale, subresource="scale")
        changed = differences(autoscaler.get("status") or {}, plan.status)
        if changed:
            answer = await self._cluster.patch(
                HPAS, key[1], key[0], {"status": changed}, subresource="status"
            )
            self._autoscalers.wrote(answer)
        return None
