"""Certificates of our own, shared by replicas through a Secret, and the API server's trust in them."""

import asyncio
from datetime import timedelta

import pytest

from certs.bundle import Bundle, certificates_in, encoded
from certs.policy import authority_reason, leaf_reason
from certs.renew import renewed
from certs.rotate import PUBLISHED_FOR
from shared.resources import MUTATING_WEBHOOKS, SECRETS, VALIDATING_WEBHOOKS
from tests.integration.certs.conftest import HOST, SECRET, Site, leaf_signed_by


async def prepared(site: Site, bundle: Bundle) -> None:
    """Have a Secret there from before."""
    metadata = {"name": SECRET, "namespace": site.namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": bundle.data()}
    await site.cluster.create(SECRETS, body)


async def test_the_first_start_makes_certificates_and_has_them_trusted(site: Site) -> None:
    replica = await site.replica()
    assert replica.certificate.problem()
    await site.ready()
    stored = await site.stored()
    assert leaf_reason(stored, site.time, [HOST]) is None
    assert site.served() == [stored.leaf.certificate]
    await site.carrying(stored.authorities)


async def test_two_replicas_that_start_at_once_agree(site: Site) -> None:
    await asyncio.gather(*(site.replica() for _ in range(3)))
    await site.ready()
    stored = await site.stored()
    await site.until(lambda: set(site.served()) == {stored.leaf.certificate})
    await site.looked()
    await site.carrying(stored.authorities)
    assert await site.stored() == stored


async def test_a_replica_that_starts_later_takes_what_is_there(site: Site) -> None:
    await site.replica()
    await site.ready()
    stored = await site.stored()
    await site.replica()
    await site.ready()
    assert set(site.served()) == {stored.leaf.certificate}
    assert await site.stored() == stored


async def test_what_expired_while_nobody_ran_is_replaced_before_anybody_is_ready(site: Site) -> None:
    old = renewed(Bundle(), [HOST], site.time - timedelta(days=400), lambda _: False).bundle
    await prepared(site, old)
    await site.replica()
    await site.ready()
    stored = await site.stored()
    assert authority_reason(stored, site.time) is leaf_reason(stored, site.time, [HOST]) is None
    assert site.served() == [stored.leaf.certificate]
    await site.carrying(stored.authorities)
    assert len(certificates_in(stored.authorities)) == 1


async def test_an_expired_leaf_is_signed_anew_by_the_authority_that_is_trusted(site: Site) -> None:
    old = renewed(Bundle(), [HOST], site.time - timedelta(days=8), lambda _: False).bundle
    await prepared(site, old)
    await site.replica()
    await site.ready()
    stored = await site.stored()
    assert stored.authorities == old.authorities
    assert stored.leaf != old.leaf
    assert site.served() == [stored.leaf.certificate]


@pytest.mark.parametrize("overwritten", [None, encoded(b"somebody else's")])
async def test_a_wiped_or_overwritten_ca_bundle_is_repaired(site: Site, overwritten: str | None) -> None:
    for _ in range(2):
        await site.replica()
    await site.ready()
    stored = await site.stored()
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        await site.overwrite(resource, overwritten)
    await site.carrying(stored.authorities)


async def test_configurations_that_come_later_or_come_back_are_given_their_ca_bundle(site: Site) -> None:
    await site.unregister()
    await site.replica()
    await site.ready()
    stored = await site.stored()
    for _ in range(2):
        await site.register()
        await site.carrying(stored.authorities)
        await site.unregister()


async def test_a_leaf_is_renewed_in_time_by_one_replica_and_served_by_all(site: Site) -> None:
    for _ in range(2):
        await site.replica()
    await site.ready()
    before = await site.stored()
    await site.looked()
    site.later(days=5)
    for _ in range(3):
        await site.looked()
        site.later(seconds=PUBLISHED_FOR.total_seconds())
    after = await site.stored()
    assert after.leaf != before.leaf
    assert after.authorities == before.authorities
    await site.until(lambda: set(site.served()) == {after.leaf.certificate})


async def test_a_new_authority_serves_only_after_it_was_published_for_a_while(site: Site) -> None:
    for _ in range(2):
        await site.replica()
    await site.ready()
    before = await site.stored()
    # The day before, so that the leaf is fresh when the authority's turn comes.
    site.later(days=59)
    await site.looked()
    await site.looked()
    site.later(days=2)
    await site.looked()
    await site.looked()
    announced = await site.stored()
    assert len(certificates_in(announced.authorities)) == 2
    assert leaf_signed_by(announced.authorities, announced.leaf.certificate) == 1
    assert leaf_signed_by(before.authorities, announced.leaf.certificate) == 0
    await site.carrying(announced.authorities)
    for _ in range(3):
        site.later(seconds=PUBLISHED_FOR.total_seconds())
        await site.looked()
    await site.looked()
    switched = await site.stored()
    assert leaf_signed_by(switched.authorities, switched.leaf.certificate) == 0
    assert switched.authorities == announced.authorities
    await site.until(lambda: set(site.served()) == {switched.leaf.certificate})


async def test_while_a_configuration_does_not_carry_a_new_authority_it_does_not_serve(site: Site) -> None:
    """The replica may write Secrets but the configuration is taken back by somebody again and again."""
    await site.replica()
    await site.ready()
    before = await site.stored()
    site.later(days=59)
    await site.looked()
    await site.looked()
    site.later(days=2)
    for _ in range(3):
        await site.looked()
        await site.overwrite(MUTATING_WEBHOOKS, encoded(before.authorities))
        site.later(seconds=PUBLISHED_FOR.total_seconds() / 2)
    stored = await site.stored()
    assert leaf_signed_by(stored.authorities, stored.leaf.certificate) == 1


async def test_a_deleted_secret_brings_a_new_authority_without_a_gap(site: Site) -> None:
    for _ in range(2):
        await site.replica()
    await site.ready()
    before = await site.stored()
    await site.looked()
    await site.cluster.delete(SECRETS, SECRET, site.namespace)
    after = await site.stored_again()
    assert after.leaf == before.leaf
    assert site.served() == [before.leaf.certificate] * 2
    assert leaf_signed_by(after.authorities, after.leaf.certificate) == 1
    await site.carrying(after.authorities)


async def test_a_namespace_that_is_missing_is_told(site: Site) -> None:
    site.namespace = "nowhere"
    replica = await site.replica()
    await site.until(lambda: "nowhere" in str(replica.certificate.problem()))
