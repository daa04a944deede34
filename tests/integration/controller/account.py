"""The controller's service account with the rights that its manifest gives: what lacks there, fails here."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import yaml

from shared.cluster import Cluster, PatchType
from shared.resources import Resource
from shared.types.meta import Json

RIGHTS = Path(__file__).parents[3] / "manifests/controller/rbac.yaml"
_RBAC = "rbac.authorization.k8s.io"
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
KINDS = {
    "ServiceAccount": ACCOUNTS,
    "ClusterRole": Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    "ClusterRoleBinding": Resource(
        _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
    ),
    "Role": Resource(_RBAC, "v1", "roles", "Role"),
    "RoleBinding": Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
}
REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
_LAST_GIVEN = (
    {"verb": "list", "group": "flagger.app", "resource": "canaries"},
    {"verb": "create", "group": "coordination.k8s.io", "resource": "leases"},
)
"""A right of each of the manifest's bindings."""


async def controllers_kubeconfig(admin: Cluster, admins: Path, namespace: str, folder: Path) -> Path:
    """A kubeconfig for the controller, installed in this namespace. `admins` is the one of `admin`."""
    for body in _manifests(namespace):
        metadata = body["metadata"]
        resource = KINDS[body["kind"]]
        place = metadata.get("namespace")
        await admin.patch(resource, metadata["name"], place, body, patch=PatchType.APPLY, force=True)
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": "pinfeather-controller", "namespace": namespace},
        "spec": {},
    }
    token = (await admin.create(ACCOUNTS, request, subresource="token"))["status"]["token"]
    path = folder / f"{namespace}.kubeconfig"
    await asyncio.to_thread(_write, admins, path, token)
    await _until_heeded(path, namespace)
    return path


def _manifests(namespace: str) -> Iterator[Json]:
    """The manifest's objects, moved to the namespace. The ClusterRole is shared, each has its binding."""
    for body in yaml.safe_load_all(RIGHTS.read_text()):
        if KINDS[body["kind"]].namespaced:
            body["metadata"]["namespace"] = namespace
        elif body["kind"] == "ClusterRoleBinding":
            body["metadata"]["name"] += f"-{namespace}"
        for subject in body.get("subjects") or ():
            subject["namespace"] = namespace
        yield body


def _write(admins: Path, path: Path, token: str) -> None:
    config = yaml.safe_load(admins.read_text())
    config["users"][0]["user"] = {"token": token}
    path.write_text(yaml.safe_dump(config))


async def _until_heeded(kubeconfig: Path, namespace: str) -> None:
    """A real server learns of bindings a moment after they were made."""
    async with await Cluster.connect(kubeconfig) as controller:
        for right in _LAST_GIVEN:
            asked = {"resourceAttributes": {**right, "namespace": namespace}}
            review = {
                "apiVersion": REVIEWS.api_version,
                "kind": REVIEWS.kind,
                "metadata": {},
                "spec": asked,
            }
            while True:
                answer = await controller.create(REVIEWS, review)
                if answer["status"]["allowed"]:
                    break
                await asyncio.sleep(0.02)
