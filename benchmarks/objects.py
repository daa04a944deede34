"""The manifests of the benchmarks: applications `app-0000`, `app-0001`, …, each with its Canary."""

import re

from shared.resources import CANARIES, DEPLOYMENTS
from shared.types.meta import Json

NAMESPACE = "bench"
CONTAINER = "podinfod"
FIRST = "1.0"
"""The version that every application starts with."""

_APP = re.compile(r"app-\d{4,}")


def app(number: int) -> str:
    """The name of an application, of its Deployment and of its Canary."""
    return f"app-{number:04d}"


def app_in(text: str) -> str:
    """The application that an object's name or a query is about; "" if none."""
    found = _APP.search(text)
    return found.group() if found else ""


def image(version: str) -> str:
    """podinfo at a version."""
    return f"stefanprodan/podinfo:{version}"


def deployment(name: str) -> Json:
    """An application of two replicas, as large as podinfo's own manifest."""
    probe = {"exec": {"command": ["podcli", "check", "http", "localhost:9898/healthz"]}, "timeoutSeconds": 5}
    container = {
        "name": CONTAINER,
        "image": image(FIRST),
        "imagePullPolicy": "IfNotPresent",
        "ports": [
            {"name": "http", "containerPort": 9898, "protocol": "TCP"},
            {"name": "http-metrics", "containerPort": 9797, "protocol": "TCP"},
            {"name": "grpc", "containerPort": 9999, "protocol": "TCP"},
        ],
        "command": ["./podinfo", "--port=9898", "--port-metrics=9797", "--level=info"],
        "env": [{"name": "PODINFO_UI_COLOR", "value": "#34577c"}],
        "livenessProbe": {**probe, "initialDelaySeconds": 5},
        "readinessProbe": probe,
        "resources": {
            "limits": {"cpu": "1000m", "memory": "128Mi"},
            "requests": {"cpu": "1m", "memory": "16Mi"},
        },
    }
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "9797"}
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "replicas": 2,
            "minReadySeconds": 3,
            "progressDeadlineSeconds": 60,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {"containers": [container]},
            },
        },
    }


def canary(name: str, interval: str, max_weight: int) -> Json:
    """A Canary with two builtin metrics and steps of ten percent, as Flagger was measured with."""
    metrics = [
        {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
        {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}},
    ]
    return {
        "apiVersion": CANARIES.api_version,
        "kind": CANARIES.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "progressDeadlineSeconds": 60,
            "service": {"port": 80, "targetPort": 9898},
            "analysis": {
                "interval": interval,
                "threshold": 2,
                "maxWeight": max_weight,
                "stepWeight": 10,
                "metrics": metrics,
            },
        },
    }


def set_image(version: str) -> Json:
    """The body of the PATCH that `kubectl set image` sends."""
    containers = [{"name": CONTAINER, "image": image(version)}]
    ordered = {"$setElementOrder/containers": [{"name": CONTAINER}], "containers": containers}
    return {"spec": {"template": {"spec": ordered}}}
