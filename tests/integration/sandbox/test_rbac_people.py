"""Acting for others, giving rights away, and asking what one may: as a real server answers."""

import pytest

from tests.integration.api_client import MERGE, ApiClient
from tests.integration.sandbox.people import AUTHORIZATION, RBAC, Town, User, rule

READ_CONFIG = rule("core", "configmaps", "get list watch")
ROLES = rule("rbac.authorization.k8s.io", "roles rolebindings", "create get list patch update")
CLUSTER_ROLES = rule("rbac.authorization.k8s.io", "clusterroles clusterrolebindings", "create patch")
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


# Acting for others


async def who(user: User, **headers: str) -> dict[str, object]:
    code, answer = await user.send("POST", WHO, {}, **headers)
    assert code == 201, answer
    found: dict[str, object] = answer["status"]["userInfo"]
    return found


async def test_an_admin_may_act_as_anybody_with_the_groups_that_he_names(here: Town) -> None:
    user = here.person("x", Impersonate_Group="g", Impersonate_Uid="7", Impersonate_Extra_Dept="d")
    assert await who(user) == {
        "username": "x", "uid": "7", "groups": ["g", "system:authenticated"], "extra": {"dept": ["d"]}
    }  # fmt: skip
    groups = ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"]
    name = "system:serviceaccount:a:b"
    assert await who(here.person(name)) == {"username": name, "groups": groups}


async def test_who_acts_as_a_master_may_do_everything(here: Town) -> None:
    master = here.person("x", Impersonate_Group="system:masters")
    assert (await master.send("GET", "/api/v1/secrets"))[0] == 200


async def test_acting_for_others_takes_the_right_to_each_name(here: Town) -> None:
    account = await here.account("app")
    path = f"{here.core}/configmaps"
    code, answer = await account.send("GET", path, Impersonate_User="boss")
    assert code == 403
    assert 'cannot impersonate-on:user-info:list resource "configmaps"' in answer["message"]
    await here.allow(account, rule("core", "users groups", "impersonate", "boss"), everywhere=True)
    code, answer = await account.send("GET", path, Impersonate_User="boss", Impersonate_Group="boss")
    assert answer["message"].startswith('configmaps is forbidden: User "boss" cannot list')
    code, answer = await account.send("GET", path, Impersonate_User="boss", Impersonate_Group="crew")
    assert answer["message"] == (
        f'groups "crew" is forbidden: User "{account.name}" cannot impersonate resource "groups" '
        'in API group "" at the cluster scope'
    )
    code, answer = await account.send("GET", path, Impersonate_User="boss", Impersonate_Extra_Dept="d")
    assert 'userextras.authentication.k8s.io "d" is forbidden' in answer["message"]


async def test_groups_without_a_user_make_no_sense(here: Town) -> None:
    nobody = here.person()
    nobody.headers = {"Impersonate-Group": "g"}
    code, answer = await nobody.send("GET", f"{here.core}/configmaps")
    assert (code, answer["reason"]) == (400, "BadRequest")
    assert answer["message"].endswith("without impersonating a user name")


# Giving rights away


async def test_nobody_grants_what_he_does_not_have(here: Town) -> None:
    account = await here.account("app")
    await here.allow(
        account, ROLES, rule("core", "pods", "get list"), rule("apps", "deployments", "get", "a")
    )
    mine, more = rule("core", "pods", "get"), rule("core apps", "pods secrets", "get list", "q")
    path = f"{here.rbac}/roles"
    assert (await account.send("POST", path, {"metadata": {"name": "mine"}, "rules": [mine]}))[0] == 201
    said = await account.refused("POST", path, {"metadata": {"name": "more"}, "rules": [more]})
    groups = f'"system:serviceaccounts" "system:serviceaccounts:{here.namespace}" "system:authenticated"'
    assert said == (
        f'roles.rbac.authorization.k8s.io "more" is forbidden: user "{account.name}" (groups=[{groups}]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["secrets"], ResourceNames:["q"], Verbs:["get" "list"]}\n'
        '{APIGroups:["apps"], Resources:["pods"], ResourceNames:["q"], Verbs:["get" "list"]}\n'
        '{APIGroups:["apps"], Resources:["secrets"], ResourceNames:["q"], Verbs:["get" "list"]}'
    )
    for wider in (rule("apps", "deployments", "get"), rule("apps", "deployments", "get", "a", "b")):
        await account.refused("POST", path, {"metadata": {"name": "wide"}, "rules": [wider]})
    await account.refused("PATCH", f"{path}/mine", {"rules": [rule("core", "pods", "get watch")]}, MERGE)
    assert (await account.send("PATCH", f"{path}/mine", {"metadata": {"labels": {"a": "b"}}}, MERGE))[
        0
    ] == 200


async def test_nobody_binds_a_role_that_has_more_than_he_has(here: Town) -> None:
    account = await here.account("app")
    await here.allow(account, ROLES, rule("core", "pods", "get"))
    await here.role(rule("core", "pods", "get"), name="small")

    def binding(name: str, kind: str = "Role") -> dict[str, object]:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        subjects = [{"kind": "User", "name": "bob"}]
        return {"metadata": {"name": f"to-{name}"}, "roleRef": reference, "subjects": subjects}

    path = f"{here.rbac}/rolebindings"
    assert (await account.send("POST", path, binding("small")))[0] == 201
    said = await account.refused("POST", path, binding("cluster-admin", "ClusterRole"))
    assert said.endswith(
        'not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n'
        '{NonResourceURLs:["*"], Verbs:["*"]}'
    )
    assert (await account.send("POST", path, binding("missing")))[0] == 404
    bind = rule("rbac.authorization.k8s.io", "clusterroles", "bind", "cluster-admin")
    await here.allow(account, bind)
    assert (await account.send("POST", path, binding("cluster-admin", "ClusterRole")))[0] == 201


async def test_escalating_has_a_verb_and_aggregating_is_for_admins(here: Town) -> None:
    account = await here.account("app")
    await here.allow(account, CLUSTER_ROLES, everywhere=True)
    name = f"{here.namespace}-wide"
    role = {"metadata": {"name": name}, "rules": [rule("core", "secrets", "get")]}
    selector = {"matchLabels": {"no": "such"}}
    collected = {"metadata": {"name": name}, "aggregationRule": {"clusterRoleSelectors": [selector]}}
    path = f"{RBAC}/clusterroles"
    await account.refused("POST", path, role)
    said = await account.refused("POST", path, collected)
    assert said.endswith("must have cluster-admin privileges to use the aggregationRule")
    escalate = rule("rbac.authorization.k8s.io", "clusterroles", "escalate")
    await here.allow(account, escalate, everywhere=True)
    assert (await account.send("POST", path, role))[0] == 201


# Asking


async def ask(admin: ApiClient, kind: str, spec: object) -> tuple[int, dict[str, object]]:
    code, answer = await admin.send("POST", f"{AUTHORIZATION}/{kind}", {"spec": spec})
    return code, answer.get("status") if code == 201 else answer


async def test_one_may_ask_what_one_may_and_why(here: Town) -> None:
    user = here.person()
    binding = await here.allow(user, READ_CONFIG)
    assert await user.may("list", "configmaps", namespace=here.namespace)
    assert not await user.may("list", "configmaps")
    assert not await user.may("delete", "configmaps", namespace=here.namespace)
    asked = {"verb": "get", "resource": "configmaps", "namespace": here.namespace}
    spec = {"user": user.name, "resourceAttributes": asked}
    code, answer = await ask(here.admin, "subjectaccessreviews", spec)
    assert (code, answer["allowed"]) == (201, True)
    start = f'RBAC: allowed by RoleBinding "{binding}/{here.namespace}" of Role "'
    assert str(answer["reason"]).startswith(start)
    assert str(answer["reason"]).endswith(f'to User "{user.name}"')
    local = f"namespaces/{here.namespace}/localsubjectaccessreviews"
    assert (await ask(here.admin, local, spec))[1]["allowed"] is True
    everybody = {"groups": ["system:authenticated"], "resourceAttributes": asked}
    assert (await ask(here.admin, "subjectaccessreviews", everybody))[1] == {"allowed": False}


async def test_asking_about_others_takes_a_right(here: Town) -> None:
    said = await here.person("x").refused("POST", f"{AUTHORIZATION}/subjectaccessreviews", {})
    assert 'cannot create resource "subjectaccessreviews" in API group "authorization.k8s.io"' in said


async def test_all_that_one_may_is_listed(here: Town) -> None:
    user = here.person()
    await here.allow(user, READ_CONFIG)
    path = f"{AUTHORIZATION}/selfsubjectrulesreviews"
    code, answer = await user.send("POST", path, {"spec": {"namespace": here.namespace}})
    assert code == 201
    assert READ_CONFIG in answer["status"]["resourceRules"]
    urls = [url for found in answer["status"]["nonResourceRules"] for url in found["nonResourceURLs"]]
    assert "/openapi/*" in urls
    assert answer["status"]["incomplete"] is False


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        (
            "selfsubjectaccessreviews",
            {},
            "exactly one of nonResourceAttributes or resourceAttributes must be",
        ),
        (
            "subjectaccessreviews",
            {"resourceAttributes": {"verb": "get"}},
            "at least one of user or group must be",
        ),
        (
            "namespaces/default/localsubjectaccessreviews",
            {"user": "x", "resourceAttributes": {"verb": "get", "namespace": "other"}},
            'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
        ),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    admin: ApiClient, kind: str, spec: object, words: str
) -> None:
    code, answer = await admin.send("POST", f"{AUTHORIZATION}/{kind}", {"spec": spec})
    assert code == 422
    assert words in answer["message"]


async def test_a_token_tells_whose_it_is_and_how_long_it_lasts(here: Town, admin: ApiClient) -> None:
    account = await here.account("app")
    token = account.headers["Authorization"].removeprefix("Bearer ")
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    review = await admin.done("POST", reviews, {"spec": {"token": token}})
    assert review["status"]["authenticated"] is True
    assert review["status"]["user"]["username"] == account.name
    assert review["status"]["audiences"] == ["https://kubernetes.default.svc"]
    review = await admin.done("POST", reviews, {"spec": {"token": "guessed"}})
    assert review["status"] == {"user": {}, "error": "invalid bearer token"}
    path = f"{here.core}/serviceaccounts/app/token"
    code, answer = await admin.send("POST", path, {"spec": {"expirationSeconds": 6}})
    assert (code, answer["details"]["causes"][0]["field"]) == (422, "spec.expirationSeconds")
