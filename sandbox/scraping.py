"""Tells Prometheus which pods to scrape: those annotated `prometheus.io/scrape: "true"`, as its usual
installations do.

The informer of pods in the daemon feeds it; Prometheus watches the file. Debian's Prometheus is built without
discovery in Kubernetes, else it would ask the API server itself.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.informer import Key

PREFIX = "prometheus.io/"


@dataclass(frozen=True, slots=True)
class Target:
    """One pod to scrape."""

    address: str
    path: str

    def entry(self, key: Key) -> dict[str, Any]:
        """As Prometheus' files list it."""
        namespace, name = key
        labels = {
            "__metrics_path__": self.path,
            "kubernetes_namespace": namespace,
            "kubernetes_pod_name": name,
        }
        return {"targets": [self.address], "labels": labels}


def project_target(pod: dict[str, Any]) -> Target | None:
    """The target that a pod is; None where it is not to be scraped, or has no address (yet, or any more)."""
    annotations = pod["metadata"].get("annotations") or {}
    status = pod.get("status") or {}
    port, ip = annotations.get(f"{PREFIX}port"), status.get("podIP")
    running = status.get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    if annotations.get(f"{PREFIX}scrape") != "true" or not (port and ip and running):
        return None
    return Target(f"{ip}:{port}", annotations.get(f"{PREFIX}path", "/metrics"))


class TargetsFile:
    """The file that Prometheus watches; `changed` is an informer's listener."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._targets: dict[Key, Target] = {}
        self._write()

    def changed(self, key: Key, _: Target | None, new: Target | None) -> None:
        before = self._targets.get(key)
        if new is None:
            self._targets.pop(key, None)
        else:
            self._targets[key] = new
        if new != before:
            self._write()

    def _write(self) -> None:
        entries = [target.entry(key) for key, target in sorted(self._targets.items())]
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(entries))
        os.replace(fresh, self.file)
