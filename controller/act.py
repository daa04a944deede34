"""Act: carry a Decision out, in its order, and write the status once, last.

Every write is absolute, so a pass that dies half-way is simply repeated by the next. What the API server
answers goes into the caches at once: the next pass sees its own writes without waiting for the watch.
"""

import logging
from typing import assert_never

from controller import governing
from controller.caches import Caches
from controller.decision import Action, CallHooks, Create, Decision, Patch, RunChecks, Scale
from controller.index import Key
from controller.rounds import RoundRunner
from shared.cluster import Cluster
from shared.errors import AlreadyExists, ClusterError, NotFound
from shared.names import GIVEN_REPLICAS_ANNOTATION
from shared.pace import urgent
from shared.resources import CANARIES, DEPLOYMENTS, Resource
from shared.types.canary import Canary, CanaryStatus
from shared.types.meta import Json, ObjectMeta

log = logging.getLogger(__name__)


class Actor:
    """Writes to the cluster and starts rounds of checks. Errors of the API server pass through."""

    def __init__(self, cluster: Cluster, caches: Caches, rounds: RoundRunner) -> None:
        self._cluster = cluster
        self._caches = caches
        self._rounds = rounds

    async def act(self, key: Key, canary: Canary, decision: Decision) -> None:
        """Carry out the actions, then write the status if it changed.

        Raises:
            Conflict: something changed since it was observed; observe again.
            ClusterError: the API server refused or could not be reached; nothing after that was done.
        """
        for action in decision.actions:
            await self._perform(key, canary, action)
        if decision.status != canary.status:
            await self.write_status(canary.metadata, canary.status, decision.status)

    async def free(self, key: Key) -> bool:
        """Take the marks of a Canary off what it does not have (any more); tells whether that is done. One
        that cannot be freed now keeps none of the others waiting.
        """
        done = True
        for target in self._caches.strays(key):
            where = {"object": f"{target.name}.{target.namespace}"}
            log.info("freeing", extra=where)
            try:
                await self._patch(key[0], governing.free(target))
            except NotFound:
                log.debug("it is gone", extra=where)
            except ClusterError as error:
                log.warning("cannot be freed yet", extra={**where, "cause": str(error)})
                done = False
        return done

    async def _patch(self, namespace: str, patch: Patch) -> None:
        with urgent():
            written = await self._cluster.patch(patch.resource, patch.name, namespace, patch.body)
        self._caches.wrote(patch.resource, written)

    async def write_status(self, meta: ObjectMeta, old: CanaryStatus, new: CanaryStatus) -> None:
        """Replace the status, on condition that nobody wrote the Canary since it was observed."""
        fields = new.dump()
        gone: Json = dict.fromkeys(old.dump().keys() - fields.keys())
        body: Json = {"metadata": {"resourceVersion": meta.resource_version}, "status": {**gone, **fields}}
        written = await self._cluster.patch(CANARIES, meta.name, meta.namespace, body, subresource="status")
        self._caches.wrote(CANARIES, written)

    async def _perform(self, key: Key, canary: Canary, action: Action) -> None:
        namespace = key[0]
        match action:
            case Create(resource=resource, manifest=manifest):
                await self._create(resource, manifest)
            case Patch():
                await self._patch(namespace, action)
            case Scale(name=name, replicas=replicas):
                await self._scale(namespace, name, replicas)
            case RunChecks():
                self._rounds.start(key, canary, action)
            case CallHooks():
                self._rounds.notify(canary, action)
            case _:
                assert_never(action)

    async def _create(self, resource: Resource, manifest: Json) -> None:
        meta = manifest["metadata"]
        log.info("creating", extra={"kind": resource.kind, "object": f"{meta['name']}.{meta['namespace']}"})
        try:
            self._caches.wrote(resource, await self._cluster.create(resource, manifest))
        except AlreadyExists:
            # The cache was behind: let the next pass see what is there, and judge whether it is ours.
            self._caches.wrote(resource, await self._cluster.get(resource, meta["name"], meta["namespace"]))

    async def _scale(self, namespace: str, name: str, replicas: int) -> None:
        log.info("scaling", extra={"object": f"{name}.{namespace}", "replicas": replicas})
        given = {"annotations": {GIVEN_REPLICAS_ANNOTATION: str(replicas)}}
        body = {"metadata": given, "spec": {"replicas": replicas}}
        written = await self._cluster.patch(DEPLOYMENTS, name, namespace, body)
        self._caches.wrote(DEPLOYMENTS, written)
