"""M: the hooks of an analysis: where they lead, how long they take, what they give away."""

import re
from collections.abc import Iterator
from datetime import timedelta

from yarl import URL

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.urls import host_of, namespace_of, origin_of, unreadable
from admission.rules.wording import duplicate, invalid
from shared.duration import render
from shared.errors import Problem
from shared.types.canary import Canary, HookType, Webhook

HOOKS = "spec.analysis.webhooks"
_EACH_ROUND = frozenset(
    {
        *(HookType.ROLLOUT, HookType.ROLLBACK),
        *(HookType.CONFIRM_TRAFFIC_INCREASE, HookType.CONFIRM_PROMOTION),
    }
)
_GATES = frozenset({HookType.CONFIRM_ROLLOUT, HookType.CONFIRM_TRAFFIC_INCREASE, HookType.CONFIRM_PROMOTION})
_GATE_PATH = "/gate/check"
"""The path at which a load tester is asked for a Canary's one gate."""
_SECRET = re.compile(
    r"passw(or)?d|secret|token|credential|authorization|api[-_.]?key|private[-_.]?key", re.IGNORECASE
)


def _each(change: Change[Canary]) -> Iterator[tuple[str, Webhook]]:
    for index, hook in enumerate(change.subject.spec.analysis.webhooks):
        yield f"{HOOKS}[{index}]", hook


def urls_can_be_read(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A hook's URL can be used.

    Each call of it would fail.

        spec.analysis.webhooks[0].url: Invalid value: "http://gate.test:99090/": cannot be read as a
        URL; check host and port
    """
    for path, hook in _each(change):
        yield from unreadable(f"{path}.url", hook.url)


def clear_text_stays_at_home(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Hooks over plain http stay in the Canary's namespace.

    Whoever is on the way to another one, or out of the cluster, reads along and answers in the receiver's
    place. A name without a namespace leads to the controller's own.

        spec.analysis.webhooks[0].url: Invalid value: "http://gate.ci/check": leaves namespace test in
        clear text; use https
    """
    namespace = change.subject.metadata.namespace
    for path, hook in _each(change):
        host = host_of(hook.url)
        if not host or not hook.url.startswith("http://"):
            continue
        if host.replace("-", "").isalnum() and not host.isdigit():
            why = f"is looked up in the controller's namespace; write {host}.{namespace} for the Canary's own"
            yield invalid(f"{path}.url", hook.url, why)
        elif namespace_of(host) != namespace:
            yield invalid(f"{path}.url", hook.url, f"leaves namespace {namespace} in clear text; use https")


def rounds_have_time_for_hooks(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The hooks of a round are done within an interval, with all their attempts.

    The next round waits for the one before, so that slow hooks stretch the whole analysis.

        spec.analysis.interval: Invalid value: "10s": the hooks of a round can take 40s, and the next
        one waits for them; shorten their timeout, or raise the interval
    """
    analysis = change.subject.spec.analysis
    hooks = [hook for hook in analysis.webhooks if hook.type in _EACH_ROUND]
    takes = sum((hook.timeout * (hook.retries + 1) for hook in hooks), timedelta())
    if takes >= analysis.interval:
        why = (
            f"the hooks of a round can take {render(takes)}, and the next one waits for them; shorten their "
            "timeout, or raise the interval"
        )
        yield invalid("spec.analysis.interval", render(analysis.interval), why)


def certificates_are_verified(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Hooks verify the receiver's certificate.

    With disableTLS anybody on the way answers in its place, and opens its gates.

        spec.analysis.webhooks[0].disableTLS: Invalid value: true: anybody on the way can answer for the
        receiver; give it a certificate that the controller trusts
    """
    for path, hook in _each(change):
        if hook.disable_tls:
            why = (
                "anybody on the way can answer for the receiver; "
                "give it a certificate that the controller trusts"
            )
            yield invalid(f"{path}.disableTLS", True, why)  # noqa: FBT003 - the field's value


def no_secrets_are_told(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Nothing secret stands in a hook.

    Everybody who may read the Canary reads its hooks' metadata and URLs.

        spec.analysis.webhooks[0].metadata: Invalid value: "apiToken": looks like a secret, which
        everybody who may read the Canary sees; let the receiver keep it
    """
    why = "looks like a secret, which everybody who may read the Canary sees; let the receiver keep it"
    for path, hook in _each(change):
        for key in hook.metadata:
            if _SECRET.search(key):
                yield invalid(f"{path}.metadata", key, why)
        if "@" in hook.url.split("/")[2]:
            yield invalid(f"{path}.url", f"{origin_of(hook.url)}/", f"its user and password: {why}")


def names_are_told_apart(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Each hook has a name of its own.

    Events name a hook by it.

        spec.analysis.webhooks[1].name: Duplicate value: "load-test": events do not tell the two apart;
        rename one of them
    """
    seen: set[str] = set()
    for path, hook in _each(change):
        if hook.name in seen:
            yield duplicate(f"{path}.name", hook.name, "events do not tell the two apart; rename one of them")
        seen.add(hook.name)


def gates_are_opened_one_by_one(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Each gate of a Canary is one of its own.

    A load tester has one gate for each Canary, so whoever opens it for the rollout opens it for the
    promotion as well.

        spec.analysis.webhooks[1].url: Duplicate value: "http://tester.test/gate/check": is the gate of
        confirm-rollout hook start too, and both open at once; ask another receiver
    """
    first: dict[str, Webhook] = {}
    for path, hook in _each(change):
        if hook.type not in _GATES or host_of(hook.url) == "" or URL(hook.url).path.rstrip("/") != _GATE_PATH:
            continue
        other = first.setdefault(origin_of(hook.url), hook)
        if other.type is not hook.type:
            why = (
                f"is the gate of {other.type} hook {other.name} too, and both open at once; "
                "ask another receiver"
            )
            yield duplicate(f"{path}.url", hook.url, why)
