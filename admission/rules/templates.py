"""T: MetricTemplates: whether the controller can ask them, and whether the answer is one number."""

import re
from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.urls import unreadable
from admission.rules.wording import invalid, required, unsupported
from shared.capabilities import METRIC_PROVIDERS
from shared.errors import InvalidSpec, Problem
from shared.query_template import variables_of
from shared.types.metric import MetricProviderType, MetricTemplate

_ONE_VALUE = (
    "sum|avg|min|max|count|stddev|stdvar|quantile|group",
    "scalar|vector|time|absent|absent_over_time|histogram_quantile",
)
# What is opened and never closed ends with the text, so that nothing is looked at twice.
_NOT_CODE = re.compile(
    r""" "(?:[^"\\\n]|\\.)*+"? | '(?:[^'\\\n]|\\.)*+'? | `[^`]*+`? | \#[^\n]*+ | \{\{[^}]*+(?:\}\})? """,
    re.VERBOSE,
)
_GIVES_ONE = re.compile(rf"\b(?:{'|'.join(_ONE_VALUE)})\b")
_GROUPED = re.compile(rf"\s*(?:{_ONE_VALUE[0]})\s*(?:by|without)\s*\(\s*\w", re.ASCII)


def provider_can_be_asked(change: Change[MetricTemplate], _: Lookup) -> Iterator[Problem]:
    """The provider is one that this version asks.

    Each check with any other would fail.

        spec.provider.type: Unsupported value: "datadog": supported values: "prometheus"
    """
    kind = change.subject.spec.provider.type
    if kind not in METRIC_PROVIDERS:
        yield unsupported("spec.provider.type", kind, METRIC_PROVIDERS)


def provider_has_an_address(change: Change[MetricTemplate], _: Lookup) -> Iterator[Problem]:
    """Prometheus has an address that can be used.

    There is no default, and without one each check fails.

        spec.provider.address: Required value: the URL of the Prometheus server
    """
    provider = change.subject.spec.provider
    if provider.address is not None:
        yield from unreadable("spec.provider.address", provider.address)
    elif provider.type is MetricProviderType.PROMETHEUS:
        yield required("spec.provider.address", "the URL of the Prometheus server")


def credentials_are_given_once(change: Change[MetricTemplate], _: Lookup) -> Iterator[Problem]:
    """Credentials come from the Secret or from a header, not from both.

    What the Secret holds wins. A header stands in the template, where everybody who may read it sees it.

        spec.provider.headers: Invalid value: "Authorization": is not sent when the Secret of secretRef
        has credentials; remove it
    """
    provider = change.subject.spec.provider
    for name in provider.headers if provider.secret_ref else ():
        if name.lower() == "authorization":
            why = "is not sent when the Secret of secretRef has credentials; remove it"
            yield invalid("spec.provider.headers", name, why)


def query_can_be_read(change: Change[MetricTemplate], _: Lookup) -> Iterator[Problem]:
    """The query can be filled in: in double braces stand names that there are.

    Known are name, namespace, target, service, ingress, route, interval and variables.KEY; nothing is
    computed. Otherwise each check with the template fails.

        spec.query: Invalid value: "up{x=\\"{{ pod }}\\"}": line 1, column 7: pod is not known; known are
        ingress, interval, name, namespace, route, service, target, variables.KEY
    """
    query = change.subject.spec.query
    try:
        variables_of(query)
    except InvalidSpec as error:
        yield invalid("spec.query", query, str(error))


def query_gives_one_value(change: Change[MetricTemplate], _: Lookup) -> Iterator[Problem]:
    """The query of a Prometheus gives one value.

    Several series are no measurement: the check fails as soon as there is a second pod, code or path. Only
    the words of the query are looked at, so this warns.

        spec.query: Invalid value: "rate(errors_total[1m])": can give several series, and then the check
        fails; aggregate it, for example with sum()
    """
    spec = change.subject.spec
    code = _NOT_CODE.sub(" ", spec.query)
    if spec.provider.type is not MetricProviderType.PROMETHEUS:
        return
    if _GROUPED.match(code) or not _GIVES_ONE.search(code):
        why = "can give several series, and then the check fails; aggregate it, for example with sum()"
        yield invalid("spec.query", spec.query, why)


def certificate_is_verified(change: Change[MetricTemplate], _: Lookup) -> Iterator[Problem]:
    """The server's certificate is verified.

    With insecureSkipVerify anybody on the way answers in its place, and reads the credentials.

        spec.provider.insecureSkipVerify: Invalid value: true: anybody on the way can answer for the
        server and read the credentials; give it a certificate that the controller trusts
    """
    if change.subject.spec.provider.insecure_skip_verify:
        why = (
            "anybody on the way can answer for the server and read the credentials; "
            "give it a certificate that the controller trusts"
        )
        yield invalid("spec.provider.insecureSkipVerify", True, why)  # noqa: FBT003 - the field's value
