"""Everybody may do what bindings give them, and nothing else. The sandbox's server and a real one agree."""

import pytest

from tests.integration.api_client import APPLY, MERGE, ApiClient
from tests.integration.sandbox.people import RBAC, Town, rule

READ_CONFIG = rule("core", "configmaps", "get list watch")
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        (
            "GET",
            "/configmaps",
            'configmaps is forbidden: User "x" cannot list resource "configmaps" in API group ""',
        ),
        (
            "GET",
            "/configmaps?watch=1",
            'configmaps is forbidden: User "x" cannot watch resource "configmaps"',
        ),
        ("GET", "/configmaps/a", 'configmaps "a" is forbidden: User "x" cannot get resource "configmaps"'),
        ("POST", "/configmaps", 'configmaps is forbidden: User "x" cannot create resource "configmaps"'),
        ("PUT", "/configmaps/a", 'configmaps "a" is forbidden: User "x" cannot update resource "configmaps"'),
        (
            "DELETE",
            "/configmaps/a",
            'configmaps "a" is forbidden: User "x" cannot delete resource "configmaps"',
        ),
        (
            "DELETE",
            "/configmaps",
            'configmaps is forbidden: User "x" cannot deletecollection resource "configmaps"',
        ),
        (
            "GET",
            "/pods/p/log",
            'pods "p" is forbidden: User "x" cannot get resource "pods/log" in API group ""',
        ),
        ("POST", "/pods/p/binding", 'pods "p" is forbidden: User "x" cannot create resource "pods/binding"'),
        (
            "GET",
            "/nonsense",
            'nonsense is forbidden: User "x" cannot list resource "nonsense" in API group ""',
        ),
    ],
)
async def test_whoever_has_no_binding_is_refused_before_anything_else_is_looked_at(
    here: Town, method: str, path: str, refusal: str
) -> None:
    said = await here.person("x").refused(method, here.core + path)
    assert said.startswith(refusal)
    assert said.endswith(f'in the namespace "{here.namespace}"')


async def test_a_refusal_tells_which_resource_group_and_scope(here: Town) -> None:
    stranger = here.person("x")
    path = f"/apis/flagger.app/v1beta1/namespaces/{here.namespace}/canaries/podinfo/status"
    code, answer = await stranger.send("PATCH", path, {}, MERGE)
    assert (code, answer) == (
        403,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": 'canaries.flagger.app "podinfo" is forbidden: User "x" cannot patch resource '
            f'"canaries/status" in API group "flagger.app" in the namespace "{here.namespace}"',
            "reason": "Forbidden",
            "details": {"name": "podinfo", "group": "flagger.app", "kind": "canaries"},
            "code": 403,
        },
    )
    assert (await stranger.refused("GET", "/api/v1/configmaps")).endswith("at the cluster scope")
    assert await stranger.refused("GET", "/metrics") == 'forbidden: User "x" cannot get path "/metrics"'
    assert await stranger.refused("POST", "/x", {}) == 'forbidden: User "x" cannot post path "/x"'


async def test_a_role_holds_in_its_namespace_alone(here: Town) -> None:
    user = here.person()
    await here.allow(user, READ_CONFIG)
    assert (await user.send("GET", f"{here.core}/configmaps"))[0] == 200
    assert (await user.send("GET", f"{here.core}/configmaps/missing"))[0] == 404
    await user.refused("GET", "/api/v1/namespaces/kube-system/configmaps")
    await user.refused("GET", "/api/v1/configmaps")
    await user.refused("POST", f"{here.core}/configmaps", CONFIG_MAP)


async def test_a_cluster_role_reaches_as_far_as_its_binding(here: Town) -> None:
    near, far = here.person(), here.person()
    role = await here.cluster_role(READ_CONFIG)
    await here.bind(near.subject, role, "ClusterRole")
    await here.bind_everywhere(far.subject, role)
    await here.knows(near, READ_CONFIG)
    await here.knows(far, READ_CONFIG)
    await near.refused("GET", "/api/v1/namespaces/kube-system/configmaps")
    assert (await far.send("GET", "/api/v1/namespaces/kube-system/configmaps"))[0] == 200
    assert (await far.send("GET", "/api/v1/configmaps"))[0] == 200


async def test_a_subresource_needs_a_rule_of_its_own(here: Town) -> None:
    whole, status, scales = here.person(), here.person(), here.person()
    await here.allow(whole, rule("apps", "deployments", "get patch"))
    await here.allow(status, rule("apps", "deployments/status", "patch"))
    await here.allow(scales, rule("*", "*/scale", "get"))
    path = f"{here.apps}/deployments/web"
    assert "deployments/status" in await whole.refused("PATCH", f"{path}/status", {}, MERGE)
    assert (await status.send("PATCH", f"{path}/status", {}, MERGE))[0] == 404
    await status.refused("PATCH", path, {}, MERGE)
    assert (await scales.send("GET", f"{path}/scale"))[0] == 404
    await scales.refused("GET", path)


async def test_resource_names_open_single_objects(here: Town) -> None:
    user = here.person()
    await here.allow(user, rule("core", "configmaps", "get list watch create", "mine"))
    assert (await user.send("GET", f"{here.core}/configmaps/mine"))[0] == 404
    await user.refused("GET", f"{here.core}/configmaps/other")
    await user.refused("GET", f"{here.core}/configmaps")
    selected = f"{here.core}/configmaps?fieldSelector=metadata.name%3D"
    assert (await user.send("GET", f"{selected}mine"))[0] == 200
    await user.refused("GET", f"{selected}other")
    await user.refused("POST", f"{here.core}/configmaps", {"metadata": {"name": "mine"}})


async def test_a_right_ends_with_its_binding(here: Town, admin: ApiClient) -> None:
    user = here.person()
    binding = await here.allow(user, READ_CONFIG)
    await admin.done("DELETE", f"{here.rbac}/rolebindings/{binding}")
    await here.knows(user, READ_CONFIG, allowed=False)
    await user.refused("GET", f"{here.core}/configmaps")


async def test_a_right_follows_its_role(here: Town, admin: ApiClient) -> None:
    user = here.person()
    await here.bind(user.subject, "later")
    assert not await user.may("list", "configmaps", namespace=here.namespace)
    await here.role(READ_CONFIG, name="later")
    await here.knows(user, READ_CONFIG)
    await admin.done("PATCH", f"{here.rbac}/roles/later", {"rules": [rule("core", "pods", "get")]}, MERGE)
    await here.knows(user, READ_CONFIG, allowed=False)


async def test_a_service_account_has_what_it_and_its_groups_are_given(here: Town) -> None:
    account = await here.account("app")
    await account.refused("GET", f"{here.core}/configmaps")
    await here.allow(account, READ_CONFIG)
    everyone = {"kind": "Group", "name": f"system:serviceaccounts:{here.namespace}"}
    secrets = rule("core", "secrets", "list")
    await here.bind({**everyone, "apiGroup": "rbac.authorization.k8s.io"}, await here.role(secrets))
    await here.knows(account, secrets)
    assert (await account.send("GET", f"{here.core}/configmaps"))[0] == 200
    assert (await account.send("GET", f"{here.core}/secrets"))[0] == 200
    said = await account.refused("GET", f"{here.core}/pods")
    assert f'User "system:serviceaccount:{here.namespace}:app" cannot list' in said


async def test_urls_that_are_no_resources_have_rules_too(here: Town) -> None:
    user = here.person()
    await user.refused("GET", "/debug/requests")
    await here.allow(user, {"nonResourceURLs": ["/debug/*"], "verbs": ["get"]}, everywhere=True)
    code, _ = await user.send("GET", "/debug/nothing")
    assert code == 404
    await user.refused("POST", "/debug/nothing", {})
    for path in ("/version", "/api", "/apis", "/openapi/v3", "/healthz"):
        assert (await here.person().send("GET", path))[0] == 200, "what all users need to find their way"


async def test_without_a_token_one_is_anonymous_and_with_a_wrong_one_nobody(here: Town) -> None:
    nobody = here.person()
    nobody.headers = {"Authorization": ""}
    assert (await nobody.send("GET", "/version"))[0] == 200
    said = await nobody.refused("GET", f"{here.core}/configmaps")
    assert said.startswith('configmaps is forbidden: User "system:anonymous" cannot list')
    assert 'User "system:anonymous" cannot get path "/api"' in await nobody.refused("GET", "/api")
    nobody.headers = {"Authorization": "Bearer guessed"}
    code, answer = await nobody.send("GET", "/version")
    assert (code, answer["message"]) == (401, "Unauthorized")


async def test_an_apply_that_creates_needs_the_right_to_create(here: Town, admin: ApiClient) -> None:
    user = here.person()
    await here.allow(user, rule("core", "configmaps", "patch"))
    path = f"{here.core}/configmaps/a?fieldManager=test"
    assert 'configmaps "a" is forbidden' in await user.refused("PATCH", path, CONFIG_MAP, APPLY)
    await admin.done("POST", f"{here.core}/configmaps", CONFIG_MAP)
    assert (await user.send("PATCH", path, CONFIG_MAP, APPLY))[0] == 200


async def test_a_bad_role_or_binding_is_refused_with_all_that_is_wrong(here: Town, admin: ApiClient) -> None:
    rules = [{"apiGroups": [""], "resources": [], "verbs": []}, {"nonResourceURLs": ["/x"], "verbs": ["get"]}]
    code, answer = await admin.send(
        "POST", f"{here.rbac}/roles", {"metadata": {"name": "bad"}, "rules": rules}
    )
    assert (code, answer["message"]) == (
        422,
        'Role.rbac.authorization.k8s.io "bad" is invalid: [rules[0].verbs: Required value: verbs must '
        "contain at least one value, rules[0].resources: Required value: resource rules must supply at least "
        'one resource, rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to '
        "non-resource URLs]",
    )
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "Nope"},
        "subjects": [{"kind": "Odd", "name": ""}],
    }
    code, answer = await admin.send("POST", f"{here.rbac}/rolebindings", binding)
    assert (code, [cause["field"] for cause in answer["details"]["causes"]]) == (
        422,
        ["roleRef.kind", "roleRef.name", "subjects[0].name", "subjects[0].kind"],
    )


async def test_a_binding_keeps_its_role(here: Town, admin: ApiClient) -> None:
    binding = await here.bind(here.person().subject, "one")
    path = f"{here.rbac}/rolebindings/{binding}"
    code, answer = await admin.send("PATCH", path, {"roleRef": {"name": "two"}}, MERGE)
    assert (code, answer["details"]["causes"][0]["message"]) == (
        422,
        'Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"two"}: '
        "cannot change roleRef",
    )


async def test_the_roles_that_every_cluster_has_are_there(admin: ApiClient) -> None:
    roles = await admin.done("GET", f"{RBAC}/clusterroles")
    names = {role["metadata"]["name"] for role in roles["items"]}
    assert {"cluster-admin", "admin", "edit", "view", "system:discovery", "system:basic-user"} <= names
    masters = await admin.done("GET", f"{RBAC}/clusterrolebindings/cluster-admin")
    assert [subject["name"] for subject in masters["subjects"]] == ["system:masters"]
