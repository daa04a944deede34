"""kubectl's own view of rights: `auth can-i`, `auth whoami`, `--as`, and what people see of a refusal."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.sandbox.people import Town, rule

KUBECTL = Path(sys.executable).with_name("kubectl")
pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not installed beside this Python")


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace."""

    kubeconfig: Path
    namespace: str
    home: Path

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        process = await asyncio.create_subprocess_exec(
            *(str(KUBECTL), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments),
            env={"HOME": str(self.home)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()


@pytest.fixture
def kubectl(admin_kubeconfig: Path, here: Town, tmp_path: Path) -> Kubectl:
    return Kubectl(admin_kubeconfig, here.namespace, tmp_path)


async def test_can_i_says_yes_or_no_by_its_exit_code_too(kubectl: Kubectl, here: Town) -> None:
    user = here.person()
    await here.allow(user, rule("apps", "deployments deployments/scale", "get patch"))
    as_user = f"--as={user.name}"
    assert (await kubectl("auth", "can-i", "create", "pods"))[:2] == (0, "yes\n"), "an admin"
    assert (await kubectl("auth", "can-i", "patch", "deployments", as_user))[:2] == (0, "yes\n")
    scale = ("auth", "can-i", "patch", "deployments", "--subresource=scale", as_user)
    assert (await kubectl(*scale))[:2] == (0, "yes\n")
    assert (await kubectl("auth", "can-i", "delete", "deployments.apps/web", as_user))[:2] == (1, "no\n")
    elsewhere = ("auth", "can-i", "patch", "deployments", "--all-namespaces", as_user)
    assert (await kubectl(*elsewhere))[:2] == (1, "no\n")
    assert (await kubectl("auth", "can-i", "get", "/metrics", as_user))[:2] == (1, "no\n")
    assert (await kubectl("auth", "can-i", "get", "/version", as_user))[:2] == (0, "yes\n")


async def test_can_i_lists_everything(kubectl: Kubectl, here: Town) -> None:
    user = here.person()
    await here.allow(user, rule("core", "configmaps", "get list", "mine"))
    code, output, _ = await kubectl("auth", "can-i", "--list", f"--as={user.name}")
    lines = [line.split() for line in output.splitlines()]
    assert code == 0
    assert ["configmaps", "[]", "[mine]", "[get", "list]"] in lines
    assert ["selfsubjectaccessreviews.authorization.k8s.io", "[]", "[]", "[create]"] in lines
    assert ["[/version]", "[]", "[get]"] in lines


async def test_whoami_tells_whom_one_acts_as(kubectl: Kubectl) -> None:
    code, output, _ = await kubectl("auth", "whoami", "--as=ann", "--as-group=crew")
    rows = dict(line.split(maxsplit=1) for line in output.splitlines()[1:])
    assert (code, rows) == (0, {"Username": "ann", "Groups": "[crew system:authenticated]"})


async def test_people_are_told_what_they_lack(kubectl: Kubectl, here: Town) -> None:
    code, _, errors = await kubectl("get", "pods", "--as=ann")
    assert (code, errors) == (
        1,
        'Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource "pods" in API '
        f'group "" in the namespace "{here.namespace}"\n',
    )


async def test_rights_are_given_with_kubectl(kubectl: Kubectl, here: Town) -> None:
    user = here.person()
    given = rule("core", "pods", "list")
    created = ("create", "role", "reader", "--verb=list", "--resource=pods")
    assert (await kubectl(*created))[1] == "role.rbac.authorization.k8s.io/reader created\n"
    code, _, errors = await kubectl("create", "rolebinding", "reads", "--role=reader", f"--user={user.name}")
    assert code == 0, errors
    await here.knows(user, given)
    assert (await kubectl("get", "pods", f"--as={user.name}"))[0] == 0
    code, output, _ = await kubectl("get", "roles,rolebindings", "-o=name")
    assert output.split() == [
        "role.rbac.authorization.k8s.io/reader",
        "rolebinding.rbac.authorization.k8s.io/reads",
    ]


async def test_a_service_account_gets_a_token_from_kubectl(kubectl: Kubectl, here: Town) -> None:
    assert (await kubectl("create", "serviceaccount", "app"))[0] == 0
    code, token, errors = await kubectl("create", "token", "app", "--duration=20m")
    assert code == 0, errors
    review = {"spec": {"token": token.strip()}}
    answer = await here.admin.done("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert answer["status"]["user"]["username"] == f"system:serviceaccount:{here.namespace}:app"
