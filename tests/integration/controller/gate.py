"""Admission at the door of a namespace, a person with `edit` rights before it, and no controller behind it.

What a write makes of a target is then what is seen: nobody lifts a hold or hands on a size. What the
controller would have written by that moment, a test writes in its name.

    person (kubectl) ─► API server ─► admission, in this process
    controller (its own account) ─► API server
"""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from admission.__main__ import Admission
from admission.settings import Settings
from shared.cluster import Cluster
from shared.errors import ClusterError
from shared.names import CANARY_LABEL, GIVEN_REPLICAS_ANNOTATION, WEBHOOKS
from shared.resources import (
    CANARIES,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    REPLICASETS,
    VALIDATING_WEBHOOKS,
)
from shared.types.meta import Json
from tests.integration.controller import objects
from tests.integration.controller.account import controllers_kubeconfig
from tests.integration.controller.objects import FIRST, image
from tests.integration.kubectl.command import Kubectl
from tests.waiting import POLL, eventually

PERSON = "person"
OLDER = "0.9"
"""The version that ran before."""
_numbers = itertools.count(1)


@dataclass
class Gate:
    """One namespace."""

    namespace: str
    admin: Cluster
    controller: Cluster
    kubeconfig: Path
    """An admin's."""
    person: Kubectl

    @property
    def user(self) -> str:
        """What the API server calls the person."""
        return f"system:serviceaccount:{self.namespace}:{PERSON}"

    async def acting(self, user: str) -> Kubectl:
        """kubectl of an admin who acts for somebody else, with all rights."""
        theirs = self.person.home / f"{self.namespace}-{next(_numbers)}.kubeconfig"
        acting = {"as": user, "as-groups": ["system:masters"]}
        await asyncio.to_thread(_write, self.kubeconfig, theirs, acting)
        return replace(self.person, kubeconfig=theirs)

    async def target(self, *, live: bool) -> "Target":
        """A Deployment whose Canary is in the middle of an analysis, with pods; or at rest, without."""
        name = f"app-{next(_numbers)}"
        target = Target(self, name)
        await self.person("apply", "--server-side", "-f", "-", stdin=json.dumps(target.manifest()))
        made = await target.stored()
        for count, version in enumerate((OLDER, FIRST), start=1):
            await self.admin.create(REPLICASETS, _replicaset(made, version, count))
        await self.admin.create(CANARIES, objects.canary(self.namespace, name=name))
        await self._as_the_controller(name, live=live)
        try_it = ("scale", f"deploy/{name}", "--replicas=9", "--dry-run=server")
        while not (await self.person.run(*try_it)).err:  # noqa: ASYNC110 - until admission has heard of it
            await asyncio.sleep(POLL)
        return target

    async def canary(self, name: str) -> Json:
        """A Canary."""
        return await self.admin.get(CANARIES, name, self.namespace)

    async def _as_the_controller(self, name: str, *, live: bool) -> None:
        replicas = 2 if live else 0
        annotations = {"deployment.kubernetes.io/revision": "2"}
        await self.admin.patch(DEPLOYMENTS, name, self.namespace, {"metadata": {"annotations": annotations}})
        marks: Json = {
            "labels": {CANARY_LABEL: name},
            "annotations": {GIVEN_REPLICAS_ANNOTATION: str(replicas)},
        }
        for number in (0, replicas):
            patch = {"metadata": marks, "spec": {"replicas": number}}
            await self.controller.patch(DEPLOYMENTS, name, self.namespace, patch)
        status: Json = {"replicas": replicas, "observedGeneration": 2}
        await self.admin.patch(DEPLOYMENTS, name, self.namespace, {"status": status}, subresource="status")
        phase = {"phase": "Progressing" if live else "Succeeded", "canaryWeight": 10 if live else 0}
        await self.controller.patch(CANARIES, name, self.namespace, {"status": phase}, subresource="status")


@dataclass(frozen=True)
class Target:
    """One application."""

    gate: Gate
    name: str

    async def stored(self) -> Json:
        """The Deployment."""
        return await self.gate.admin.get(DEPLOYMENTS, self.name, self.gate.namespace)

    def manifest(self, version: str = FIRST, **spec: object) -> Json:
        """As its owner keeps it: with his own label and annotation, and nothing of ours."""
        body = objects.deployment(self.gate.namespace, version, name=self.name)
        body["metadata"] |= {"labels": {"team": "a"}, "annotations": {"note": "kept"}}
        body["spec"] = {key: value for key, value in (body["spec"] | spec).items() if value is not None}
        return body


def _replicaset(deployment: Json, version: str, count: int) -> Json:
    """As the Deployment controller would have made it for a version."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    labels = {**spec["template"]["metadata"]["labels"], "pod-template-hash": version.replace(".", "")}
    container = {**spec["template"]["spec"]["containers"][0], "image": image(version)}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{count}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {"note": "kept", "deployment.kubernetes.io/revision": str(count)},
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@asynccontextmanager
async def gate(kubeconfig: Path, folder: Path) -> AsyncIterator[Gate]:
    """Admission that is asked about all that happens in a namespace of its own."""
    namespace = f"gate-{next(_numbers)}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = Settings(
        host="127.0.0.1",
        port=port,
        probe_port=0,
        drain=timedelta(0),
        namespace=f"{namespace}-system",
        webhook_url=f"https://127.0.0.1:{port}",
        controller_username=f"system:serviceaccount:{namespace}:pinfeather-controller",
    )
    async with AsyncExitStack() as stack:
        admin, asked = [await stack.enter_async_context(await Cluster.connect(kubeconfig)) for _ in range(2)]
        await admin.create(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        controllers = await controllers_kubeconfig(admin, kubeconfig, namespace, folder)
        controller = await stack.enter_async_context(await Cluster.connect(controllers))
        person = await _person(admin, kubeconfig, namespace, folder)
        admission, stop = Admission(told, asked, CollectorRegistry()), asyncio.Event()
        running = asyncio.ensure_future(admission.run(stop))
        await eventually(lambda: admission.problem() is None or running.done())
        await registered(admin)
        yield Gate(namespace, admin, controller, kubeconfig, person)
        for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
            await admin.delete(resource, WEBHOOKS)
        await registered(admin, wanted=False)
        stop.set()
        await running


async def registered(admin: Cluster, *, wanted: bool = True) -> None:
    """Return when the API server goes by the registration of the webhooks, or no more."""
    wrong = objects.canary("default", name="wrong")
    wrong["spec"]["targetRef"]["name"] = "wrong-primary"
    while True:
        try:
            await admin.create(CANARIES, wrong)
        except ClusterError as refused:
            assert "webhook" in str(refused), refused
            if wanted:
                return
        else:
            await admin.delete(CANARIES, "wrong", "default")
            if not wanted:
                return
        await asyncio.sleep(POLL)


async def _person(admin: Cluster, kubeconfig: Path, namespace: str, folder: Path) -> Kubectl:
    """Somebody who may edit what is in the namespace, and nothing else, with a token from `kubectl`."""
    admins = Kubectl(kubeconfig, namespace, folder)
    await admins("create", "serviceaccount", PERSON)
    # What `edit` is made of, by name: no controller sums it up on a bare API server.
    for role in ("edit", "system:aggregate-to-edit", "system:aggregate-to-view"):
        binding = f"{PERSON}-{role.replace(':', '-')}"
        account = f"--serviceaccount={namespace}:{PERSON}"
        await admins("create", "rolebinding", binding, f"--clusterrole={role}", account)
    token = (await admins("create", "token", PERSON)).strip()
    theirs = folder / f"{namespace}-{PERSON}.kubeconfig"
    await asyncio.to_thread(_write, kubeconfig, theirs, {"token": token})
    person = Kubectl(theirs, namespace, folder)
    while (await person.run("auth", "can-i", "patch", "deployments")).code:  # noqa: ASYNC110 - a watch of the server's
        await asyncio.sleep(POLL)
    return person


def _write(admins: Path, path: Path, user: Json) -> None:
    """A kubeconfig for somebody else."""
    config = yaml.safe_load(admins.read_text())
    config["users"][0]["user"] |= user
    path.write_text(yaml.safe_dump(config))
