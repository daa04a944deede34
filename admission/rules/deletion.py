"""U: deleting a Canary, and what Canaries refer to."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.changes import RUNNING
from admission.rules.rule import Change
from admission.rules.wording import forbidden
from shared.errors import Problem
from shared.names import BREAK_GLASS_ANNOTATION
from shared.resources import CANARIES, DEPLOYMENTS
from shared.types.alert import AlertProvider
from shared.types.canary import Canary, Phase
from shared.types.meta import ObjectMeta
from shared.types.metric import MetricTemplate


def pods_are_left(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """Deleting a Canary leaves the application its pods.

    The primary and the Services go with their Canary, and the target stands at zero while the primary serves.
    Let through is a Canary whose target is gone. Annotation `pinfeather.dev/break-glass` turns this into a
    warning.

        <object>: Forbidden: the primary goes with the Canary, and Deployment podinfo has no pods of its own;
        delete the Deployment first, or set annotation pinfeather.dev/break-glass to a reason
    """
    canary = change.subject
    if canary.status.phase is Phase.NONE:
        return
    target = lookup.get(DEPLOYMENTS, canary.metadata.namespace, canary.spec.target_ref.name)
    if target is not None and not (target.get("spec") or {}).get("replicas", 1):
        why = (
            f"the primary goes with the Canary, and Deployment {canary.spec.target_ref.name} has no pods of "
            f"its own; delete the Deployment first, or set annotation {BREAK_GLASS_ANNOTATION} to a reason"
        )
        yield forbidden("", why)


def no_rollout_runs(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A Canary is not deleted in the middle of a rollout.

    The primary and the Services go with it, and what stays is the target with a revision that nobody analysed
    to its end.

        <object>: Forbidden: is Progressing; what stays is the target, with a revision that was not analysed
        to its end
    """
    canary = change.subject
    if canary.status.phase in RUNNING:
        stays = "what stays is the target, with a revision that was not analysed to its end"
        yield forbidden("", f"is {canary.status.phase}; {stays}")


def no_metric_asks_for_it(change: Change[MetricTemplate], lookup: Lookup) -> Iterator[Problem]:
    """No Canary has a metric of the template that goes.

    From then on each of its rounds fails.

        <object>: Forbidden: Canary test/podinfo measures with it; change that first, or its rounds fail
    """
    for canary in _referring(change.subject.metadata, lookup, "metrics", "templateRef"):
        yield forbidden("", f"Canary {canary} measures with it; change that first, or its rounds fail")


def no_alert_is_sent_by_it(change: Change[AlertProvider], lookup: Lookup) -> Iterator[Problem]:
    """No Canary sends its alerts through the provider that goes.

    From then on nobody is told.

        <object>: Forbidden: Canary test/podinfo sends its alerts through it; change that first
    """
    for canary in _referring(change.subject.metadata, lookup, "alerts", "providerRef"):
        yield forbidden("", f"Canary {canary} sends its alerts through it; change that first")


def _referring(gone: ObjectMeta, lookup: Lookup, entries: str, ref: str) -> Iterator[str]:
    """The Canaries, as namespace/name, with an entry whose reference means the object."""
    for canary in lookup.list(CANARIES, ""):
        metadata = canary["metadata"]
        found = ((canary.get("spec") or {}).get("analysis") or {}).get(entries) or ()
        refs = (entry.get(ref) or {} for entry in found)
        meant = ((each.get("namespace") or metadata.get("namespace"), each.get("name")) for each in refs)
        if (gone.namespace, gone.name) in meant:
            yield f"{metadata.get('namespace')}/{metadata['name']}"
