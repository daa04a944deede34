"""Routers: what turns weights into an object of a proxy or mesh, one file each.

    weights ──render──► Create | Patch | None ──act──► the cluster ──informer──► Manifest ──weights──► weights

A router is pure and knows no cluster. Adding one is one new file and one line in `ROUTERS`; the name that
users write is a member of `shared.types.canary.Provider`.
"""

from collections.abc import Mapping
from typing import Protocol

from controller.decision import Write
from controller.observation import Manifest, Options, Weights
from controller.routers.traefik import TraefikRouter
from shared.errors import InvalidSpec
from shared.resources import Resource
from shared.types.canary import Canary, Provider
from shared.types.meta import Json


class Router(Protocol):
    """One way to split traffic between primary and canary."""

    def weights(self, route: Manifest) -> Weights:
        """The shares that the object stands for.

        Raises:
            RoutingError: they cannot be told from it.
        """

    def render(
        self, canary: Canary, owner: Json, observed: Manifest | None, weights: Weights, resource: Resource
    ) -> Write | None:
        """What makes the object say `weights`; None when it does already. `owner` is an ownerReference.

        Raises:
            RoutingError: the object that is there may not be changed.
        """


ROUTERS: Mapping[Provider, Router] = {
    Provider.TRAEFIK: TraefikRouter(),
}


def router_of(canary: Canary, options: Options) -> Router:
    """The router that the Canary names, or the one that the controller was started with.

    Raises:
        InvalidSpec: there is no router of that name.
    """
    name = canary.spec.provider or options.provider
    for provider, router in ROUTERS.items():
        if provider == name:
            return router
    supported = ", ".join(f'"{provider}"' for provider in ROUTERS)
    raise InvalidSpec(f'spec.provider: Unsupported value: "{name}": supported values: {supported}')
