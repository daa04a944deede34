"""Connections without a pause while leaves and authorities are renewed: not one is refused.

The clock runs through months, so the clients' own check of dates is switched off and made by that clock.
"""

import asyncio
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from cryptography import x509

from certs.bundle import certificates_in, pem
from tests.integration.certs.conftest import HOST, Site

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for."""
DAYS = 130
USUAL_STEP = timedelta(hours=20)
SMALL_STEP = timedelta(minutes=3)
"""While trust changes, so that an API server that lags behind is really behind."""
LAGS = (timedelta(0), timedelta(minutes=4))
"""How far behind the webhook configurations API servers are; less than a new authority is published for."""
CLIENTS_PER_REPLICA = 2


@dataclass
class Load:
    """API servers that connect to every replica, each with the caBundle that it has seen last."""

    site: Site
    ports: list[int]
    said: list[tuple[datetime, bytes]] = field(default_factory=list)
    """What the webhook configurations said from when on."""
    handshakes: int = 0
    failures: list[str] = field(default_factory=list)
    leaves: set[bytes] = field(default_factory=set)
    issuers: set[x509.Name] = field(default_factory=set)

    async def look(self) -> None:
        (bundle,) = set(await self.site.ca_bundles())
        if not self.said or self.said[-1][1] != bundle:
            self.said.append((self.site.time, bundle))

    @property
    def changing(self) -> bool:
        """Whether trust changed a moment ago."""
        return self.site.time - self.said[-1][0] < 4 * SMALL_STEP

    def seen(self, lag: timedelta) -> bytes:
        """What an API server that lags behind goes by."""
        known = [bundle for since, bundle in self.said if since <= self.site.time - lag]
        return known[-1] if known else self.said[0][1]

    async def connect_for_ever(self, port: int) -> None:
        while True:
            for lag in LAGS:
                await self.connect(port, self.seen(lag))

    async def connect(self, port: int, bundle: bytes) -> None:
        began = self.site.time
        authorities = [
            each
            for each in certificates_in(bundle)
            if each.not_valid_before_utc <= began < each.not_valid_after_utc
        ]
        context = ssl.create_default_context(cadata=pem(authorities).decode())
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
        try:
            _, writer = await asyncio.open_connection(HOST, port, ssl=context)
        except (OSError, ssl.SSLError) as error:
            self.failures.append(f"{self.site.time}: {error}")
            return
        served: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        self.handshakes += 1
        leaf = x509.load_der_x509_certificate(served)
        self.leaves.add(served)
        self.issuers.add(leaf.issuer)
        if not leaf.not_valid_before_utc <= self.site.time or began >= leaf.not_valid_after_utc:
            self.failures.append(f"{began}: the leaf is valid until {leaf.not_valid_after_utc}")


@pytest.mark.timeout(120)
async def test_no_connection_fails_while_leaves_and_authorities_are_renewed(site: Site) -> None:
    async with AsyncExitStack() as stack:
        load = Load(site, [])
        for _ in range(2):
            replica = await site.replica()
            await replica.certificate.loaded.wait()
            server = await asyncio.start_server(_hang_up, HOST, 0, ssl=replica.certificate.context)
            await stack.enter_async_context(server)
            load.ports.append(server.sockets[0].getsockname()[1])
        await site.ready()
        await site.carrying((await site.stored()).authorities)
        await load.look()
        clients = [
            asyncio.ensure_future(load.connect_for_ever(port))
            for port in load.ports
            for _ in range(CLIENTS_PER_REPLICA)
        ]
        ends = site.time + timedelta(days=DAYS)
        while site.time < ends and not any(client.done() for client in clients):
            site.at(site.time + (SMALL_STEP if load.changing else USUAL_STEP))
            await site.looked()
            await load.look()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    assert not load.failures, (load.failures[:5], len(load.failures), load.handshakes)
    assert load.handshakes > DAYS
    assert len(load.issuers) >= DAYS // 60
    assert len(load.leaves) >= DAYS // 7


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
