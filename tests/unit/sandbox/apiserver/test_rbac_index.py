"""Rights are compiled once and found again quickly, and nothing that changed is remembered."""

from sandbox.apiserver.access.attributes import Access
from sandbox.apiserver.access.rbac import GROUP, Authorizer
from sandbox.apiserver.requests import User
from sandbox.apiserver.resources import Json
from sandbox.apiserver.storage import Store

ANN = User("ann", groups=("crew",))
LIST = Access("list", "", "pods", "test")


def put(store: Store, plural: str, name: str, body: Json, namespace: str = "") -> None:
    store.collection(f"{GROUP}/{plural}").put((namespace, name), {"metadata": {"name": name}, **body})


def given(*subjects: Json) -> tuple[Store, Authorizer]:
    """A store in which these may list pods in the namespace test."""
    store = Store()
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    put(store, "roles", "reader", {"rules": [rule]}, "test")
    reference = {"kind": "Role", "name": "reader"}
    put(store, "rolebindings", "reads", {"roleRef": reference, "subjects": list(subjects)}, "test")
    return store, Authorizer(store)


def test_users_and_groups_of_one_name_are_not_mixed_up() -> None:
    _, authorizer = given({"kind": "User", "name": "crew"})
    assert not authorizer.decide(ANN, LIST).allowed
    _, authorizer = given({"kind": "Group", "name": "ann"})
    assert not authorizer.decide(ANN, LIST).allowed
    _, authorizer = given({"kind": "Group", "name": "crew"})
    assert authorizer.decide(ANN, LIST).reason == (
        'RBAC: allowed by RoleBinding "reads/test" of Role "reader" to Group "crew"'
    )


def test_an_account_without_a_namespace_is_of_the_bindings() -> None:
    _, authorizer = given({"kind": "ServiceAccount", "name": "app"})
    assert authorizer.decide(User("system:serviceaccount:test:app"), LIST).allowed
    assert not authorizer.decide(User("system:serviceaccount:other:app"), LIST).allowed


def test_a_change_counts_once_the_authorizer_was_told() -> None:
    store, authorizer = given({"kind": "User", "name": "ann"})
    assert authorizer.decide(ANN, LIST).allowed
    put(store, "roles", "reader", {"rules": []}, "test")
    authorizer.forget()
    assert not authorizer.decide(ANN, LIST).allowed


def test_urls_and_resources_have_nothing_to_do_with_each_other() -> None:
    store, authorizer = given({"kind": "User", "name": "ann"})
    put(store, "clusterroles", "urls", {"rules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}]})
    reference = {"kind": "ClusterRole", "name": "urls"}
    subject = {"kind": "User", "name": "bob"}
    put(store, "clusterrolebindings", "urls", {"roleRef": reference, "subjects": [subject]})
    bob = User("bob")
    assert authorizer.decide(bob, Access("get", path="/any/where")).allowed
    assert not authorizer.decide(bob, LIST).allowed
