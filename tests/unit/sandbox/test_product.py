"""The product's manifests are taken as they are, but for what a sandbox has to change."""

from sandbox.addons import product
from shared.types.meta import Json

INSTALLED = "system:serviceaccount:pinfeather-system:pinfeather-controller"


def _of_kind(kind: str) -> list[Json]:
    return [body for body in product.admission() if body["kind"] == kind]


def test_the_webhooks_leave_alone_the_controller_under_the_name_that_it_has_here() -> None:
    configurations = [*_of_kind("MutatingWebhookConfiguration"), *_of_kind("ValidatingWebhookConfiguration")]
    webhooks = [webhook for body in configurations for webhook in body["webhooks"]]
    assert len(webhooks) == 5
    for webhook in webhooks:
        expressions = [condition["expression"].strip() for condition in webhook["matchConditions"]]
        assert f'request.userInfo.username != "{product.CONTROLLER}"' in expressions
        assert webhook["clientConfig"]["service"]["namespace"] == product.SYSTEM
    assert INSTALLED not in str(list(product.admission()))


def test_the_process_is_told_who_the_controller_is_and_listens_on_its_pods_address() -> None:
    (deployment,) = _of_kind("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert f"-controller-username={product.CONTROLLER}" in container["args"]
    assert "-host=$(POD_IP)" in container["args"]
    assert deployment["spec"]["replicas"] == 1


def test_the_rights_are_those_of_the_manifests() -> None:
    accounts = [
        body["metadata"]["name"]
        for body in (*product.admission(), *product.controller())
        if body["kind"] == "ServiceAccount"
    ]
    assert accounts == ["pinfeather-admission", product.CONTROLLER_ACCOUNT]
