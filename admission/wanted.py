"""What the rules need to know for one change: which objects, which lists, which rights of the user. Pure.

Change ──► wanted ──► Wanted ──► gatherer ──► Snapshot, the rules' Lookup
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from admission.request import Operation
from admission.rules.access import Access, alert_access, canary_access, template_access
from admission.rules.neighbours import generated
from admission.rules.rule import Change
from admission.rules.surroundings import founded
from admission.rules.target import WORKLOADS
from shared.names import TRAEFIK_GROUPS
from shared.resources import (
    ALERT_PROVIDERS,
    CANARIES,
    DEPLOYMENTS,
    HPAS,
    METRIC_TEMPLATES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    RESOURCE_QUOTAS,
    Resource,
    ingress_routes,
    traefik_services,
)
from shared.types.alert import AlertProvider
from shared.types.canary import Canary
from shared.types.metric import MetricTemplate


@dataclass(frozen=True, slots=True)
class Ref:
    """One object."""

    resource: Resource
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class All:
    """Every object of a kind in a namespace; with an empty one, in all that are known."""

    resource: Resource
    namespace: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that is to be found out, each thing once. What is in a list is not asked for by name."""

    objects: frozenset[Ref] = frozenset()
    lists: frozenset[All] = frozenset()
    access: frozenset[Access] = frozenset()


def wanted(change: Change[Any]) -> Wanted:
    """What the rules can ask about this change."""
    deletes = change.operation is Operation.DELETE
    subject = change.old if deletes else change.new
    match subject:
        case Canary():
            if deletes:
                return Wanted(frozenset({_target(subject)}))
            lists = frozenset(_lists(change))
            objects = frozenset(
                ref for ref in _objects(change) if All(ref.resource, ref.namespace) not in lists
            )
            return Wanted(objects, lists, frozenset(access for _, access in canary_access(change)))
        case MetricTemplate():
            access = frozenset(access for _, access in template_access(change))
            return Wanted(lists=_everybody(deletes), access=access)
        case AlertProvider():
            access = frozenset(access for _, access in alert_access(change))
            return Wanted(lists=_everybody(deletes), access=access)
        case _:
            return Wanted()


def _everybody(deletes: bool) -> frozenset[All]:  # noqa: FBT001 - the one thing that it depends on
    return frozenset({All(CANARIES, "")}) if deletes else frozenset()


def _target(canary: Canary) -> Ref:
    return Ref(DEPLOYMENTS, canary.metadata.namespace, canary.spec.target_ref.name)


def _objects(change: Change[Canary]) -> Iterator[Ref]:
    # What was referred to before as well: it may have been just as wrong, and then it is no reason to refuse.
    for canary in (change.new, change.old):
        if canary is None:
            continue
        namespace, analysis = canary.metadata.namespace, canary.spec.analysis
        for metric in analysis.metrics:
            if metric.template_ref is not None:
                ref = metric.template_ref
                yield Ref(METRIC_TEMPLATES, ref.namespace or namespace, ref.name)
        for alert in analysis.alerts:
            ref = alert.provider_ref
            yield Ref(ALERT_PROVIDERS, ref.namespace or namespace, ref.name)
    if change.new is None or not founded(change):
        return
    canary = change.new
    yield _target(canary)
    for _, resource, name in generated(canary):
        yield Ref(resource, canary.metadata.namespace, name)
    for resource in map(traefik_services, TRAEFIK_GROUPS):
        yield Ref(resource, canary.metadata.namespace, canary.spec.apex_name)


def _lists(change: Change[Canary]) -> Iterator[All]:
    if change.new is None or not founded(change):
        return
    for resource in (
        *(CANARIES, HPAS, *WORKLOADS, RESOURCE_QUOTAS, POD_DISRUPTION_BUDGETS, NETWORK_POLICIES),
        *map(ingress_routes, TRAEFIK_GROUPS),
    ):
        yield All(resource, change.new.metadata.namespace)
