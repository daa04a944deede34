"""A certificate that is replaced while it serves, and one that somebody else renews in a folder."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from certs.authority import Pair, Subject, issue, make_authority
from certs.bundle import AUTHORITIES, LEAF, LEAF_KEY, certificates_in
from certs.folder import POLL, FolderSource
from certs.inject import CaBundles
from certs.reload import ReloadedContext
from certs.serving import RETRY, ServingCertificate
from shared.errors import ClusterUnavailable, UnusableCertificate

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)
AUTHORITY = make_authority("a", now=NOW, lifetime=90 * DAY)
OTHER = make_authority("b", now=NOW, lifetime=90 * DAY)


def leaf(authority: Pair = AUTHORITY, lifetime: timedelta = 7 * DAY) -> Pair:
    return issue(authority, Subject("x", hosts=["x"]), now=NOW, lifetime=lifetime)


def handshake(context: ssl.SSLContext, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLObject:
    """What a client has after a handshake in memory."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    trusting.maximum_version = newest
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname="x")
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return client


def peer(context: ssl.SSLContext) -> bytes | None:
    return handshake(context).getpeercert(binary_form=True)


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.decode())


def test_new_connections_get_the_newest_certificate() -> None:
    tls = ReloadedContext()
    for pair in (leaf(), leaf(OTHER)):
        assert tls.serve(pair)
        assert not tls.serve(pair)
        assert peer(tls.context) == der(pair)


@pytest.mark.parametrize(
    "bad",
    [
        Pair(leaf().certificate, leaf().key),
        Pair(b"", b""),
        Pair(leaf().certificate, b"no PEM"),
        Pair(b"no PEM", leaf().key),
    ],
)
def test_a_pair_that_cannot_be_used_leaves_the_one_before_in_use(bad: Pair) -> None:
    tls, good = ReloadedContext(), leaf()
    tls.serve(good)
    with pytest.raises(UnusableCertificate):
        tls.serve(bad)
    assert peer(tls.context) == der(good)
    assert tls.serve(leaf())


def test_tls_is_of_this_decade_and_encrypts_with_authentication() -> None:
    tls = ReloadedContext()
    tls.serve(leaf())
    cipher = handshake(tls.context, ssl.TLSVersion.TLSv1_2).cipher()
    assert cipher is not None
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_nothing_to_serve_and_an_expired_certificate_are_problems() -> None:
    tls = ReloadedContext()
    assert tls.problem(NOW)
    tls.serve(leaf(lifetime=DAY))
    assert tls.problem(NOW) is None
    assert "expired" in str(tls.problem(NOW + DAY))


class NoApi:
    """Webhook configurations that keep what they are given."""

    def __init__(self) -> None:
        self.bundle = b""
        self.down = False

    async def run(self, _: Callable[[], None]) -> None:
        await asyncio.Event().wait()

    async def publish(self, wanted: Callable[[bytes], bytes]) -> None:
        if self.down:
            raise ClusterUnavailable("no answer")
        self.bundle = wanted(self.bundle)


class Mounted:
    """A folder that somebody else fills, and the process that serves what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api = NoApi()
        self.registry = CollectorRegistry()
        source = FolderSource(folder, lambda: NOW)
        bundles = cast(CaBundles, self.api)
        self.certificate = ServingCertificate(source, bundles, now=lambda: NOW, registry=self.registry)

    def put(self, pair: Pair, authority: Pair | None = AUTHORITY) -> None:
        (self.folder / LEAF).write_bytes(pair.certificate)
        (self.folder / LEAF_KEY).write_bytes(pair.key)
        if authority:
            (self.folder / AUTHORITIES).write_bytes(authority.certificate)

    @property
    def failures(self) -> float | None:
        return self.registry.get_sample_value("pinfeather_serving_certificate_failures_total")


@pytest.fixture
async def mounted(tmp_path: Path) -> AsyncIterator[Mounted]:
    made = Mounted(tmp_path)
    running = asyncio.ensure_future(made.certificate.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.mark.looptime
async def test_mounted_files_are_served_and_followed(mounted: Mounted) -> None:
    first, second = leaf(), leaf()
    mounted.put(first)
    await mounted.certificate.loaded.wait()
    await asyncio.sleep(RETRY)
    assert mounted.certificate.problem() is None
    assert mounted.certificate.served == first.certificate
    mounted.put(second)
    await asyncio.sleep(2 * POLL)
    assert mounted.certificate.served == second.certificate
    assert mounted.api.bundle == AUTHORITY.certificate


@pytest.mark.looptime
async def test_files_that_do_not_belong_together_are_told_counted_and_not_served(mounted: Mounted) -> None:
    first, second = leaf(), leaf()
    mounted.put(first)
    await mounted.certificate.loaded.wait()
    (mounted.folder / LEAF).write_bytes(second.certificate)
    await asyncio.sleep(2 * POLL)
    assert mounted.certificate.served == first.certificate
    assert "newest certificate is not served" in str(mounted.certificate.problem())
    assert mounted.failures
    mounted.put(second)
    await asyncio.sleep(2 * POLL)
    assert mounted.certificate.served == second.certificate
    assert mounted.certificate.problem() is None


@pytest.mark.looptime
async def test_an_empty_folder_is_told_until_it_is_filled(mounted: Mounted) -> None:
    await asyncio.sleep(3 * RETRY)
    assert str(mounted.folder) in str(mounted.certificate.problem())
    mounted.put(leaf())
    await mounted.certificate.loaded.wait()
    assert mounted.certificate.problem() is None


@pytest.mark.looptime
async def test_a_new_authority_is_added_because_other_replicas_may_still_serve_by_the_old_one(
    mounted: Mounted,
) -> None:
    mounted.put(leaf())
    await mounted.certificate.loaded.wait()
    mounted.put(leaf(OTHER), OTHER)
    await asyncio.sleep(2 * POLL)
    both = certificates_in(mounted.api.bundle)
    assert both == certificates_in(OTHER.certificate + AUTHORITY.certificate)


@pytest.mark.looptime
async def test_without_an_authority_the_ca_bundle_is_somebody_elses(mounted: Mounted) -> None:
    mounted.api.bundle = b"theirs"
    mounted.put(leaf(), authority=None)
    await mounted.certificate.loaded.wait()
    await asyncio.sleep(RETRY)
    assert mounted.api.bundle == b"theirs"
    assert mounted.certificate.trusted == b""


@pytest.mark.looptime
async def test_a_certificate_is_served_without_the_api_server_but_the_process_is_ready_only_with_it(
    mounted: Mounted,
) -> None:
    mounted.api.down = True
    mounted.put(leaf())
    await mounted.certificate.loaded.wait()
    assert "no answer" in str(mounted.certificate.problem())
    mounted.api.down = False
    await asyncio.sleep(2 * RETRY)
    assert mounted.certificate.problem() is None
    # Later outages are nothing that another replica could do better.
    mounted.api.down = True
    mounted.put(leaf())
    await asyncio.sleep(2 * POLL)
    assert mounted.certificate.problem() is None
