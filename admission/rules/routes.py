"""P: the objects of the route that are there already: TraefikService, IngressRoutes, the apex Service."""

from collections.abc import Iterator
from typing import Any

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.surroundings import made_by
from admission.rules.wording import forbidden, invalid
from shared.errors import Problem
from shared.names import TRAEFIK_GROUPS
from shared.resources import SERVICES, ingress_routes, traefik_services
from shared.types.canary import Canary
from shared.types.meta import Json


def traefik_service_is_free(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """No TraefikService of somebody else's has the apex's name.

    The controller overwrites nobody's routes, so that the Canary could never start.

        spec.service.name: Forbidden: TraefikService test/podinfo is there already and not of this Canary;
        delete it, or choose another name
    """
    canary = change.subject
    namespace, apex = canary.metadata.namespace, canary.spec.apex_name
    for group in TRAEFIK_GROUPS:
        found = lookup.get(traefik_services(group), namespace, apex)
        if found is not None and not made_by(found, canary.metadata.name):
            why = f"TraefikService {namespace}/{apex} is there already and not of this Canary"
            yield forbidden("spec.service.name", f"{why}; delete it, or choose another name")
            return


def route_goes_through_the_canary(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """An IngressRoute sends its traffic to the TraefikService, not to the apex Service.

    A route to the Service itself passes the weights by: the canary would get none of that traffic. So it is
    when no route leads there at all.

        spec.service.name: Invalid value: "podinfo": IngressRoute test/podinfo routes to the Service of that
        name, past the weights; set kind: TraefikService there
    """
    canary = change.subject
    namespace, apex = canary.metadata.namespace, canary.spec.apex_name
    routes = [each for group in TRAEFIK_GROUPS for each in lookup.list(ingress_routes(group), namespace)]
    past = [route for route in routes if _leads(route, "Service", apex, namespace)]
    for route in past:
        why = (
            f"IngressRoute {namespace}/{route['metadata']['name']} routes to the Service of that name, past "
            "the weights; set kind: TraefikService there"
        )
        yield invalid("spec.service.name", apex, why)
    found = past or any(_leads(route, "TraefikService", apex, namespace) for route in routes)
    if routes and not found and lookup.complete:
        why = f"no IngressRoute of namespace {namespace} routes to the TraefikService of that name; make one"
        yield invalid("spec.service.name", apex, why)


def headless_from_the_start(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """A headless Service is headless from its creation.

    The API server changes no cluster IP, so the apex stays as it is.

        spec.service.headless: Invalid value: true: Service test/podinfo has a cluster IP, which cannot be
        taken away; delete it first
    """
    canary = change.subject
    if not canary.spec.service.headless:
        return
    namespace, apex = canary.metadata.namespace, canary.spec.apex_name
    found = lookup.get(SERVICES, namespace, apex)
    if found is not None and (found.get("spec") or {}).get("clusterIP", "None") != "None":
        why = f"Service {namespace}/{apex} has a cluster IP, which cannot be taken away; delete it first"
        yield invalid("spec.service.headless", True, why)  # noqa: FBT003 - the field's value


def _backends(route: Json) -> Iterator[Any]:
    for rule in (route.get("spec") or {}).get("routes") or ():
        yield from (rule.get("services") or ()) if isinstance(rule, dict) else ()


def _leads(route: Json, kind: str, name: str, namespace: str) -> bool:
    """Whether a part of the route ends at an object of that kind and name, here."""
    return any(
        isinstance(backend, dict)
        and backend.get("name") == name
        and backend.get("kind", "Service") == kind
        and backend.get("namespace", namespace) == namespace
        for backend in _backends(route)
    )
