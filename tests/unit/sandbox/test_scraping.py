import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.scraping import Target, TargetsFile, project_target


def pod(**status: Any) -> dict[str, Any]:
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "9100"}
    return {
        "metadata": {"annotations": annotations},
        "status": {"podIP": "127.10.0.1", "phase": "Running"} | status,
    }


def test_an_annotated_pod_that_runs_is_scraped() -> None:
    assert project_target(pod()) == Target("127.10.0.1:9100", "/metrics")
    other = pod()
    other["metadata"]["annotations"]["prometheus.io/path"] = "/stats"
    assert project_target(other) == Target("127.10.0.1:9100", "/stats")


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {}},
        {"metadata": {"annotations": {"prometheus.io/scrape": "true"}}, "status": pod()["status"]},
        {"metadata": {"annotations": {"prometheus.io/port": "1"}}, "status": pod()["status"]},
        pod(podIP=None),
        pod(phase="Pending"),
        pod() | {"metadata": pod()["metadata"] | {"deletionTimestamp": "2026-11-22T00:00:00Z"}},
    ],
)
def test_other_pods_are_left_alone(body: dict[str, Any]) -> None:
    assert project_target(body) is None


def test_the_file_lists_what_is_there_now(tmp_path: Path) -> None:
    targets = TargetsFile(tmp_path / "targets.json")
    assert json.loads(targets.file.read_text()) == []
    target = project_target(pod())
    targets.changed(("traefik", "traefik-1"), None, target)
    assert json.loads(targets.file.read_text()) == [
        {
            "targets": ["127.10.0.1:9100"],
            "labels": {
                "__metrics_path__": "/metrics",
                "kubernetes_namespace": "traefik",
                "kubernetes_pod_name": "traefik-1",
            },
        }
    ]
    written = targets.file.stat().st_ino
    targets.changed(("traefik", "traefik-1"), target, target)
    assert targets.file.stat().st_ino == written
    targets.changed(("traefik", "traefik-1"), target, None)
    assert json.loads(targets.file.read_text()) == []
