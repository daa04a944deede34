"""M and A: alerts, and the AlertProviders that send them."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.urls import unreadable
from admission.rules.wording import invalid, not_found
from shared.capabilities import ALERT_TYPES
from shared.errors import Problem
from shared.resources import ALERT_PROVIDERS
from shared.types.alert import AlertProvider
from shared.types.canary import Canary

ALERTS = "spec.analysis.alerts"


def providers_exist(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The AlertProvider that an alert names exists.

    Until it does, nobody is told. It may be applied after the Canary, so this only warns.

        spec.analysis.alerts[0].providerRef: Not found: "test/on-call": until this AlertProvider is
        there, the alert is not sent
    """
    canary = change.subject
    for index, alert in enumerate(canary.spec.analysis.alerts):
        namespace = alert.provider_ref.namespace or canary.metadata.namespace
        found = lookup.get(ALERT_PROVIDERS, namespace, alert.provider_ref.name)
        if lookup.complete and found is None:
            why = "until this AlertProvider is there, the alert is not sent"
            yield not_found(f"{ALERTS}[{index}].providerRef", f"{namespace}/{alert.provider_ref.name}", why)


def alerts_are_sent(change: Change[AlertProvider], _: Lookup) -> Iterator[Problem]:
    """The chat service is one that this version sends alerts to.

    To any other nothing is sent, so nobody should wait for it.

        spec.type: Invalid value: "slack": this version sends no alerts there; watch the Canary's events
    """
    kind = change.subject.spec.type
    if kind not in ALERT_TYPES:
        yield invalid("spec.type", kind, "this version sends no alerts there; watch the Canary's events")


def addresses_can_be_read(change: Change[AlertProvider], _: Lookup) -> Iterator[Problem]:
    """Address and proxy are URLs that can be used.

    No alert could be sent.

        spec.address: Invalid value: "https://hooks.example.com:99090/": cannot be read as a URL; check
        host and port
    """
    spec = change.subject.spec
    for field, url in (("address", spec.address), ("proxy", spec.proxy)):
        if url is not None:
            yield from unreadable(f"spec.{field}", url)
