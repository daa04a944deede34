"""The certificate that a webhook server serves, kept right for as long as the process lives.

The one module that the server sees: it gives `context` to its listener, `problem` to its readiness, and runs
`run` beside it.

    source ──► current ──► context (new connections)
      ▲           └──────► caBundle of the webhook configurations
      └── changed: the Secret, the files, a configuration, or a while has passed
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from certs.folder import FolderSource
from certs.inject import CaBundles
from certs.reload import ReloadedContext
from certs.rotate import Place, SecretSource
from certs.source import Material, Source
from shared.cluster import Cluster
from shared.errors import ClusterError, UnusableCertificate

LOOK = 10.0
"""Seconds between two passes where nothing changed: expiry and publication need only the clock."""
RETRY = 1.0
"""Seconds after a pass that failed."""
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(tz=UTC)


class ServingCertificate:
    """A TLS context with a certificate that the API server trusts. Made by `from_secret` or `from_folder`."""

    def __init__(
        self,
        source: Source,
        bundles: CaBundles,
        *,
        now: Callable[[], datetime] = _now,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.loaded = asyncio.Event()
        """Set once there is a certificate to serve."""
        self._source = source
        self._bundles = bundles
        self._now = now
        self._tls = ReloadedContext()
        self._trusted: Callable[[bytes], bytes] = bytes
        self._changed = asyncio.Event()
        self._settled = False
        self._failure: Exception | None = None
        self._expires = Gauge(
            "pinfeather_serving_certificate_expires_timestamp_seconds",
            "When the served certificate expires",
            registry=registry,
        )
        self._reloads = Counter(
            "pinfeather_serving_certificate_reloads", "Certificates taken into use", registry=registry
        )
        self._failures = Counter(
            "pinfeather_serving_certificate_failures",
            "Passes that could not read, renew, serve or publish a certificate",
            registry=registry,
        )

    @classmethod
    def from_secret(
        cls,
        cluster: Cluster,
        place: Place,
        *,
        now: Callable[[], datetime] = _now,
        registry: CollectorRegistry = REGISTRY,
    ) -> Self:
        """Of our own making, kept in a Secret that all replicas share."""
        bundles = CaBundles(cluster, now, registry)
        return cls(SecretSource(cluster, place, bundles, now), bundles, now=now, registry=registry)

    @classmethod
    def from_folder(
        cls,
        cluster: Cluster,
        folder: Path,
        *,
        now: Callable[[], datetime] = _now,
        registry: CollectorRegistry = REGISTRY,
    ) -> Self:
        """Made by somebody else; its `ca.crt`, if there is one, goes into the webhook configurations."""
        bundles = CaBundles(cluster, now, registry)
        return cls(FolderSource(folder, now), bundles, now=now, registry=registry)

    @property
    def context(self) -> ssl.SSLContext:
        """For the listener. The certificate in it is replaced in place."""
        return self._tls.context

    @property
    def trusted(self) -> bytes:
        """Authorities (PEM) that clients have to know; empty before `loaded`, or where others tell them."""
        return self._trusted(b"")

    @property
    def served(self) -> bytes:
        """The certificate in use (PEM); empty before `loaded`."""
        return self._tls.served.certificate if self._tls.served else b""

    def problem(self) -> str | None:
        """Why the API server should not call this process now; None while it may. For readiness."""
        problem = self._tls.problem(self._now())
        if isinstance(self._failure, UnusableCertificate) or (self._failure and not self._settled):
            return f"{problem or 'the newest certificate is not served'}: {self._failure}"
        return problem if problem or self._settled else "the webhook configurations were not read yet"

    async def run(self) -> None:
        """Keep it right for ever. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._source.run(self._changed.set))
            tasks.create_task(self._bundles.run(self._changed.set))
            while True:
                self._changed.clear()
                delay = LOOK if await self._pass() else RETRY
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._changed.wait()

    async def _pass(self) -> bool:
        """One look at everything; tells whether all is well."""
        try:
            await self._follow()
        except (ClusterError, UnusableCertificate) as error:
            self._failures.inc()
            if str(error) != str(self._failure):
                _log.warning("certificates are not as they should be", extra={"error": str(error)})
            self._failure = error
            return False
        self._failure = None
        self._settled = True
        return True

    async def _follow(self) -> None:
        material = await self._source.current()
        self._trusted = material.trusted
        if self._tls.problem(self._now()):  # nothing to lose
            self._serve(material)
        await self._bundles.publish(material.trusted)
        self._serve(material)

    def _serve(self, material: Material) -> None:
        if not self._tls.serve(material.leaf):
            return
        expires = self._tls.expires
        assert expires is not None
        self._reloads.inc()
        self._expires.set(expires.timestamp())
        _log.info("serving a new certificate", extra={"expires": expires.isoformat()})
        self.loaded.set()
