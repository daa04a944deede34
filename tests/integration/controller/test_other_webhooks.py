"""Beside others' webhooks, whatever they make of a write before or after ours; and what is only tried."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.hold import hold_of, rollout_of
from shared.names import HOLD_ANNOTATION
from shared.resources import DEPLOYMENTS, MUTATING_WEBHOOKS
from shared.revision import template_hash
from shared.types.meta import Json
from tests.integration.controller.gate import Gate, Target, gate
from tests.integration.controller.objects import FIRST, SECOND, image
from tests.integration.kubectl.command import BINARY
from tests.integration.webhook_receiver import Answer, Receiver, configuration, receiving, rule, webhook
from tests.waiting import POLL

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="kubectl is not installed beside this Python")

SIDECAR = {"name": "proxy", "image": "proxy:1"}


@dataclass
class Street:
    """Admission, and another webhook beside it."""

    gate: Gate
    others: Receiver

    async def another(self, name: str, answer: Answer, **fields: str) -> None:
        """Have another webhook asked about targets; its name says whether before ours or after."""
        self.others.answers["/"] = answer
        only = {"matchLabels": {"kubernetes.io/metadata.name": self.gate.namespace}}
        asked = webhook(
            "another",
            self.others.client("/"),
            [rule("deployments", "UPDATE", "apps")],
            namespaceSelector=only,
            **fields,
        )
        await self.gate.admin.create(MUTATING_WEBHOOKS, configuration("Mutating", name, asked))
        probe = await self.gate.target(live=False)
        self.others.reviews.clear()
        while not self.others.reviews:  # until the API server goes by it
            await self.gate.person(
                "annotate", f"deploy/{probe.name}", "probe=yes", "--overwrite", "--dry-run=server"
            )
            await asyncio.sleep(POLL)

    async def forget(self, name: str) -> None:
        await self.gate.admin.delete(MUTATING_WEBHOOKS, name)


@pytest.fixture
async def street(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[Street]:
    async with gate(kubeconfig, tmp_path) as opened, receiving() as others:
        yield Street(opened, others)


def patched(*operations: Json) -> Json:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patch": patch, "patchType": "JSONPatch"}


def injects(request: Json) -> Json:
    """A sidecar into each template that has none."""
    containers = request["object"]["spec"]["template"]["spec"]["containers"]
    if any(each["name"] == SIDECAR["name"] for each in containers):
        return {"allowed": True}
    return patched({"op": "add", "path": "/spec/template/spec/containers/-", "value": SIDECAR})


def takes_back(request: Json) -> Json:
    """An image policy that insists on the first version."""
    path = "/spec/template/spec/containers/0/image"
    return patched({"op": "replace", "path": path, "value": image(FIRST)})


def resumes(request: Json) -> Json:
    """Somebody who wants nothing paused."""
    if not request["object"]["spec"].get("paused"):
        return {"allowed": True}
    return patched({"op": "remove", "path": "/spec/paused"})


async def set_image(target: Target, *flags: str) -> tuple[int, str]:
    person = target.gate.person
    ran = await person.run("set", "image", f"deploy/{target.name}", f"podinfod={image(SECOND)}", *flags)
    return ran.code, ran.err


@pytest.mark.parametrize("name", ["aa-before", "zz-after"])
async def test_what_is_held_is_what_is_stored_with_what_others_put_into_it(street: Street, name: str) -> None:
    target = await street.gate.target(live=True)
    await street.another(name, injects)
    code, said = await set_image(target)
    assert code == 0 and said.count("Warning:") == 1
    stored = await target.stored()
    await street.forget(name)
    assert [each["name"] for each in stored["spec"]["template"]["spec"]["containers"]] == [
        "podinfod",
        "proxy",
    ]
    waits, told = hold_of(stored["metadata"]), rollout_of(stored["metadata"])
    assert waits is not None and told is not None and stored["spec"]["paused"] is True
    assert waits.revision == told.revision == template_hash(stored["spec"]["template"])
    assert told.images == {"podinfod": (image(FIRST), image(SECOND)), "proxy": ("", "proxy:1")}


async def test_a_template_that_others_take_back_leaves_no_trace(street: Street) -> None:
    target = await street.gate.target(live=True)
    await street.another("zz-after", takes_back)
    before = await target.stored()
    assert (await set_image(target))[0] == 0
    await street.forget("zz-after")
    stored = await target.stored()
    assert stored["spec"] == before["spec"]
    assert HOLD_ANNOTATION not in stored["metadata"]["annotations"]


@pytest.mark.parametrize("policy", ["Never", "IfNeeded"])
async def test_a_hold_that_others_undo_is_made_again_or_the_write_is_refused(
    street: Street, policy: str
) -> None:
    target = await street.gate.target(live=True)
    await street.another("zz-after", resumes, reinvocationPolicy=policy)
    before = await target.stored()
    code, said = await set_image(target)
    await street.forget("zz-after")
    stored = await target.stored()
    if policy == "Never":
        assert code == 0
        assert stored["spec"]["paused"] is True and hold_of(stored["metadata"]) is not None
    else:
        assert code == 1
        assert (
            "spec.paused: Forbidden: the new template has to wait, and another admission webhook let it go"
            in said
        )
        assert stored["spec"] == before["spec"]


async def test_a_dry_run_says_the_same_and_stores_nothing(street: Street) -> None:
    target = await street.gate.target(live=True)
    before = await target.stored()
    code, said = await set_image(target, "--dry-run=server")
    assert code == 0 and "holds the new template" in said
    assert await target.stored() == before
    manifest = json.dumps(target.manifest(SECOND, replicas=None))
    apply = ("apply", "--server-side", "--dry-run=server", "-f", "-")
    told = await street.gate.person.run(*apply, stdin=manifest)
    assert told.code == 0 and "holds the new template" in told.err
    assert await target.stored() == before


async def test_what_is_deleted_together_is_protected_one_by_one(street: Street) -> None:
    """`kubectl delete --all` asks for each; other clients have the API server delete a collection."""
    gate_ = street.gate
    target = await gate_.target(live=True)
    canary = await gate_.canary(target.name)
    primary = target.manifest()
    primary["metadata"] |= {
        "name": f"{target.name}-primary",
        "labels": {"pinfeather.dev/canary": target.name},
    }
    primary["metadata"]["ownerReferences"] = [
        {
            "apiVersion": canary["apiVersion"],
            "kind": "Canary",
            "name": target.name,
            "uid": canary["metadata"]["uid"],
            "controller": True,
        }
    ]
    await gate_.controller.create(DEPLOYMENTS, primary)
    path = f"/apis/apps/v1/namespaces/{gate_.namespace}/deployments"
    chosen = f"?labelSelector=pinfeather.dev/canary={target.name}"
    ran = await gate_.person.run("delete", "--raw", path + chosen)
    assert ran.code == 1
    assert f"{target.name}-primary is written by Canary {gate_.namespace}/{target.name} alone" in ran.err
    await gate_.admin.get(DEPLOYMENTS, f"{target.name}-primary", gate_.namespace)
