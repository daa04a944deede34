"""Installs the addons and waits for them.

Called by the daemon once the cluster runs; a client of the API server like any other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.addons import product
from sandbox.addons.product import objects
from shared.cluster import Cluster, PatchType
from shared.errors import ConfigError
from shared.resources import (
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
    Resource,
)
from shared.types.meta import Json

POLL = 0.1
FOLDER = Path(__file__).parent
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
_RBAC = "rbac.authorization.k8s.io"
CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_BINDINGS = Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
ROLES = Resource(_RBAC, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
RIGHTS = (CLUSTER_ROLES, CLUSTER_BINDINGS, ROLES, ROLE_BINDINGS, SERVICE_ACCOUNTS)
PRIORITY_CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
POLICIES = (NETWORK_POLICIES, POD_DISRUPTION_BUDGETS, PRIORITY_CLASSES)
WEBHOOKS = (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
KINDS = {
    resource.kind: resource
    for resource in (CONFIGMAPS, CRDS, DEPLOYMENTS, NAMESPACES, SERVICES, *RIGHTS, *WEBHOOKS, *POLICIES)
}


@dataclass(frozen=True, slots=True)
class Addon:
    """What is started together, and the Deployment in it that tells when it is ready."""

    title: str
    namespace: str
    deployment: str
    silence: Callable[[Cluster], Awaitable[str]] | None = None
    """Where ready pods are not enough: why it does not answer yet; empty once it does."""


ADDONS = {
    # what takes longest begins first
    "admission": Addon("Pinfeather's admission", product.SYSTEM, "pinfeather-admission", product.silence),
    "traefik": Addon("Traefik", "traefik", "traefik"),
    "prometheus": Addon("Prometheus", "traefik", "flagger-prometheus"),
    "loadtester": Addon("load tester", "test", "flagger-loadtester"),
    "controller": Addon("Pinfeather's controller", product.CONTROLLER_NAMESPACE, "flagger"),
}
"""In the order in which they are started; names are those of `--without` and of the manifests here."""


async def install(cluster: Cluster, addons: Collection[str], values: Mapping[str, str]) -> None:
    """Create the namespaces, all CRDs, and the addons. `values` replaces `@NAME@` in the manifests here."""
    replaced = {f"@{name}@": value for name, value in values.items()}
    for namespace in sorted({addon.namespace for addon in ADDONS.values()}):
        await _apply(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    # CRDs always: a cluster without them is no place for Traefik or for a controller that is started by hand,
    # which needs its rights, too.
    for file in (FOLDER / "traefik-crds.yaml", *product.crds()):
        await _apply_all(cluster, objects(file))
    await _apply_all(cluster, product.controller(), product.CONTROLLER_NAMESPACE)
    for name in addons:
        if name == "admission":
            await _apply_all(cluster, product.admission(), product.SYSTEM)
        else:
            await _apply_all(cluster, objects(FOLDER / f"{name}.yaml", replaced))


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
                    silence = ADDONS[name].silence
                    if silence is not None and await silence(cluster):
                        continue
                    waiting.remove(name)
                    progress(f"{ADDONS[name].title} is ready")
                await asyncio.sleep(POLL)
    except TimeoutError:
        reasons = "; ".join(
            [f"{ADDONS[name].title} ({await _why(cluster, ADDONS[name])})" for name in waiting]
        )
        raise ConfigError(f"not ready after {seconds:g} s: {reasons}") from None


async def _apply_all(cluster: Cluster, bodies: Iterable[Json], namespace: str | None = None) -> None:
    for body in bodies:
        await _apply(cluster, _moved(body, namespace) if namespace else body)


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


def _moved(body: Json, namespace: str) -> Json:
    """As kustomize's `namespace` does it: the object itself, and the service accounts that it binds."""
    if KINDS[body["kind"]].namespaced:
        body["metadata"]["namespace"] = namespace
    for subject in body.get("subjects") or ():
        subject["namespace"] = namespace
    return body


async def _available(cluster: Cluster) -> set[str]:
    deployments, _ = await cluster.list(DEPLOYMENTS)
    return {
        item["metadata"]["name"]
        for item in deployments
        if (item.get("status") or {}).get("availableReplicas")
    }


async def _why(cluster: Cluster, addon: Addon) -> str:
    """What the addon's pods wait for, or what it does not answer."""
    pods, _ = await cluster.list(PODS, addon.namespace)
    reasons = [
        f"{pod['metadata']['name']}: {state.get('reason', '')} {state.get('message', '')}".strip()
        for pod in pods
        if pod["metadata"]["name"].startswith(f"{addon.deployment}-")
        for container in (pod.get("status") or {}).get("containerStatuses") or ()
        for state in (container.get("state") or {}).values()
        if not container.get("ready")
    ]
    if not reasons and addon.silence is not None:
        return await addon.silence(cluster)
    return ", ".join(reasons) or "no pod of it was started"
