"""Who may be trusted, written into the webhook configurations: `caBundle`.

Both configurations are watched, and repaired when somebody wipes or overwrites what is there (a GitOps tool
that re-applies its manifest). Several replicas write the same bytes. Used by `certs.serving`.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter

from certs.bundle import certificates_in, decoded, encoded
from shared.cluster import Cluster, PatchType
from shared.errors import ClusterUnavailable, NotFound
from shared.informer import Informer
from shared.names import WEBHOOKS
from shared.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from shared.types.meta import Json

FILLED_WITHIN = 3.0
"""Seconds until what keeps a cache from being filled is worth telling."""
Entries = tuple[tuple[str, bytes], ...]
"""Of each webhook of a configuration: its name, and its caBundle as PEM."""


class CaBundles:
    """What the two configurations say. A configuration that does not exist needs nothing: nobody calls us."""

    def __init__(
        self, cluster: Cluster, now: Callable[[], datetime], registry: CollectorRegistry = REGISTRY
    ) -> None:
        self._cluster = cluster
        self._now = now
        self._informers = [
            Informer(cluster, resource, _entries, name=WEBHOOKS)
            for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
        ]
        self._carried: tuple[bytes, datetime] | None = None
        self._repairs = Counter(
            "pinfeather_ca_bundle_writes", "Webhook configurations given their caBundle", registry=registry
        )

    async def run(self, changed: Callable[[], None]) -> None:
        """Follow the configurations for ever; `changed` is called after each change."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers:
                informer.add_listener(lambda *_: changed())
                tasks.create_task(informer.run())

    async def publish(self, wanted: Callable[[bytes], bytes]) -> None:
        """Make every webhook's caBundle what `wanted` makes of the present one."""
        for informer in self._informers:
            await filled(informer)
            for entries in list(informer.cache.values()):
                await self._repair(informer, entries, wanted)

    async def _repair(
        self, informer: Informer[Entries], entries: Entries, wanted: Callable[[bytes], bytes]
    ) -> None:
        patch: list[Json] = []
        for place, (name, present) in enumerate(entries):
            if (bundle := wanted(present)) != present:
                # Places may have changed since: then the test fails, and the next look sees the new ones.
                patch += [
                    {"op": "test", "path": f"/webhooks/{place}/name", "value": name},
                    {
                        "op": "add",
                        "path": f"/webhooks/{place}/clientConfig/caBundle",
                        "value": encoded(bundle),
                    },
                ]
        if not patch:
            return
        try:
            written = await self._cluster.patch(
                informer.resource, WEBHOOKS, None, patch, patch=PatchType.JSON
            )
        except NotFound:  # deleted a moment ago
            return
        self._repairs.inc()
        informer.assimilate(written)

    def carried_for(self, authority: bytes) -> float:
        """For how many seconds all webhooks have carried an authority (PEM), as far as this process knows; -1
        if not all do. Call it regularly: the time counts from the first look.
        """
        (certificate,) = certificates_in(authority)
        entries = [entry for informer in self._informers for entry in informer.cache.values()]
        carried = all(
            certificate in certificates_in(bundle) for webhooks in entries for _, bundle in webhooks
        )
        if not carried or not all(informer.synced.is_set() for informer in self._informers):
            self._carried = None
            return -1
        if self._carried is None or self._carried[0] != authority:
            self._carried = (authority, self._now())
        return (self._now() - self._carried[1]).total_seconds()


async def filled(informer: Informer[Any]) -> None:
    """Return once the informer has read its objects.

    Raises:
        ClusterError: it could not within a few seconds; the message says why.
    """
    try:
        async with asyncio.timeout(FILLED_WITHIN):
            await informer.synced.wait()
    except TimeoutError:
        unread = ClusterUnavailable(f"the API server has not listed {informer.resource.plural} yet")
        raise informer.failure or unread from None


def _entries(configuration: Json) -> Entries:
    return tuple(
        (webhook["name"], decoded(webhook["clientConfig"].get("caBundle")))
        for webhook in configuration.get("webhooks") or ()
    )
