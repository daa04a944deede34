"""Which webhooks a write concerns, as far as it can be told without a server."""

from sandbox.apiserver.admission.webhooks import REGISTRATION, Webhooks
from sandbox.apiserver.requests import Call, User, parse_path
from sandbox.apiserver.resources import Catalog
from sandbox.apiserver.storage import Store
from tests.integration.webhook_receiver import configuration, rule, webhook

PLURAL = "validatingwebhookconfigurations"


def registered(*names: str) -> tuple[Store, Webhooks]:
    store = Store()
    hooks = []
    for name in names:
        hook = webhook(
            name, {"url": "https://127.0.0.1:9"}, [rule("deployments", "UPDATE", "apps", scope="*")]
        )
        filled = {"matchPolicy": "Equivalent", "failurePolicy": "Fail"}
        hooks.append({**hook, **filled, "namespaceSelector": {}, "objectSelector": {}})
    store.collection(f"{REGISTRATION}/{PLURAL}").put(("", "all"), configuration("Validating", "all", *hooks))
    return store, Webhooks(store, Catalog(), PLURAL)


def write(path: str) -> Call:
    return Call("PATCH", parse_path(Catalog(), path), {}, User("me"))


POD = write("/api/v1/namespaces/default/pods/web")
DEPLOYMENT = write("/apis/apps/v1/namespaces/default/deployments/web")


def test_webhooks_are_found_in_the_order_of_their_configuration() -> None:
    _, webhooks = registered("b", "a")
    found = webhooks.candidates(DEPLOYMENT, "UPDATE")
    assert [invocation.webhook.name for invocation in found] == ["b.example.com", "a.example.com"]
    assert webhooks.candidates(DEPLOYMENT, "DELETE") == ()
    assert webhooks.candidates(POD, "UPDATE") == ()


def test_a_change_of_a_configuration_counts_at_once() -> None:
    store, webhooks = registered("a")
    assert webhooks.candidates(DEPLOYMENT, "UPDATE")
    store.collection(f"{REGISTRATION}/{PLURAL}").put(("", "all"), configuration("Validating", "all"))
    assert webhooks.candidates(DEPLOYMENT, "UPDATE") == ()
