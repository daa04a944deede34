"""What a namespace has from its start, and that it takes everything along when it goes."""

from tests.integration.kubectl.command import Kubectl

STANDARD = ("serviceaccount/default", "configmap/kube-root-ca.crt")


async def there_are(kubectl: Kubectl) -> None:
    """Returns once both are there. kubectl waits for the creation of one object, not of several."""
    for what in STANDARD:
        await kubectl("wait", "--for=create", what, "--timeout=60s")


async def test_it_starts_with_an_account_for_pods_and_the_certificates_to_trust(kubectl: Kubectl) -> None:
    await there_are(kubectl)
    certificates = await kubectl.value("configmap/kube-root-ca.crt", r".data.ca\.crt")
    assert certificates.startswith("-----BEGIN CERTIFICATE-----")


async def test_whoever_deletes_those_gets_them_back(kubectl: Kubectl) -> None:
    await there_are(kubectl)
    await kubectl("delete", *STANDARD)
    await there_are(kubectl)


async def test_it_goes_with_all_that_is_in_it(kubectl: Kubectl) -> None:
    await kubectl("create", "quota", "team", "--hard=pods=10")
    await kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1")
    await kubectl("create", "ingress", "web", "--rule=web.example.com/*=web:80")
    await kubectl("delete", "namespace", kubectl.namespace, "--timeout=60s")
    assert "NotFound" in await kubectl.fails("get", "namespace", kubectl.namespace)
