"""The status of a pod, as kubectl shows it, from the states of its containers. Pure.

Called by `pod` whenever one of them changes.
Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.types.meta import Json

HOST_IP = "127.0.0.1"


@dataclass(slots=True)
class ContainerState:
    """What is known of one container now. `state` and `last` are container states as the API has them."""

    name: str
    image: str
    state: Json
    last: Json = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    finished: bool = False
    """It has ended and will not be started again."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod and its containers. `began` is when this kubelet took it on."""

    pod: Json
    ip: str
    began: str
    init: Sequence[ContainerState]
    containers: Sequence[ContainerState]
    now: datetime


def pod_status(facts: PodFacts) -> Json:
    """The whole status."""
    phase = _phase(facts)
    status: Json = {
        "phase": phase,
        "conditions": _conditions(facts, phase),
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "podIP": facts.ip,
        "podIPs": [{"ip": facts.ip}],
        "startTime": facts.began,
        "qosClass": "Burstable" if _has_resources(facts.pod) else "BestEffort",
        "containerStatuses": [_container(facts, each) for each in facts.containers],
    }
    if facts.init:
        status["initContainerStatuses"] = [_container(facts, each) for each in facts.init]
    return status


def _has_resources(pod: Json) -> bool:
    return any(each.get("resources") for each in pod["spec"]["containers"])


def _phase(facts: PodFacts) -> str:
    if not all(each.finished for each in facts.init):
        return "Failed" if any(_failed(each) for each in facts.init) else "Pending"
    if all(each.finished for each in facts.containers):
        return "Failed" if any(_failed(each) for each in facts.containers) else "Succeeded"
    never_ran = [each for each in facts.containers if "waiting" in each.state and not each.last]
    return "Pending" if never_ran else "Running"


def _failed(container: ContainerState) -> bool:
    return container.finished and bool(container.state.get("terminated", {}).get("exitCode"))


def _conditions(facts: PodFacts, phase: str) -> list[Json]:
    initialized = all(each.finished for each in facts.init)
    unready = [each.name for each in facts.containers if not each.ready]
    why: Json = {}
    if phase == "Succeeded":
        why = {"reason": "PodCompleted"}
    elif unready:
        why = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(unready)}]",
        }
    verdicts: list[tuple[str, bool, Json]] = [
        ("PodReadyToStartContainers", phase not in ("Succeeded", "Failed"), {}),
        ("Initialized", initialized, {} if initialized else {"reason": "ContainersNotInitialized"}),
        ("Ready", not unready, why),
        ("ContainersReady", not unready, why),
        ("PodScheduled", True, {}),
    ]
    known = {each["type"]: each for each in (facts.pod.get("status") or {}).get("conditions") or ()}
    return [_condition(kind, known.get(kind), (value, why), facts.now) for kind, value, why in verdicts]


def _condition(kind: str, known: Json | None, verdict: tuple[bool, Json], now: datetime) -> Json:
    status = "True" if verdict[0] else "False"
    since = known["lastTransitionTime"] if known and known["status"] == status else timestamp(now)
    return {"type": kind, "status": status, "lastTransitionTime": since, "lastProbeTime": None, **verdict[1]}


def _container(facts: PodFacts, container: ContainerState) -> Json:
    uid = facts.pod["metadata"]["uid"]
    return {
        "name": container.name,
        "image": container.image,
        "imageID": container.image,
        "containerID": f"process://{uid}/{container.name}/{container.restarts}",
        "ready": container.ready,
        "started": container.started,
        "restartCount": container.restarts,
        "state": container.state,
        "lastState": container.last,
    }


def timestamp(now: datetime) -> str:
    """A time as Kubernetes writes it, to the second. The time must be in UTC."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
