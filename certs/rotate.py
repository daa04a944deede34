"""Our own certificates in a Secret, which all replicas share: it is the source of truth.

A pass reads it, asks `certs.renew`, and writes what is new. Whoever writes first wins: the others adopt what
they find. Used by `certs.serving`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certs.bundle import Bundle, joined
from certs.inject import CaBundles, filled
from certs.policy import CAN_WAIT, leaf_reason
from certs.renew import renewed
from certs.source import Material
from shared.cluster import Cluster
from shared.errors import AlreadyExists, Conflict
from shared.informer import Informer
from shared.resources import SECRETS
from shared.types.meta import Json

PUBLISHED_FOR = timedelta(minutes=5)
"""A new authority signs once all webhook configurations have carried it for so long: by then every API server
has seen them.
"""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the certificates are kept, and for whom they are."""

    namespace: str
    secret: str
    hosts: tuple[str, ...]
    """Names and addresses that the API server calls; the first is the certificate's common name."""


@dataclass(frozen=True, slots=True)
class _Stored:
    version: str
    bundle: Bundle


class SecretSource:
    """Certificates of our own making."""

    def __init__(
        self, cluster: Cluster, place: Place, bundles: CaBundles, now: Callable[[], datetime]
    ) -> None:
        self._cluster = cluster
        self._place = place
        self._bundles = bundles
        self._now = now
        self._informer = Informer(cluster, SECRETS, _stored, namespace=place.namespace, name=place.secret)
        self._last = Bundle()

    async def run(self, changed: Callable[[], None]) -> None:
        """Follow the Secret for ever; `changed` is called after each change."""
        self._informer.add_listener(lambda *_: changed())
        await self._informer.run()

    async def current(self) -> Material:
        """What is to be served now; renewed first where that is due.

        Raises:
            ClusterError: the Secret cannot be written.
        """
        await filled(self._informer)
        stored = self._informer.cache.get((self._place.namespace, self._place.secret))
        now = self._now()
        bundle = self._salvaged(stored.bundle if stored else Bundle(), now)
        renewal = renewed(bundle, self._place.hosts, now, self._published)
        if stored is None or renewal.bundle != stored.bundle:
            reasons = {"authority_reason": renewal.authority, "leaf_reason": renewal.leaf}
            _log.info("writing certificates", extra=reasons)
            self._last = await self._write(renewal.bundle, stored)
        else:
            self._last = stored.bundle
        trusted = self._last.authorities
        return Material(self._last.leaf, lambda _: trusted)

    def _salvaged(self, found: Bundle, now: datetime) -> Bundle:
        """What was found. Where its leaf is of no use, ours of a moment ago goes on: a new authority has
        to be published before anything of it is served.
        """
        last, hosts = self._last, self._place.hosts
        lost = leaf_reason(found, now, hosts)
        if lost is None or lost in CAN_WAIT or leaf_reason(last, now, hosts) not in (None, *CAN_WAIT):
            return found
        return replace(found, leaf=last.leaf, authorities=joined(found.authorities, last.authorities, now))

    def _published(self, authority: bytes) -> bool:
        return self._bundles.carried_for(authority) >= PUBLISHED_FOR.total_seconds()

    async def _write(self, bundle: Bundle, stored: _Stored | None) -> Bundle:
        metadata: Json = {"name": self._place.secret, "namespace": self._place.namespace}
        body: Json = {"metadata": metadata, "data": bundle.data()}
        try:
            if stored is None:
                body |= {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls"}
                written = await self._cluster.create(SECRETS, body)
            else:
                metadata["resourceVersion"] = stored.version
                written = await self._cluster.patch(SECRETS, self._place.secret, self._place.namespace, body)
        except (AlreadyExists, Conflict):
            _log.info("another replica wrote certificates first, taking those")
            written = await self._cluster.get(SECRETS, self._place.secret, self._place.namespace)
        self._informer.assimilate(written)
        return Bundle.read(written)


def _stored(secret: Json) -> _Stored:
    return _Stored(secret["metadata"]["resourceVersion"], Bundle.read(secret))
