"""Manifests of the tests: podinfo with its Canary, and the CRDs that they need."""

from pathlib import Path
from typing import Any

import yaml

from shared.crd import crds
from shared.names import TRAEFIK_GROUPS
from shared.resources import traefik_services
from shared.types.meta import Json

APP = "podinfo"
FIRST, SECOND, THIRD = "1.0", "2.0", "3.0"
"""Versions of podinfo."""
ROUTES = traefik_services(TRAEFIK_GROUPS[0])
METRICS: list[Json] = [
    {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
    {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}},
]
_TRAEFIK = Path(__file__).parents[3] / "sandbox/addons/traefik-crds.yaml"


def image(version: str) -> str:
    """The image of a version."""
    return f"stefanprodan/podinfo:{version}"


def deployment(namespace: str, version: str = FIRST, *, name: str = APP, replicas: int = 2) -> Json:
    """The application, as its owner applies it."""
    container = {"name": "podinfod", "image": image(version), "ports": [{"containerPort": 9898}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def canary(namespace: str, *, name: str = APP, analysis: Json | None = None, **spec: Any) -> Json:
    """Two steps, two builtin metrics, quick; `analysis` and `spec` are merged in, API spelling."""
    quick: Json = {"interval": "150ms", "threshold": 2, "metrics": METRICS}
    if "stepWeights" not in (analysis or {}):
        quick |= {"stepWeight": 10, "maxWeight": 20}
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "service": {"port": 80, "targetPort": 9898},
            "analysis": quick | (analysis or {}),
        }
        | spec,
    }


def our_crds() -> list[Json]:
    """Those that the controller reads."""
    return list(crds())


def traefik_crd(group: str = TRAEFIK_GROUPS[0]) -> Json:
    """TraefikService in one of its API groups."""
    for crd in yaml.safe_load_all(_TRAEFIK.read_text()):
        if crd["spec"]["names"]["plural"] == "traefikservices":
            found: Json = crd
            found["metadata"]["name"] = f"traefikservices.{group}"
            found["spec"]["group"] = group
            return found
    raise AssertionError(f"{_TRAEFIK} has no TraefikService")


def lax_canary_crd() -> Json:
    """The Canary's CRD without a schema: what an older version, or a hurried admin, may have left."""
    (crd,) = (crd for crd in crds() if crd["spec"]["names"]["kind"] == "Canary")
    for version in crd["spec"]["versions"]:
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version["schema"] = {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}
        }
    return crd
