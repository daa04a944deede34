"""AdmissionReviews as an API server sends them: recorded ones, and some that are put together."""

from pathlib import Path
from typing import Any

import orjson
import pytest

Json = dict[str, Any]

_RECORDINGS = Path(__file__).parents[2] / "shared/recordings/admission-reviews"
_KINDS = {
    "deployments": ("apps", "v1", "Deployment"),
    "canaries": ("flagger.app", "v1beta1", "Canary"),
    "metrictemplates": ("flagger.app", "v1beta1", "MetricTemplate"),
    "services": ("", "v1", "Service"),
    "pods": ("", "v1", "Pod"),
}


def recorded_reviews() -> dict[str, Json]:
    """By name, what a real kube-apiserver sent."""
    return {file.stem: orjson.loads(file.read_bytes()) for file in sorted(_RECORDINGS.glob("*.json"))}


def recorded_review(name: str) -> Json:
    """One of them."""
    found = recorded_reviews()
    if not found:
        pytest.skip(f"no recordings at {_RECORDINGS}")
    return found[name]


def review(
    operation: str = "UPDATE",
    *,
    new: Json | None = None,
    old: Json | None = None,
    plural: str = "deployments",
    **request: Any,
) -> Json:
    """A review about podinfo; `request` replaces its fields."""
    group, version, kind = _KINDS[plural]
    api_version = f"{group}/{version}" if group else version
    metadata = {"name": "podinfo", "namespace": "test"}

    def whole(obj: Json | None) -> Json | None:
        if obj is None:
            return None
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **obj}

    asked: Json = {
        "uid": "3353cce8-8e08-431f-a881-3d7cf469d061",
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": plural},
        **metadata,
        "operation": operation,
        "userInfo": {"username": "jane", "groups": ["system:authenticated"]},
        "object": whole(new if new is not None or operation == "DELETE" else {}),
        "oldObject": whole(old if old is not None or operation == "CREATE" else {}),
        "dryRun": False,
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": asked | request}
