"""O: what else is around: other Canaries, what has the names that this one needs, what selects its pods."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.names import pod_label
from admission.rules.rule import Change
from admission.rules.surroundings import founded, is_owned, items, made_by, name_of, part, target_of
from admission.rules.wording import duplicate, forbidden, invalid
from shared.errors import Problem
from shared.names import canary_name, primary_name
from shared.resources import (
    CANARIES,
    DEPLOYMENTS,
    HPAS,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    SERVICES,
    Resource,
)
from shared.types.canary import Canary
from shared.types.meta import Json

_SELECTED_BY = {POD_DISRUPTION_BUDGETS: "selector", NETWORK_POLICIES: "podSelector"}


def nothing_is_shared(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """No other Canary of the namespace has the same target, apex or autoscaler.

    Two would undo each other's work: each scales the target and writes the weights as its own analysis goes.

        spec.targetRef.name: Duplicate value: "podinfo": is the target of Canary test/podinfo-2 already;
        change that one, or delete it first
    """
    canary = change.subject
    namespace = canary.metadata.namespace
    ours = _identity(canary.spec.dump())
    for other in lookup.list(CANARIES, namespace) if founded(change) else ():
        if name_of(other) == canary.metadata.name:
            continue
        theirs = _identity(part(other, "spec"))
        for field, (what, value) in ours.items():
            if value and theirs[field][1] == value:
                why = (
                    f"is the {what} of Canary {namespace}/{name_of(other)} already; "
                    "change that one, or delete it first"
                )
                yield duplicate(field, value[-1], why)


def _identity(spec: Json) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What a Canary has to itself, by field: what it is, and its kind and name."""
    target, autoscaler = part(spec, "targetRef"), part(spec, "autoscalerRef")
    apex = part(spec, "service").get("name") or target.get("name", "")
    return {
        "spec.targetRef.name": ("target", (str(target.get("kind")), str(target.get("name", "")))),
        "spec.service.name": ("apex", (str(apex),)),
        "spec.autoscalerRef.name": (
            "autoscaler",
            (str(autoscaler.get("kind")), str(autoscaler["name"])) if autoscaler.get("name") else (),
        ),
    }


def generated_names_are_free(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """What the Canary generates has names that nobody else's objects have.

    The controller overwrites nothing that it did not make, so that the Canary could never start. An apex
    Service that belongs to nobody is taken over.

        spec.targetRef.name: Forbidden: Deployment test/podinfo-primary is there already and not of this
        Canary; delete or rename it
    """
    canary = change.subject
    namespace, name = canary.metadata.namespace, canary.metadata.name
    for field, resource, generated_name in generated(canary) if founded(change) else ():
        found = lookup.get(resource, namespace, generated_name)
        adopted = (resource, generated_name) == (SERVICES, canary.spec.apex_name)
        if found is not None and not made_by(found, name) and (is_owned(found) or not adopted):
            why = f"{resource.kind} {namespace}/{generated_name} is there already and not of this Canary"
            yield forbidden(field, f"{why}; delete or rename it")


def generated(canary: Canary) -> Iterator[tuple[str, Resource, str]]:
    """Field to blame, resource and name of what is generated; of the TraefikService P11 takes care."""
    apex, autoscaler = canary.spec.apex_name, canary.spec.autoscaler_ref
    yield "spec.targetRef.name", DEPLOYMENTS, primary_name(canary.spec.target_ref.name)
    for service in (apex, primary_name(apex), canary_name(apex)):
        yield "spec.service.name", SERVICES, service
    if autoscaler is not None:
        yield "spec.autoscalerRef.name", HPAS, primary_name(autoscaler.name)


def apex_can_be_taken_over(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """A Service that has the apex's name already can be given to the primary's pods.

    One of type ExternalName has no pods, and a name for two ports would be refused.

        spec.service.name: Forbidden: Service test/podinfo is of type ExternalName, which has no pods; delete
        it, or choose another name
    """
    canary = change.subject
    full_name = f"{canary.metadata.namespace}/{canary.spec.apex_name}"
    for apex in _adopted(change, lookup):
        if part(apex, "spec").get("type") == "ExternalName":
            why = f"Service {full_name} is of type ExternalName, which has no pods"
            yield forbidden("spec.service.name", f"{why}; delete it, or choose another name")
        for port in items(apex, "spec", "ports"):
            named = canary.spec.service.port_name == port.get("name")
            if named and port.get("port") != canary.spec.service.port:
                why = (
                    f"port {port.get('port')} of Service {full_name} has that name; choose another, "
                    "or remove that port"
                )
                yield invalid("spec.service.portName", port.get("name"), why)


def apex_keeps_its_selector(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """A Service that is taken over selects by the target's label alone.

    Other labels in its selector are taken away: the primary's pods are told by that one.

        spec.service.name: Invalid value: "podinfo": the selector of Service test/podinfo loses component;
        see that app=podinfo-primary is enough
    """
    canary = change.subject
    target = target_of(change, lookup) if founded(change) else None
    label = pod_label(target, change.options) if target else None
    for apex in _adopted(change, lookup) if label else ():
        key, value = label or ("", "")
        lost = sorted(part(apex, "spec", "selector").keys() - {key})
        if lost:
            why = (
                f"the selector of Service {canary.metadata.namespace}/{canary.spec.apex_name} loses "
                f"{', '.join(lost)}; see that {key}={primary_name(value)} is enough"
            )
            yield invalid("spec.service.name", canary.spec.apex_name, why)


def _adopted(change: Change[Canary], lookup: Lookup) -> Iterator[Json]:
    """The apex Service, if it is there and nobody's."""
    canary = change.subject
    if founded(change):
        apex = lookup.get(SERVICES, canary.metadata.namespace, canary.spec.apex_name)
        if apex is not None and not is_owned(apex):
            yield apex


def others_select_the_primary_too(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """PodDisruptionBudgets and NetworkPolicies of the target's pods are of the primary's pods as well.

    The primary's pods, which serve, have another value of the label, so that what was made for the
    application would hold for the canary alone.

        spec.targetRef.name: Invalid value: "podinfo": PodDisruptionBudget test/podinfo selects the target's
        pods and not the primary's; let it select app=podinfo-primary as well
    """
    canary = change.subject
    namespace = canary.metadata.namespace
    target = target_of(change, lookup) if founded(change) else None
    label = pod_label(target, change.options) if target else None
    if target is None or label is None:
        return
    pods = part(target, "spec", "template", "metadata", "labels")
    copies = {**pods, label[0]: primary_name(label[1])}
    for resource, field in _SELECTED_BY.items():
        for other in lookup.list(resource, namespace):
            selector = part(other, "spec", field)
            if _selects(selector, pods) and not _selects(selector, copies):
                why = (
                    f"{resource.kind} {namespace}/{name_of(other)} selects the target's pods and not the "
                    f"primary's; let it select {label[0]}={copies[label[0]]} as well"
                )
                yield invalid("spec.targetRef.name", canary.spec.target_ref.name, why)


def _selects(selector: Json, labels: Json) -> bool:
    """Whether a label selector matches; an empty one matches all."""
    if any(labels.get(key) != value for key, value in part(selector, "matchLabels").items()):
        return False
    return all(_meets(expression, labels) for expression in items(selector, "matchExpressions"))


def _meets(expression: Json, labels: Json) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
