"""Observe: everything about one Canary, from the caches. No request is made, but for a target that changes
while its primary is to be made of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from controller.caches import Caches
from controller.index import Key
from controller.observation import Manifest, Observation, Options, Round, Serving
from controller.stopwatches import Stopwatches
from shared.informer import Informer
from shared.names import canary_name, primary_name
from shared.types.canary import Canary


class Observer:
    """Builds Observations. `now` is the wall clock; `rounds` answers with the round of checks at hand."""

    def __init__(
        self,
        caches: Caches,
        stopwatches: Stopwatches,
        options: Options,
        *,
        rounds: Callable[[Key], Round | None],
        now: Callable[[], datetime],
    ) -> None:
        self._caches = caches
        self._stopwatches = stopwatches
        self._options = options
        self._rounds = rounds
        self.now = now

    def observe(self, key: Key, canary: Canary) -> Observation:
        """What is known of a Canary right now."""
        namespace, caches, spec = key[0], self._caches, canary.spec
        target, apex = spec.target_ref.name, spec.apex_name
        scaler = spec.autoscaler_ref.name if spec.autoscaler_ref is not None else ""
        names = (apex, primary_name(apex), canary_name(apex))
        services = {name: caches.services.cache.get((namespace, name)) for name in names}
        seen = Observation(
            canary=canary,
            now=self.now(),
            options=replace(self._options, traefik_services=caches.traefik_services),
            target=caches.deployments.cache.get((namespace, target)),
            primary=caches.deployments.cache.get((namespace, primary_name(target))),
            services={name: service for name, service in services.items() if service is not None},
            autoscaler=_find(caches.autoscalers, namespace, scaler),
            primary_autoscaler=_find(caches.autoscalers, namespace, primary_name(scaler)),
            route=_find(caches.routes, namespace, apex),
            endpoints=caches.endpoints(namespace, apex),
            round=self._rounds(key),
            claimed_by=caches.claimed_by(key, canary),
        )
        return self._stopwatches.read(key, seen)

    async def serving(self, seen: Observation) -> Serving | None:
        """What of the target serves at this moment. The only thing that is asked of the API server.

        Raises:
            ClusterError: it could not be asked.
        """
        return await self._caches.serving(seen.target) if seen.target is not None else None


def _find(informer: Informer[Manifest] | None, namespace: str, name: str) -> Manifest | None:
    return informer.cache.get((namespace, name)) if informer is not None else None
