"""Ways to change a Deployment with kubectl, as functions of a target: what is said besides the output."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.names import CANARY_LABEL, GIVEN_REPLICAS_ANNOTATION
from shared.types.meta import Json
from tests.integration.controller.gate import OLDER, Target
from tests.integration.controller.objects import FIRST, SECOND, THIRD, image
from tests.integration.kubectl.command import Ran

HOLDS = "holds the new template"
ANALYSES = "analyses the new template"
SERVER_SIDE = ("apply", "--server-side", "-f", "-")
FORCED = (*SERVER_SIDE, "--force-conflicts")


@dataclass
class Case:
    """A target, and kubectl for the person who changes it."""

    target: Target

    async def run(self, *arguments: str, stdin: Json | None = None) -> Ran:
        """A command; `APP` in it is the target's name."""
        told = [each.replace("APP", self.target.name) for each in arguments]
        return await self.target.gate.person.run(*told, stdin=json.dumps(stdin) if stdin else "")

    async def does(self, *arguments: str, stdin: Json | None = None) -> str:
        """What a command that has to succeed says besides its output."""
        ran = await self.run(*arguments, stdin=stdin)
        assert ran.code == 0, ran
        return ran.err

    async def edits(self, script: str) -> str:
        """`kubectl edit`, with an editor that runs a sed script."""
        person = self.target.gate.person.editing(script)
        ran = await person.run("edit", f"deployment/{self.target.name}")
        assert ran.code == 0, ran
        return ran.err

    def manifest(self, version: str = SECOND, **spec: object) -> Json:
        return self.target.manifest(version, **spec)


async def set_image(case: Case) -> str:
    return await case.does("set", "image", "deploy/APP", f"podinfod={image(SECOND)}")


async def set_env(case: Case) -> str:
    return await case.does("set", "env", "deploy/APP", "LEVEL=debug")


async def apply(case: Case) -> str:
    first = await case.does("apply", "-f", "-", stdin=case.manifest(FIRST, replicas=None))
    assert HOLDS not in first and ANALYSES not in first
    return await case.does("apply", "-f", "-", stdin=case.manifest(replicas=None))


async def apply_server_side(case: Case) -> str:
    """Whoever leaves out replicas, as one should, conflicts with nobody."""
    return await case.does(*SERVER_SIDE, stdin=case.manifest(replicas=None))


async def apply_server_side_with_force(case: Case) -> str:
    return await case.does(*FORCED, stdin=case.manifest(replicas=None))


async def edit(case: Case) -> str:
    return await case.edits(f"s|{image(FIRST)}|{image(SECOND)}|")


async def patch_strategic(case: Case) -> str:
    container = {"name": "podinfod", "image": image(SECOND)}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return await case.does("patch", "deploy/APP", "-p", json.dumps(body))


async def patch_merge(case: Case) -> str:
    template = case.manifest()["spec"]["template"]
    body = json.dumps({"spec": {"template": template}})
    return await case.does("patch", "deploy/APP", "--type=merge", "-p", body)


async def patch_json(case: Case) -> str:
    path = "/spec/template/spec/containers/0/image"
    body = json.dumps([{"op": "replace", "path": path, "value": image(SECOND)}])
    return await case.does("patch", "deploy/APP", "--type=json", "-p", body)


async def replace(case: Case) -> str:
    replicas = (await case.target.stored())["spec"]["replicas"]
    return await case.does("replace", "-f", "-", stdin=case.manifest(replicas=replicas))


async def restart(case: Case) -> str:
    return await case.does("rollout", "restart", "deploy/APP")


async def undo(case: Case) -> str:
    said = await case.does("rollout", "undo", "deploy/APP")
    container = (await case.target.stored())["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == image(OLDER)
    return said


ROLLOUTS = (
    set_image, set_env, apply, apply_server_side, apply_server_side_with_force, edit, patch_strategic,
    patch_merge, patch_json, replace, restart, undo,
)  # fmt: skip


async def apply_a_size(case: Case) -> str:
    return await case.does("apply", "-f", "-", stdin=case.manifest(FIRST, replicas=5))


async def apply_a_size_with_force(case: Case) -> str:
    return await case.does(*FORCED, stdin=case.manifest(FIRST, replicas=5))


async def replace_with_a_size(case: Case) -> str:
    return await case.does("replace", "-f", "-", stdin=case.manifest(FIRST, replicas=5))


async def patch_a_size(case: Case) -> str:
    return await case.does("patch", "deploy/APP", "-p", '{"spec":{"replicas":5}}')


async def edit_a_size(case: Case) -> str:
    return await case.edits("s|^  replicas: [0-9]*|  replicas: 5|")


async def replace_by_force_with_a_size(case: Case) -> str:
    """kubectl deletes it and creates it again: whatever the template, it starts without pods."""
    return await case.does("replace", "--force", "-f", "-", stdin=case.manifest(THIRD, replicas=5))


async def delete_and_create(case: Case) -> str:
    said = await case.does("delete", "deploy/APP", "--wait=true")
    assert f"Warning: Canary {case.target.gate.namespace}/{case.target.name} cannot roll out" in said
    return await case.does("create", "-f", "-", stdin=case.manifest(THIRD, replicas=5))


RESIZED = (
    apply_a_size, apply_a_size_with_force, replace_with_a_size, patch_a_size, edit_a_size,
)  # fmt: skip
MADE_AGAIN = (replace_by_force_with_a_size, delete_and_create)

Way = Callable[[Case], Awaitable[str]]


def marks(stored: Json) -> dict[str, str]:
    found: dict[str, str] = stored["metadata"].get("annotations") or {}
    return found


async def marked(target: Target) -> Json:
    """The target, with all that has to survive any write."""
    stored = await target.stored()
    assert stored["metadata"]["labels"] == {"team": "a", CANARY_LABEL: target.name}
    assert marks(stored)["note"] == "kept"
    assert GIVEN_REPLICAS_ANNOTATION in marks(stored)
    return stored
