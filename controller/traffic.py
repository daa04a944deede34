"""The one place that turns a status into what Traefik is given. Pure.

Whatever a phase decides, the weights that users get are those of the next status, cut by what is able to
serve: a Service without ready endpoints takes the whole Traefik route down, not only its own share.
"""

from controller.decision import Write
from controller.observation import Endpoints, Observation, Weights
from controller.routers import router_of
from controller.workloads.ownership import owner_reference
from shared.errors import Blocked
from shared.types.canary import CanaryStatus


def weights(wanted: int, endpoints: Endpoints) -> Weights:
    """The shares for a wanted canary weight (percent).

    No ready canary: it gets nothing. No ready primary while a canary that has traffic is ready: the canary
    gets everything, since the primary's share would fail and the canary's with it.
    """
    if wanted == 0 or endpoints.canary == 0:
        return Weights(100, 0)
    if endpoints.primary == 0:
        return Weights(0, 100)
    return Weights(100 - wanted, wanted)


def route(seen: Observation, status: CanaryStatus) -> Write | None:
    """What makes the route agree with the next status; None when it does already.

    Raises:
        Blocked: the cluster serves no TraefikService, or this one is not ours.
    """
    resource = seen.options.traefik_services
    if resource is None:
        raise Blocked(
            "TraefikNotInstalled",
            "the cluster serves neither traefik.io nor traefik.containo.us TraefikServices; "
            "install Traefik's CRDs",
        )
    router = router_of(seen.canary, seen.options)
    target = seen.target
    # Pods that run anything but the analysed template get nothing, whatever else has gone wrong.
    analysed = target is not None and target.runs == status.last_applied_spec
    shares = weights(status.canary_weight if analysed else 0, seen.endpoints)
    return router.render(seen.canary, owner_reference(seen.canary), seen.route, shares, resource)
