"""Builders of the objects that the sandbox's control loops look at: podinfo in namespace test."""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
LABELS = {"app": "podinfo"}


def at(seconds: float) -> str:
    """A timestamp so many seconds after NOW."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def template(tag: str = "1.0") -> Json:
    """A pod template of podinfo."""
    container = {
        "name": "podinfod",
        "image": f"stefanprodan/podinfo:{tag}",
        "ports": [{"name": "http", "containerPort": 9898, "protocol": "TCP"}],
    }
    return {"metadata": {"labels": dict(LABELS)}, "spec": {"containers": [container]}}


def deployment(tag: str = "1.0", *, status: Json | None = None, **spec: Any) -> Json:
    """A Deployment; `spec` in API spelling."""
    return {
        "metadata": {
            "name": "podinfo",
            "namespace": "test",
            "uid": "d1",
            "generation": 1,
            "resourceVersion": "1",
        },
        "spec": {
            "replicas": 3,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": dict(LABELS)},
            "template": template(tag),
        }
        | spec,
        "status": status or {},
    }


def rolling(surge: int | str, unavailable: int | str) -> Json:
    """A RollingUpdate strategy."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def stored(replica_set: Json, number: int) -> Json:
    """A ReplicaSet as the API server keeps it: the `number`th that was created."""
    metadata = replica_set["metadata"] | {
        "uid": f"rs-{number}",
        "generation": 1,
        "creationTimestamp": at(number),
        "resourceVersion": "1",
    }
    return replica_set | {"metadata": metadata, "status": {"observedGeneration": 1}}


def pod(name: str, *, ready: bool = True, since: float = -100, **fields: Any) -> Json:
    """A running pod; `ip`, `deleted`, `phase`, `node`, `labels`, `age` and `restarts` are fields."""
    metadata: Json = {
        "name": name,
        "namespace": "test",
        "uid": f"uid-{name}",
        "labels": fields.get("labels", dict(LABELS)),
        "creationTimestamp": at(-fields.get("age", 100)),
        "resourceVersion": "1",
    }
    if fields.get("deleted"):
        metadata["deletionTimestamp"] = at(0)
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": at(since)}
    return {
        "metadata": metadata,
        "spec": template()["spec"] | {"nodeName": fields.get("node", "sandbox")},
        "status": {
            "phase": fields.get("phase", "Running"),
            "podIP": fields.get("ip", "127.10.0.1"),
            "conditions": [condition],
            "containerStatuses": [{"restartCount": fields.get("restarts", 0)}],
        },
    }
