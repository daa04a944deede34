"""`kubectl apply -k manifests` on API servers: taken as it is, enough rights and no more, nobody answering.

No pod runs here, so the webhooks are registered and never answer.
"""

import asyncio
import base64
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from admission.registration import SECRET, hosts
from certs.bundle import Bundle
from certs.rotate import Place
from certs.serving import ServingCertificate
from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster
from shared.errors import ClusterError, Forbidden, NotFound
from shared.names import CANARY_LABEL, WEBHOOKS
from shared.resources import (
    CANARIES,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    SECRETS,
    SUBJECT_ACCESS_REVIEWS,
    VALIDATING_WEBHOOKS,
    Resource,
)
from shared.types.meta import Json
from tests.integration.kubectl.command import BINARY, Kubectl
from tests.integration.real_api_server import RealApiServer
from tests.unit.shared.wire_objects import canary
from tests.waiting import POLL

MANIFESTS = Path(__file__).parents[2] / "manifests"
SYSTEM = "pinfeather-system"
ADMISSION = f"system:serviceaccount:{SYSTEM}:pinfeather-admission"
CONTROLLER = f"system:serviceaccount:{SYSTEM}:pinfeather-controller"
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
REGISTERED_WITHIN = 200
"""Looks, a tenth of a second apart."""
_numbers = itertools.count(1)
pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="kubectl is not installed beside this Python")


@dataclass
class Installed:
    """An API server with everything applied."""

    kubectl: Kubectl
    cluster: Cluster
    kubeconfig: Path
    namespace: str

    async def apply(self, *options: str) -> None:
        """All manifests, as `kubectl apply -k` does."""
        await self.kubectl("apply", "-k", str(MANIFESTS), *options)

    async def as_account(self, name: str, folder: Path) -> Path:
        """A kubeconfig for a ServiceAccount of ours."""
        body: Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body |= {"metadata": {"name": name, "namespace": SYSTEM}, "spec": {"expirationSeconds": 3600}}
        token = (await self.cluster.create(SERVICE_ACCOUNTS, body, subresource="token"))["status"]["token"]
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        path = folder / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    async def create_governed(self, folder: Path) -> None:
        """A Deployment that a Canary governs: only the controller creates those without asking anybody."""
        account = await self.as_account("pinfeather-controller", folder)
        async with await Cluster.connect(account) as controller:
            labels = {CANARY_LABEL: "podinfo"}
            await controller.create(DEPLOYMENTS, deployment("podinfo-primary", self.namespace, **labels))

    async def may(self, user: str, verb: str, what: str, name: str = "", namespace: str = "") -> bool:
        """Whether the user may do that to `resource.group`."""
        resource, _, group = what.partition(".")
        resource, _, subresource = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        attributes |= {"name": name, "namespace": namespace}
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{SYSTEM}", "system:authenticated"]
        body = {
            "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": SUBJECT_ACCESS_REVIEWS.kind,
            "metadata": {},
            "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
        }
        answer = await self.cluster.create(SUBJECT_ACCESS_REVIEWS, body)
        return bool(answer["status"]["allowed"])

    async def in_force(self) -> None:
        """Return once the API server goes by the webhook configurations, which takes it a moment."""
        for _ in range(REGISTERED_WITHIN):
            try:
                await self.cluster.create(CANARIES, in_namespace(canary(), self.namespace))
            except ClusterError as error:
                if "canaries.pinfeather.dev" in str(error):
                    return
            else:
                await self.cluster.delete(CANARIES, "podinfo", self.namespace)
            await asyncio.sleep(0.1)
        pytest.fail("the webhooks are not in force")


def in_namespace(body: Json, namespace: str) -> Json:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


def deployment(name: str, namespace: str, **labels: str) -> Json:
    pod: dict[str, Any] = {"containers": [{"name": "app", "image": "app:1"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }


@pytest.fixture(params=["sandbox", "real"])
async def installed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Installed]:
    async with AsyncExitStack() as stack:
        if request.param == "real":
            real: RealApiServer = request.getfixturevalue("real_api_server")
            folder = real.kubeconfig.parent
        else:
            folder = tmp_path
            server = ApiServer(Config(state=folder))
            await server.start()
            stack.push_async_callback(server.stop)
        kubeconfig = folder / "kubeconfig"
        cluster = await stack.enter_async_context(await Cluster.connect(kubeconfig))
        namespace = f"installed-{next(_numbers)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await cluster.create(NAMESPACES, body)
        stack.push_async_callback(_without_webhooks, cluster)
        made = Installed(Kubectl(kubeconfig, SYSTEM, folder), cluster, kubeconfig, namespace)
        await made.apply("--server-side", "--force-conflicts")
        yield made


async def _without_webhooks(cluster: Cluster) -> None:
    """Other tests use the same API server."""
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        with contextlib.suppress(NotFound):
            await cluster.delete(resource, WEBHOOKS)


async def ca_bundle(cluster: Cluster, resource: Resource) -> bytes:
    webhooks = (await cluster.get(resource, WEBHOOKS))["webhooks"]
    (bundle,) = {webhook["clientConfig"].get("caBundle", "") for webhook in webhooks}
    return base64.b64decode(bundle)


async def test_with_the_rights_of_the_manifest_certificates_are_made_published_and_kept_by_applying_again(
    installed: Installed, tmp_path: Path
) -> None:
    kubeconfig = await installed.as_account("pinfeather-admission", tmp_path)
    async with await Cluster.connect(kubeconfig) as cluster:
        place = Place(SYSTEM, SECRET, hosts(SYSTEM))
        certificate = ServingCertificate.from_secret(cluster, place, registry=CollectorRegistry())
        running = asyncio.ensure_future(certificate.run())
        while certificate.problem():
            assert not running.done()
            await asyncio.sleep(POLL)
        running.cancel()
        # It could not read other Secrets if it wanted to.
        with pytest.raises(Forbidden):
            await cluster.list(SECRETS, SYSTEM)
        with pytest.raises(Forbidden):
            await cluster.get(SECRETS, "another", SYSTEM)
    made = Bundle.read(await installed.cluster.get(SECRETS, SECRET, SYSTEM))
    for options in (("--server-side",), ()):
        await installed.apply(*options)
        for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
            assert await ca_bundle(installed.cluster, resource) == made.authorities
    assert Bundle.read(await installed.cluster.get(SECRETS, SECRET, SYSTEM)) == made
    await installed.cluster.delete(SECRETS, SECRET, SYSTEM)


@pytest.mark.parametrize("user", [ADMISSION, CONTROLLER])
async def test_neither_process_may_do_what_it_has_no_business_with(installed: Installed, user: str) -> None:
    for verb, what, name, namespace in (
        ("get", "secrets", "db-password", installed.namespace),
        ("list", "secrets", "", ""),
        ("list", "secrets", "", SYSTEM),
        ("delete", "deployments.apps", "podinfo", installed.namespace),
        ("deletecollection", "services", "", installed.namespace),
        ("create", "pods/exec", "podinfo", installed.namespace),
        ("create", "pods", "", SYSTEM),
        ("impersonate", "users", "admin", ""),
        ("escalate", "clusterroles.rbac.authorization.k8s.io", "", ""),
        ("patch", "validatingwebhookconfigurations.admissionregistration.k8s.io", "others", ""),
        ("create", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "", ""),
        ("delete", "mutatingwebhookconfigurations.admissionregistration.k8s.io", WEBHOOKS, ""),
        ("patch", "canaries.flagger.app", "podinfo", installed.namespace),
        ("get", "nodes", "", ""),
    ):
        assert not await installed.may(user, verb, what, name, namespace), (verb, what, name, namespace)
    assert await installed.may(user, "list", "canaries.flagger.app")


async def test_the_webhooks_may_change_nothing_but_their_certificates(installed: Installed) -> None:
    for verb in ("create", "update", "patch", "delete"):
        for what in (
            "deployments.apps",
            "services",
            "traefikservices.traefik.io",
            "canaries/status.flagger.app",
        ):
            assert not await installed.may(ADMISSION, verb, what, "podinfo", installed.namespace)
    assert await installed.may(ADMISSION, "patch", "secrets", SECRET, SYSTEM)


async def test_with_nobody_answering_what_canaries_govern_stays_and_all_else_goes_on(
    installed: Installed, tmp_path: Path
) -> None:
    cluster, namespace = installed.cluster, installed.namespace
    await installed.create_governed(tmp_path)
    await cluster.create(DEPLOYMENTS, deployment("podinfo", namespace))
    await installed.in_force()

    change = {"spec": {"template": {"metadata": {"annotations": {"new": "revision"}}}}}
    with pytest.raises(ClusterError, match=r"target\.pinfeather\.dev"):
        await cluster.patch(DEPLOYMENTS, "podinfo-primary", namespace, change)
    with pytest.raises(ClusterError, match=r"governed\.pinfeather\.dev"):
        await cluster.delete(DEPLOYMENTS, "podinfo-primary", namespace)

    # What no Canary governs, our own namespace and kube-system.
    await cluster.patch(DEPLOYMENTS, "podinfo", namespace, change)
    scale = {"spec": {"replicas": 3}}
    await cluster.patch(DEPLOYMENTS, "podinfo", namespace, scale, subresource="scale")
    await cluster.patch(DEPLOYMENTS, "podinfo-primary", namespace, scale, subresource="scale")
    await cluster.patch(
        DEPLOYMENTS,
        "pinfeather-admission",
        SYSTEM,
        change | {"metadata": {"labels": {CANARY_LABEL: "podinfo"}}},
    )
    await cluster.patch(DEPLOYMENTS, "pinfeather-admission", SYSTEM, scale)
    # The controller.
    async with await Cluster.connect(
        await installed.as_account("pinfeather-controller", tmp_path)
    ) as controller:
        await controller.patch(DEPLOYMENTS, "podinfo-primary", namespace, change)


async def test_the_break_glass_command_frees_everything(installed: Installed, tmp_path: Path) -> None:
    cluster, namespace = installed.cluster, installed.namespace
    await installed.create_governed(tmp_path)
    await installed.in_force()
    command = _command_in_the_runbook()
    await installed.kubectl(*command)
    for _ in range(REGISTERED_WITHIN):
        with contextlib.suppress(ClusterError):
            await cluster.delete(DEPLOYMENTS, "podinfo-primary", namespace)
            break
        await asyncio.sleep(0.1)
    with pytest.raises(NotFound):
        await cluster.get(DEPLOYMENTS, "podinfo-primary", namespace)
    # And back.
    await installed.apply("--server-side", "--force-conflicts")
    await installed.in_force()


def _command_in_the_runbook() -> list[str]:
    text = (MANIFESTS.parent / "docs/admission.md").read_text()
    (line,) = [
        line.strip() for line in text.splitlines() if line.strip().startswith("kubectl delete mutating")
    ]
    return line.split()[1:]
