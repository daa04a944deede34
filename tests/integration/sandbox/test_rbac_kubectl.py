"""kubectl's own view of rights: `auth can-i`, `auth whoami`, `--as`, and what people see of a refusal."""

from pathlib import Path

import pytest

from tests.integration.kubectl.command import BINARY, Kubectl
from tests.integration.sandbox.people import Town, rule

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="kubectl is not installed beside this Python")


async def says(kubectl: Kubectl, *arguments: str) -> tuple[int, str]:
    """Exit status and output."""
    ran = await kubectl.run(*arguments)
    return ran.code, ran.out


@pytest.fixture
def kubectl(admin_kubeconfig: Path, here: Town, tmp_path: Path) -> Kubectl:
    return Kubectl(admin_kubeconfig, here.namespace, tmp_path)


async def test_can_i_says_yes_or_no_by_its_exit_code_too(kubectl: Kubectl, here: Town) -> None:
    user = here.person()
    await here.allow(user, rule("apps", "deployments deployments/scale", "get patch"))
    as_user = f"--as={user.name}"
    assert await says(kubectl, "auth", "can-i", "create", "pods") == (0, "yes\n"), "an admin"
    assert await says(kubectl, "auth", "can-i", "patch", "deployments", as_user) == (0, "yes\n")
    scale = ("auth", "can-i", "patch", "deployments", "--subresource=scale", as_user)
    assert await says(kubectl, *scale) == (0, "yes\n")
    assert await says(kubectl, "auth", "can-i", "delete", "deployments.apps/web", as_user) == (1, "no\n")
    elsewhere = ("auth", "can-i", "patch", "deployments", "--all-namespaces", as_user)
    assert await says(kubectl, *elsewhere) == (1, "no\n")
    assert await says(kubectl, "auth", "can-i", "get", "/metrics", as_user) == (1, "no\n")
    assert await says(kubectl, "auth", "can-i", "get", "/version", as_user) == (0, "yes\n")


async def test_can_i_lists_everything(kubectl: Kubectl, here: Town) -> None:
    user = here.person()
    await here.allow(user, rule("core", "configmaps", "get list", "mine"))
    output = await kubectl("auth", "can-i", "--list", f"--as={user.name}")
    lines = [line.split() for line in output.splitlines()]
    assert ["configmaps", "[]", "[mine]", "[get", "list]"] in lines
    assert ["selfsubjectaccessreviews.authorization.k8s.io", "[]", "[]", "[create]"] in lines
    assert ["[/version]", "[]", "[get]"] in lines


async def test_whoami_tells_whom_one_acts_as(kubectl: Kubectl) -> None:
    output = await kubectl("auth", "whoami", "--as=ann", "--as-group=crew")
    rows = dict(line.split(maxsplit=1) for line in output.splitlines()[1:])
    assert rows == {"Username": "ann", "Groups": "[crew system:authenticated]"}


async def test_people_are_told_what_they_lack(kubectl: Kubectl, here: Town) -> None:
    assert await kubectl.fails("get", "pods", "--as=ann") == (
        'Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource "pods" in API '
        f'group "" in the namespace "{here.namespace}"\n'
    )


async def test_rights_are_given_with_kubectl(kubectl: Kubectl, here: Town) -> None:
    user = here.person()
    given = rule("core", "pods", "list")
    created = ("create", "role", "reader", "--verb=list", "--resource=pods")
    assert await kubectl(*created) == "role.rbac.authorization.k8s.io/reader created\n"
    await kubectl("create", "rolebinding", "reads", "--role=reader", f"--user={user.name}")
    await here.knows(user, given)
    await kubectl("get", "pods", f"--as={user.name}")
    output = await kubectl("get", "roles,rolebindings", "-o=name")
    assert output.split() == [
        "role.rbac.authorization.k8s.io/reader",
        "rolebinding.rbac.authorization.k8s.io/reads",
    ]


async def test_a_service_account_gets_a_token_from_kubectl(kubectl: Kubectl, here: Town) -> None:
    await kubectl("create", "serviceaccount", "app")
    token = await kubectl("create", "token", "app", "--duration=20m")
    review = {"spec": {"token": token.strip()}}
    answer = await here.admin.done("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
    assert answer["status"]["user"]["username"] == f"system:serviceaccount:{here.namespace}:app"
