"""Small objects for the tests of the wire models, as YAML would give them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.types.meta import Json

SEED = Path(__file__).parents[3] / "../shared/seed/traefik-canary-deployments.md"


def canary(**analysis: Any) -> Json:
    """A Canary with nothing but what is required; the analysis is stepWeight 10 unless it says otherwise."""
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 80},
            "analysis": analysis or {"stepWeight": 10},
        },
    }


def template(**provider: Any) -> Json:
    """A MetricTemplate that asks Prometheus."""
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "MetricTemplate",
        "metadata": {"name": "errors", "namespace": "test"},
        "spec": {
            "provider": provider or {"type": "prometheus", "address": "http://prometheus:9090"},
            "query": "vector(1)",
        },
    }


def alert_provider(**spec: Any) -> Json:
    """An AlertProvider."""
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "AlertProvider",
        "metadata": {"name": "on-call", "namespace": "test"},
        "spec": spec,
    }


def seed_objects(kind: str) -> list[Json]:
    """The guide's objects of a kind; skips where the guide is not at hand."""
    if not SEED.is_file():
        pytest.skip(f"{SEED} is not there")
    blocks = re.findall(r"```yaml\n(.*?)```", SEED.read_text("utf-8"), re.DOTALL)
    return [obj for block in blocks if (obj := yaml.safe_load(block)).get("kind") == kind]
