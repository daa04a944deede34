"""Traefik: weights as a TraefikService named as the apex, which the user's IngressRoute points at.

`controller.traffic` calls it. Apart because these are the rules of one product:

- Traefik reads a missing weight as 1, so an entry of weight 0 is left out, never written without one.
- A Service without endpoints breaks the whole object, not only its share; the caller gives it no weight.
- What we do not manage is kept: other keys of the object (labels, `sticky`, ...) and of our two entries
  (`scheme`, `serversTransport`, ...). An entry that comes back takes its sibling's extra keys.
- The list of services is ours alone, in an object that is ours: an entry for another Service would take a
  share that nobody analyses, so it goes. So do the kinds of TraefikService that compete with `weighted`.
"""

from controller.decision import Create, Patch, Write
from controller.observation import Manifest, Weights
from shared.errors import RoutingError
from shared.names import CANARY_LABEL, GITOPS_IGNORE, canary_name, primary_name
from shared.resources import Resource
from shared.types.canary import Canary
from shared.types.meta import Json

_WHOLE = 100
_DEFAULT_WEIGHT = 1  # Traefik's, for an entry that has none
_MANAGED = ("name", "kind", "namespace", "port", "weight")
_RIVALS = ("mirroring", "failover", "highestRandomWeight")


def parse_weights(route: Manifest) -> Weights:
    """The shares that a TraefikService stands for, scaled to percent.

    Raises:
        RoutingError: other services take part, or the shares are no whole percents.
    """
    spec = _object(route.json().get("spec"))
    if any(spec.get(rival) is not None for rival in _RIVALS):
        raise _unreadable(route, "it is not a weighted one")
    found = {primary_name(route.name): 0, canary_name(route.name): 0}
    for entry in _entries(spec):
        name = _service(entry, route.namespace)
        if name not in found:
            raise _unreadable(route, f"spec.weighted.services lists {entry.get('name')!r}")
        found[name] += _weight(route, entry)
    primary, canary = found.values()
    total = primary + canary
    if not total or primary * _WHOLE % total:
        raise _unreadable(route, f"weights {primary}/{canary} are no whole percents")
    return Weights(primary * _WHOLE // total, canary * _WHOLE // total)


class TraefikRouter:
    """Reads and renders one TraefikService; holds nothing."""

    def weights(self, route: Manifest) -> Weights:
        """See `parse_weights`."""
        return parse_weights(route)

    def render(
        self, canary: Canary, owner: Json, observed: Manifest | None, weights: Weights, resource: Resource
    ) -> Write | None:
        """See `Router`. A patch carries the resourceVersion observed, so nothing is overwritten unseen.

        Raises:
            RoutingError: a TraefikService of that name belongs to somebody else.
        """
        if observed is None:
            return Create(resource, _manifest(canary, owner, weights, resource))
        if observed.owner != owner["uid"]:
            raise RoutingError(
                f"TraefikService {observed.name}.{observed.namespace} is not owned by Canary "
                f"{canary.metadata.name}.{canary.metadata.namespace}; delete it, or name another apex "
                "in spec.service.name"
            )
        current = observed.json()
        changes = {**_metadata_changes(canary, current), **_spec_changes(canary, current, weights)}
        if not changes:
            return None
        metadata = {"resourceVersion": observed.resource_version, **changes.pop("metadata", {})}
        return Patch(resource, observed.name, {"metadata": metadata, **changes})


def _manifest(canary: Canary, owner: Json, weights: Weights, resource: Resource) -> Json:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": canary.spec.apex_name,
            "namespace": canary.metadata.namespace,
            "labels": _labels(canary),
            "annotations": _annotations(canary),
            "ownerReferences": [owner],
        },
        "spec": {"weighted": {"services": _services(canary, weights, {})}},
    }


def _labels(canary: Canary) -> dict[str, str]:
    apex = canary.spec.service.apex
    return {**(apex.labels if apex else {}), CANARY_LABEL: canary.metadata.name}


def _annotations(canary: Canary) -> dict[str, str]:
    apex = canary.spec.service.apex
    return {**(apex.annotations if apex else {}), **GITOPS_IGNORE}


def _metadata_changes(canary: Canary, current: Json) -> Json:
    """Labels and annotations to add or set; those of others stay, and so do ours that the Canary dropped."""
    metadata = _object(current.get("metadata"))
    wanted = {"labels": _labels(canary), "annotations": _annotations(canary)}
    changes: Json = {}
    for field, pairs in wanted.items():
        there = _object(metadata.get(field))
        if missing := {key: value for key, value in pairs.items() if there.get(key) != value}:
            changes[field] = missing
    return {"metadata": changes} if changes else {}


def _spec_changes(canary: Canary, current: Json, weights: Weights) -> Json:
    spec = _object(current.get("spec"))
    entries = _entries(spec)
    extras: dict[str, Json] = {}
    for entry in entries:
        extra = {key: value for key, value in entry.items() if key not in _MANAGED}
        extras.setdefault(_service(entry, canary.metadata.namespace), extra)
    changes: Json = {rival: None for rival in _RIVALS if spec.get(rival) is not None}
    wanted = _services(canary, weights, extras)
    if entries != wanted:
        changes["weighted"] = {"services": wanted}
    return {"spec": changes} if changes else {}


def _services(canary: Canary, weights: Weights, extras: dict[str, Json]) -> list[Json]:
    """The list that Traefik gets; `extras` are the keys that entries of a name had beside ours."""
    apex = canary.spec.apex_name
    primary, canary_service = primary_name(apex), canary_name(apex)
    wanted = (
        (primary, weights.primary, extras.get(primary, extras.get(canary_service, {}))),
        (canary_service, weights.canary, extras.get(canary_service, extras.get(primary, {}))),
    )
    port = canary.spec.service.port
    return [
        {**extra, "name": name, "kind": "Service", "port": port, "weight": weight}
        for name, weight, extra in wanted
        if weight > 0
    ]


def _entries(spec: Json) -> list[Json]:
    services = _object(spec.get("weighted")).get("services")
    return [_object(entry) for entry in services] if isinstance(services, list) else []


def _service(entry: Json, namespace: str) -> str:
    """The Service in the route's own namespace that an entry names; "" when it names anything else."""
    name = entry.get("name")
    if entry.get("kind", "Service") != "Service" or entry.get("namespace", namespace) != namespace:
        return ""
    return name if isinstance(name, str) else ""


def _weight(route: Manifest, entry: Json) -> int:
    weight = entry.get("weight", _DEFAULT_WEIGHT)
    if type(weight) is not int or weight < 0:
        raise _unreadable(route, f"service {entry.get('name')!r} has weight {weight!r}")
    return weight


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _unreadable(route: Manifest, why: str) -> RoutingError:
    return RoutingError(f"TraefikService {route.name}.{route.namespace}: weights cannot be told: {why}")
