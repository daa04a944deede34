"""The cells of pods and of the workloads that make them. Used by `columns.py`."""

from typing import Any

from sandbox.apiserver.ages import age
from sandbox.apiserver.cells import NONE, age_of, name, names
from sandbox.apiserver.resources import Json
from sandbox.apiserver.selectors import selector_text


def _template(obj: Json) -> list[Any]:
    containers = obj["spec"]["template"]["spec"].get("containers", ())
    return [
        names(containers, "name"),
        names(containers, "image"),
        selector_text(obj["spec"].get("selector", {})),
    ]


def deployment(obj: Json) -> list[Any]:
    status = obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [name(obj), ready, *counts, age_of(obj), *_template(obj)]


def replica_set(obj: Json) -> list[Any]:
    status = obj.get("status", {})
    counts = [obj["spec"].get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name(obj), *counts, age_of(obj), *_template(obj)]


def stateful_set(obj: Json) -> list[Any]:
    ready = f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"
    return [name(obj), ready, age_of(obj), *_template(obj)[:2]]


def daemon_set(obj: Json) -> list[Any]:
    status = obj.get("status", {})
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    numbers = [status.get(count, 0) for count in (*counts, "numberAvailable")]
    picked = obj["spec"]["template"]["spec"].get("nodeSelector", {})
    nodes = ",".join(f"{key}={value}" for key, value in sorted(picked.items())) or NONE
    return [name(obj), *numbers, nodes, age_of(obj), *_template(obj)]


def pod(obj: Json) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    containers = status.get("containerStatuses", [])
    ready = f"{sum(bool(c.get('ready')) for c in containers)}/{len(spec.get('containers', ()))}"
    return [
        name(obj), ready, _pod_phase(obj), _restarts(containers), age_of(obj), status.get("podIP", NONE),
        spec.get("nodeName", NONE), status.get("nominatedNodeName") or NONE, NONE,
    ]  # fmt: skip


def _pod_phase(obj: Json) -> str:
    """The reason that says most: why a container waits or ended, before the pod's phase."""
    status = obj.get("status", {})
    phase = str(status.get("reason") or status.get("phase", "Unknown"))
    for container in status.get("containerStatuses", ()):
        state = container.get("state", {})
        if "waiting" in state:
            phase = state["waiting"].get("reason") or phase
        elif "terminated" in state:
            ended = state["terminated"]
            phase = ended.get("reason") or f"ExitCode:{ended.get('exitCode', 0)}"
    return "Terminating" if "deletionTimestamp" in obj["metadata"] else phase


def _restarts(containers: list[Json]) -> str:
    ended = [c.get("lastState", {}).get("terminated", {}).get("finishedAt", "") for c in containers]
    total = sum(c.get("restartCount", 0) for c in containers)
    last = max(filter(None, ended), default="")
    return f"{total} ({age(last)} ago)" if total and last else str(total)
