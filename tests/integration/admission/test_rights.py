"""Who lacks one right on what a Canary changes gets no Canary that uses it for them: asked of API servers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from admission import check
from admission.caches import Caches
from admission.gatherer import ClusterGatherer
from admission.request import Operation, Request, User
from admission.rules import KINDS
from admission.rules.rule import Change
from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster, PatchType
from shared.resources import CANARIES, METRIC_TEMPLATES, NAMESPACES, Resource
from shared.types.meta import Json
from tests.integration.controller import objects
from tests.integration.controller.conftest import install
from tests.integration.real_api_server import RealApiServer
from tests.unit.admission.metric_cases import template
from tests.unit.admission.rule_cases import canary, edited, said
from tests.unit.admission.target_cases import scaled

RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC, "v1", "roles", "Role")
BINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")
EVERY = {
    "": ("services", ("podinfo", "podinfo-primary", "podinfo-canary")),
    "apps": ("deployments", ("podinfo", "podinfo-primary")),
    "autoscaling": ("horizontalpodautoscalers", ("podinfo-primary",)),
    "traefik.io": ("traefikservices", ("podinfo",)),
}
"""What a Canary of podinfo with an autoscaler has changed for it: by group, the resource and its names."""
CREATES = [("create", group, plural, "") for group, (plural, _) in EVERY.items()]
PATCHES = [("patch", group, plural, name) for group, (plural, names) in EVERY.items() for name in names]
RIGHTS = [*CREATES, *PATCHES]
Right = tuple[str, str, str, str]


@dataclass
class Door:
    """Admission in front of an API server, in a namespace of its own."""

    cluster: Cluster
    gatherer: ClusterGatherer
    namespace: str

    async def grant(self, user: str, rights: list[Right]) -> None:
        """Give the user exactly these rights."""
        rules = [
            {
                "verbs": [verb],
                "apiGroups": [group],
                "resources": [plural],
                **({"resourceNames": [name]} if name else {}),
            }
            for verb, group, plural, name in rights
        ]
        role = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": user, "namespace": self.namespace}}
        await self.cluster.patch(
            ROLES,
            user,
            self.namespace,
            {**role, "kind": "Role", "rules": rules},
            patch=PatchType.APPLY,
            force=True,
        )
        binding = {
            **role,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        }
        await self.cluster.patch(BINDINGS, user, self.namespace, binding, patch=PatchType.APPLY, force=True)

    async def refused(self, user: User, obj: Json, resource: Resource = CANARIES) -> list[str]:
        """What is said to a user who creates the object."""
        (kind,) = (kind for kind in KINDS if kind.resource == resource)
        placed = edited(obj, {"metadata.namespace": self.namespace})
        change: Change[Any] = Change(Operation.CREATE, None, None, placed, None, user)
        reading = check.read(kind, change)
        request = Request(
            uid="1",
            operation=Operation.CREATE,
            resource=resource,
            subresource="",
            namespace=self.namespace,
            name="podinfo",
            user=user,
            dry_run=False,
            received=datetime.now(UTC),
            new=placed,
            old=None,
        )
        found = check.check(reading, await self.gatherer.gather(request, reading.change))
        return [text for _, text in said("C01", found)]


@pytest.fixture(params=["sandbox", "real"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    """On the sandbox's API server, and on a real one."""
    server = None
    if request.param == "real":
        real: RealApiServer = request.getfixturevalue("real_api_server")
        kubeconfig = real.kubeconfig
    else:
        server = ApiServer(Config(state=tmp_path / "apiserver"))
        await server.start()
        kubeconfig = tmp_path / "apiserver/kubeconfig"
    async with await Cluster.connect(kubeconfig) as cluster:
        for crd in (*objects.our_crds(), objects.traefik_crd()):
            await install(cluster, crd)
        namespace = f"rights-{request.param}"
        await cluster.patch(
            NAMESPACES,
            namespace,
            None,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            patch=PatchType.APPLY,
        )
        yield Door(cluster, ClusterGatherer(cluster, Caches(cluster)), namespace)
    if server is not None:
        await server.stop()


def words(right: Right) -> str:
    """As in `kubectl auth can-i`."""
    verb, group, plural, name = right
    of_group, named = f".{group}" if group else "", f' "{name}"' if name else ""
    return f"{verb} {plural}{of_group}{named}"


async def told(door: Door, user: str, *, until: int) -> list[str]:
    """What a user is told that they may not do, once it is so much."""
    while len(refused := await door.refused(User(user), canary(scaled()))) != until:  # noqa: ASYNC110 - a watch
        await asyncio.sleep(0.01)
    return [text.split("Forbidden: ")[1].split(", which")[0] for text in refused]


async def test_every_right_is_needed_and_no_other(door: Door) -> None:
    """Users with all rights but one; each is told of exactly that one."""
    for number, missing in enumerate([None, *RIGHTS]):
        user = f"user-{number}"
        await door.grant(user, [right for right in RIGHTS if right != missing])
        expected = (
            [f'user "{user}" may not {words(missing)} in namespace "{door.namespace}"'] if missing else []
        )
        assert await told(door, user, until=len(expected)) == expected


async def test_without_an_autoscaler_no_right_on_autoscalers_is_needed(door: Door) -> None:
    await door.grant("plain", [right for right in RIGHTS if right[1] != "autoscaling"])
    assert len(await told(door, "plain", until=2)) == 2, "with one: to create and to patch it"
    assert await door.refused(User("plain"), canary()) == []


async def test_rights_on_other_names_and_in_other_namespaces_are_none(door: Door) -> None:
    others = [(verb, group, plural, "other") for verb, group, plural, _ in PATCHES]
    await door.grant("stranger", [*others, *CREATES])
    assert len(await told(door, "stranger", until=len(PATCHES))) == len(PATCHES)
    assert len(await door.refused(User("nobody"), canary(scaled()))) == len(RIGHTS)


async def test_rights_come_by_groups_too(door: Door) -> None:
    admin = User("anyone", groups=("system:masters", "system:authenticated"))
    assert await door.refused(admin, canary(scaled())) == []


async def test_a_right_that_was_just_given_counts_at_once(door: Door) -> None:
    await door.grant("late", CREATES)
    assert len(await told(door, "late", until=len(PATCHES))) == len(PATCHES)
    await door.grant("late", RIGHTS)
    assert await told(door, "late", until=0) == []


async def test_a_secret_is_for_those_who_may_read_it(door: Door) -> None:
    named = edited(template(), {"spec.provider.secretRef": {"name": "prometheus"}})
    await door.grant("reader", [("get", "", "secrets", "prometheus")])
    await door.grant("other", [("get", "", "secrets", "slack")])
    while await door.refused(User("reader"), named, METRIC_TEMPLATES):  # noqa: ASYNC110 - as in `told`
        await asyncio.sleep(0.01)
    assert len(await door.refused(User("other"), named, METRIC_TEMPLATES)) == 1
