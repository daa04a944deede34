"""Builders of what the tests observe: everything has a sensible value, keywords say what matters.

`canary()`, `workload()` and `observation()` describe podinfo in namespace test, with the guide's weights.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from controller.decision import Create
from controller.observation import (
    Endpoints,
    Manifest,
    Observation,
    Options,
    Weights,
    Workload,
)
from controller.projections import manifest
from controller.projections import workload as project
from controller.routers.traefik import TraefikRouter
from controller.workloads.ownership import owner_reference
from shared.names import CANARY_LABEL
from shared.resources import traefik_services
from shared.types.canary import Canary, Phase

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
ROUTES = traefik_services("traefik.io")
GOVERNED = {CANARY_LABEL: "podinfo"}
"""The label of everything that the Canary podinfo governs."""
OLD, NEW, NEWER = "a" * 32, "b" * 32, "c" * 32
"""Template hashes: of the promoted revision, the one under analysis, and one that comes later."""

Json = dict[str, Any]


def canary(
    phase: Phase = Phase.SUCCEEDED, *, analysis: Json | None = None, status: Json | None = None, **spec: Any
) -> Canary:
    """The guide's Canary without hooks and metrics; `analysis` and `status` are merged in, API spelling."""
    body: Json = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {
            "name": "podinfo",
            "namespace": "test",
            "uid": "u1",
            "resourceVersion": "7",
            "generation": 1,
        },
        "spec": {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "progressDeadlineSeconds": 60,
            "service": {"port": 80, "targetPort": 9898},
            "analysis": {"interval": "10s", "threshold": 3, "maxWeight": 50, "stepWeight": 10}
            | (analysis or {}),
        }
        | spec,
        "status": {
            "phase": phase.value,
            "canaryWeight": 0,
            "failedChecks": 0,
            "iterations": 0,
            "observedGeneration": 1,
            "lastAppliedSpec": OLD,
            "lastPromotedSpec": OLD,
        }
        | (status or {}),
    }
    return Canary.model_validate(body)


def deployment(
    name: str = "podinfo", *, image: str = "stefanprodan/podinfo:4.0.5", replicas: int = 0
) -> Json:
    """A Deployment as the API server has it, defaults filled in where they matter here."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "test",
            "uid": f"uid-{name}",
            "resourceVersion": "5",
            "generation": 1,
            "labels": dict(GOVERNED),
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [{"name": "podinfod", "image": image, "ports": [{"containerPort": 9898}]}]
                },
            },
        },
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        },
    }


def target(template_hash: str = OLD, *, replicas: int = 0, ready: bool = True, **changes: Any) -> Workload:
    """podinfo itself, running the template of that hash. With a hold it is paused."""
    seen = project(deployment(replicas=replicas))
    held = {"paused": changes.get("hold") is not None}
    return replace(seen, template_hash=template_hash, available=replicas if ready else 0, **(held | changes))


def primary(revision: str = OLD, *, replicas: int = 2, ready: bool = True, **changes: Any) -> Workload:
    """podinfo-primary, copied from the template of that hash."""
    seen = project(deployment("podinfo-primary", replicas=replicas))
    return replace(seen, owner="u1", revision=revision, available=replicas if ready else 0, **changes)


def route(weight: int, owner: Canary | None = None) -> Manifest:
    """The TraefikService as the router writes it for a canary weight (percent)."""
    of = owner or canary()
    written = TraefikRouter().render(of, owner_reference(of), None, Weights(100 - weight, weight), ROUTES)
    assert isinstance(written, Create)
    body = {
        **written.manifest,
        "metadata": {**written.manifest["metadata"], "uid": "r1", "resourceVersion": "3"},
    }
    return manifest(body)


def observation(of: Canary | None = None, **changes: Any) -> Observation:
    """A Canary at rest: primary up, target at zero, the route as its status says."""
    seen = Observation(
        canary=of or canary(),
        now=NOW,
        options=Options(traefik_services=ROUTES),
        target=target(),
        primary=primary(),
        endpoints=Endpoints(primary=2, canary=0),
    )
    seen = replace(seen, route=route(seen.canary.status.canary_weight, seen.canary))
    return replace(seen, **changes)
