"""The product's own manifests, as a real cluster takes them, with what the sandbox has to change.

    manifests/controller/rbac.yaml ──► into namespace traefik, where the guide has the controller
    manifests/admission/*.yaml     ──► told who the controller is, and to listen on the pod's address alone

Read by `install`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from shared.cluster import Cluster
from shared.errors import ClusterError
from shared.resources import CANARIES
from shared.types.meta import Json

MANIFESTS = Path(__file__).parents[2] / "manifests"
SYSTEM = "pinfeather-system"
CONTROLLER_NAMESPACE = "traefik"
CONTROLLER_ACCOUNT = "pinfeather-controller"
USER = "system:serviceaccount:{}:" + CONTROLLER_ACCOUNT
CONTROLLER = USER.format(CONTROLLER_NAMESPACE)
"""The controller's user name, whose writes are its own business for the webhooks."""
_ARGUMENTS = (
    "-host=$(POD_IP)",  # pods are processes that share one machine's ports
    f"-controller-username={CONTROLLER}",
    "-drain=1s",  # who calls them learns within milliseconds to go elsewhere
)
_REFUSED = 'admission webhook "canaries.pinfeather.dev" denied the request'


def crds() -> Iterator[Path]:
    """The files of the product's CRDs."""
    yield from sorted((MANIFESTS / "crds").glob("*.yaml"))


def controller() -> Iterator[Json]:
    """Who the controller is, what it may do, and how important it is."""
    yield from objects(MANIFESTS / "controller" / "rbac.yaml")
    for body in objects(MANIFESTS / "controller" / "deployment.yaml"):
        if body["kind"] == "PriorityClass":
            yield body


def admission() -> Iterator[Json]:
    """The webhooks' process, and what makes the API server ask it."""
    for name in ("rbac", "service", "webhooks", "deployment"):
        for body in objects(MANIFESTS / "admission" / f"{name}.yaml", {USER.format(SYSTEM): CONTROLLER}):
            if body["kind"] == "Deployment":
                body["spec"]["replicas"] = 1
                body["spec"]["template"]["spec"]["containers"][0]["args"] += _ARGUMENTS
            yield body


async def silence(cluster: Cluster) -> str:
    """Why the webhooks are not there yet; empty once they refuse a Canary that is wrong, which is never
    stored: without their answer it is refused, too.
    """
    spec: Json = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nothing"},
        "service": {"port": 80},
        "analysis": {"interval": "10s", "threshold": 1, "stepWeights": [2, 1]},
    }
    body = {"apiVersion": CANARIES.api_version, "kind": CANARIES.kind, "spec": spec}
    try:
        await cluster.create(CANARIES, body | {"metadata": {"name": "nothing", "namespace": "default"}})
    except ClusterError as error:
        return "" if _REFUSED in str(error) else str(error)
    return "a wrong Canary is not refused"


def objects(file: Path, replaced: Mapping[str, str] = MappingProxyType({})) -> Iterator[Json]:
    """The objects of a manifest, with texts replaced."""
    text = file.read_text()
    for before, after in replaced.items():
        text = text.replace(before, after)
    yield from (body for body in yaml.load_all(text, yaml.CSafeLoader) if body)
