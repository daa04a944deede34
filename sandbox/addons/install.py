"""Installs the addons and waits for them.

Called by the daemon once the cluster runs; a client of the API server like any other.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from shared.cluster import Cluster, PatchType
from shared.errors import ConfigError
from shared.resources import CONFIGMAPS, CRDS, DEPLOYMENTS, NAMESPACES, PODS, SERVICES, Resource
from shared.types.meta import Json

POLL = 0.1
FOLDER = Path(__file__).parent
OWN_CRDS = Path(__file__).parents[2] / "manifests" / "crds"
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
KINDS = {
    resource.kind: resource
    for resource in (CONFIGMAPS, CRDS, DEPLOYMENTS, NAMESPACES, SERVICES, SERVICE_ACCOUNTS)
}


@dataclass(frozen=True, slots=True)
class Addon:
    """One manifest here, and the Deployment in it that tells when it is ready."""

    title: str
    namespace: str
    deployment: str


ADDONS = {
    "traefik": Addon("Traefik", "traefik", "traefik"),
    "prometheus": Addon("Prometheus", "traefik", "flagger-prometheus"),
    "loadtester": Addon("load tester", "test", "flagger-loadtester"),
    "controller": Addon("Pinfeather's controller", "traefik", "flagger"),
}
"""In the order in which they are started; names are those of `--without` and of the manifests."""


async def install(cluster: Cluster, addons: Collection[str], values: Mapping[str, str]) -> None:
    """Create the namespaces, all CRDs, and the addons. `values` replaces `@NAME@` in the manifests."""
    for namespace in sorted({addon.namespace for addon in ADDONS.values()}):
        await _apply(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    # CRDs always: a cluster without them is no place for Traefik or for a controller that is started by hand.
    for file in (FOLDER / "traefik-crds.yaml", *sorted(OWN_CRDS.glob("*.yaml"))):
        for body in _objects(file, {}):
            await _apply(cluster, body)
    for name in addons:
        for body in _objects(FOLDER / f"{name}.yaml", values):
            await _apply(cluster, body)


async def wait_until_ready(
    cluster: Cluster, addons: Collection[str], progress: Callable[[str], None], seconds: float
) -> None:
    """Return once every addon has a ready pod, telling each as it comes. Raises ConfigError naming those
    that fail.
    """
    waiting = list(addons)
    try:
        async with asyncio.timeout(seconds):
            while waiting:
                available = await _available(cluster)
                for name in [name for name in waiting if ADDONS[name].deployment in available]:
                    waiting.remove(name)
                    progress(f"{ADDONS[name].title} is ready")
                await asyncio.sleep(POLL)
    except TimeoutError:
        reasons = "; ".join(
            [f"{ADDONS[name].title} ({await _why(cluster, ADDONS[name])})" for name in waiting]
        )
        raise ConfigError(f"not ready after {seconds:g} s: {reasons}") from None


async def _apply(cluster: Cluster, body: Json) -> None:
    metadata = body["metadata"]
    await cluster.patch(
        KINDS[body["kind"]],
        metadata["name"],
        metadata.get("namespace"),
        body,
        patch=PatchType.APPLY,
        force=True,
    )


def _objects(file: Path, values: Mapping[str, str]) -> Iterator[Json]:
    text = file.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    yield from (body for body in yaml.load_all(text, yaml.CSafeLoader) if body)


async def _available(cluster: Cluster) -> set[str]:
    deployments, _ = await cluster.list(DEPLOYMENTS)
    return {
        item["metadata"]["name"]
        for item in deployments
        if (item.get("status") or {}).get("availableReplicas")
    }


async def _why(cluster: Cluster, addon: Addon) -> str:
    """What the addon's pods wait for."""
    pods, _ = await cluster.list(PODS, addon.namespace)
    reasons = [
        f"{pod['metadata']['name']}: {state.get('reason', '')} {state.get('message', '')}".strip()
        for pod in pods
        if pod["metadata"]["name"].startswith(f"{addon.deployment}-")
        for container in (pod.get("status") or {}).get("containerStatuses") or ()
        for state in (container.get("state") or {}).values()
        if not container.get("ready")
    ]
    return ", ".join(reasons) or "no pod of it was started"
