"""O: autoscalers and quotas: whether the primary keeps the size that the application has."""

import re
from collections.abc import Iterator
from fractions import Fraction

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.surroundings import containers, founded, name_of, part, target_of
from admission.rules.wording import invalid, not_found, required
from shared.errors import Problem
from shared.names import primary_name
from shared.resources import DEPLOYMENTS, HPAS, RESOURCE_QUOTAS
from shared.types.canary import Canary
from shared.types.meta import Json

REF = "spec.autoscalerRef"
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([-+]?\d{1,2}))?", re.ASCII)
_FACTORS = {
    **{suffix: Fraction(1000) ** power for power, suffix in zip(range(-3, 0), "num", strict=True)},
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def autoscaler_is_named(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The autoscaler that scales the target is the one that `autoscalerRef` names.

    The primary, which serves, gets a copy of that one. Without it the application keeps the number of pods
    that it starts with, whatever its load.

        spec.autoscalerRef: Required value: HorizontalPodAutoscaler test/podinfo scales the target, and the
        primary would have none; name it here
    """
    canary = change.subject
    ref = canary.spec.autoscaler_ref
    for autoscaler in lookup.list(HPAS, canary.metadata.namespace) if founded(change) else ():
        if not _scales(autoscaler, canary.spec.target_ref.name):
            continue
        what = f"{HPAS.kind} {canary.metadata.namespace}/{name_of(autoscaler)} scales the target"
        if ref is None:
            yield required(REF, f"{what}, and the primary would have none; name it here")
        elif ref.kind == HPAS.kind and ref.name != name_of(autoscaler):
            yield invalid(f"{REF}.name", ref.name, f"{what}; name that one here")


def autoscaler_scales_the_target(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The autoscaler that `autoscalerRef` names scales the target.

    The primary's copy of it scales the primary, by what was meant for something else.

        spec.autoscalerRef.name: Invalid value: "shop": HorizontalPodAutoscaler test/shop scales Deployment
        shop and not the target; name the target's own
    """
    canary = change.subject
    autoscaler = _autoscaler(change, lookup)
    if autoscaler is not None and not _scales(autoscaler, canary.spec.target_ref.name):
        scaled = part(autoscaler, "spec", "scaleTargetRef")
        why = (
            f"{HPAS.kind} {canary.metadata.namespace}/{name_of(autoscaler)} scales {scaled.get('kind')} "
            f"{scaled.get('name')} and not the target; name the target's own"
        )
        yield invalid(f"{REF}.name", name_of(autoscaler), why)


def autoscaler_exists(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The autoscaler that `autoscalerRef` names exists.

    The Canary waits for it. It may be applied after the Canary, so this only warns.

        spec.autoscalerRef.name: Not found: "test/podinfo": the Canary waits until this
        HorizontalPodAutoscaler is there
    """
    ref, namespace = change.subject.spec.autoscaler_ref, change.subject.metadata.namespace
    if ref is None or ref.kind != HPAS.kind or not founded(change) or not lookup.complete:
        return
    if _autoscaler(change, lookup) is None:
        why = f"the Canary waits until this {HPAS.kind} is there"
        yield not_found(f"{REF}.name", f"{namespace}/{ref.name}", why)


def bounds_go_together(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The primary's autoscaler has no more pods as its least than as its most.

    A bound that `primaryScalerReplicas` does not name is that of the target's autoscaler.

        spec.autoscalerRef.primaryScalerReplicas.minReplicas: Invalid value: 6: must be at most maxReplicas,
        which is 4
    """
    ref = change.subject.spec.autoscaler_ref
    limits = ref.primary_scaler_replicas if ref is not None else None
    if limits is None:
        return
    inherited = part(_autoscaler(change, lookup), "spec")
    least = limits.min_replicas or inherited.get("minReplicas")
    most = limits.max_replicas or inherited.get("maxReplicas")
    if not isinstance(least, int) or not isinstance(most, int) or least <= most:
        return
    path = f"{REF}.primaryScalerReplicas"
    if limits.min_replicas:
        yield invalid(f"{path}.minReplicas", least, f"must be at most maxReplicas, which is {most}")
    else:
        yield invalid(f"{path}.maxReplicas", most, f"must be at least minReplicas, which is {least}")


def quota_has_room_for_the_primary(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The namespace's quotas have room for a second copy of the target.

    At the start, and in every rollout, the pods of both are there.

        spec.targetRef.name: Invalid value: "podinfo": ResourceQuota test/small has 100m of requests.cpu left,
        and the primary needs 200m; raise it
    """
    canary = change.subject
    namespace, name = canary.metadata.namespace, canary.spec.target_ref.name
    target = target_of(change, lookup) if founded(change) else None
    primary = lookup.get(DEPLOYMENTS, namespace, primary_name(name))
    if target is None or primary is not None:
        return
    for quota in lookup.list(RESOURCE_QUOTAS, namespace):
        spec, used = part(quota, "spec"), part(quota, "status", "used")
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for resource, hard in part(quota, "status", "hard").items():
            needed, left = _needed(target, resource), _number(hard) - _number(used.get(resource, "0"))
            if needed > left:
                why = (
                    f"{RESOURCE_QUOTAS.kind} {namespace}/{name_of(quota)} has {_shown(left)} of {resource} "
                    f"left, and the primary needs {_shown(needed)}; raise it"
                )
                yield invalid("spec.targetRef.name", name, why)


def _needed(target: Json, resource: str) -> Fraction:
    """How much of a quota's resource another copy of the target takes; 0 of what pods do not take."""
    replicas = part(target, "spec").get("replicas", 1)
    copies = max(1, replicas) if isinstance(replicas, int) else 1
    if resource in ("pods", "count/pods"):
        return Fraction(copies)
    side, _, what = resource.rpartition(".")
    if what not in ("cpu", "memory") or side not in ("", "requests", "limits"):
        return Fraction(0)
    each = sum(
        _number(part(container, "resources", side or "requests").get(what, "0"))
        for container in containers(target)
    )
    return Fraction(copies * each)


def _number(quantity: object) -> Fraction:
    """A quantity as Kubernetes writes it; 0 for what is none."""
    matched = _QUANTITY.fullmatch(str(quantity)[:40])
    if matched is None:
        return Fraction(0)
    digits, suffix, power = matched.groups()
    return Fraction(digits) * _FACTORS.get(suffix, Fraction(1)) * Fraction(10) ** int(power or 0)


def _shown(number: Fraction) -> str:
    """In the largest unit that needs no fraction."""
    if number < 0:
        return "0"
    if number.denominator != 1:
        return f"{float(number * 1000):g}m"
    sizes = ((suffix, _FACTORS[suffix]) for suffix in ("Gi", "Mi", "Ki"))
    for suffix, size in sizes:
        if number and number % size == 0:
            return f"{number // size}{suffix}"
    return str(number)


def _autoscaler(change: Change[Canary], lookup: Lookup) -> Json | None:
    """What `autoscalerRef` names, if it is there and this is worth a look."""
    ref = change.subject.spec.autoscaler_ref
    if ref is None or ref.kind != HPAS.kind or not founded(change):
        return None
    return lookup.get(HPAS, change.subject.metadata.namespace, ref.name)


def _scales(autoscaler: Json, target: str) -> bool:
    scaled = part(autoscaler, "spec", "scaleTargetRef")
    return (scaled.get("kind"), scaled.get("name")) == (DEPLOYMENTS.kind, target)
