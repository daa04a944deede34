"""When certificates are renewed, and what becomes of them meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certs.authority import Pair, Subject, issue, make_authority
from certs.bundle import NOTHING, Bundle, certificates_in, joined, pem
from certs.policy import Reason, authority_reason, leaf_reason, names
from certs.renew import AUTHORITY_LIFETIME, LEAF_LIFETIME, renewed

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTS = ("pinfeather-admission.pinfeather-system.svc", "127.0.0.1")


def never(_: bytes) -> bool:
    return False


def always(_: bytes) -> bool:
    return True


FRESH = renewed(Bundle(), HOSTS, NOW, never).bundle
OTHER = make_authority("other", now=NOW, lifetime=90 * DAY)


def leaf_of(authority: Pair, lifetime: timedelta = LEAF_LIFETIME) -> Pair:
    return issue(authority, Subject("x", hosts=HOSTS), now=NOW, lifetime=lifetime)


def encrypted(pair: Pair) -> Pair:
    key = load_pem_private_key(pair.key, password=None)
    secret = serialization.BestAvailableEncryption(b"secret")
    key_pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    return Pair(pair.certificate, key_pem)


def test_what_was_just_made_needs_nothing() -> None:
    assert authority_reason(FRESH, NOW) is None
    assert leaf_reason(FRESH, NOW, HOSTS) is None
    assert renewed(FRESH, HOSTS, NOW, always).bundle == FRESH


def test_a_leaf_lives_a_week_and_an_authority_ninety_days() -> None:
    (authority,), (leaf,) = certificates_in(FRESH.authorities), certificates_in(FRESH.leaf.certificate)
    assert leaf.not_valid_after_utc - NOW == timedelta(days=7) == LEAF_LIFETIME
    assert authority.not_valid_after_utc - NOW == timedelta(days=90) == AUTHORITY_LIFETIME
    assert leaf.not_valid_before_utc < NOW
    assert names(leaf) == set(HOSTS)


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        (Bundle(), Reason.MISSING),
        (replace(FRESH, leaf=Pair(FRESH.leaf.certificate, b"")), Reason.MISSING),
        (replace(FRESH, leaf=Pair(b"no PEM", FRESH.leaf.key)), Reason.UNREADABLE),
        (replace(FRESH, leaf=Pair(FRESH.leaf.certificate, b"no PEM")), Reason.UNREADABLE),
        (replace(FRESH, leaf=encrypted(FRESH.leaf)), Reason.UNREADABLE),
        (replace(FRESH, leaf=Pair(FRESH.leaf.certificate, OTHER.key)), Reason.KEY_MISMATCH),
        (replace(FRESH, leaf=leaf_of(OTHER)), Reason.NOT_TRUSTED),
        (replace(FRESH, authorities=b""), Reason.NOT_TRUSTED),
        (replace(FRESH, authorities=b"no PEM"), Reason.NOT_TRUSTED),
        (FRESH.led_by(OTHER), Reason.AUTHORITY_RENEWED),
    ],
)
def test_a_leaf_is_renewed_because(bundle: Bundle, reason: Reason) -> None:
    assert leaf_reason(bundle, NOW, HOSTS) is reason


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        (Bundle(), Reason.MISSING),
        (replace(FRESH, authority_key=b""), Reason.MISSING),
        (replace(FRESH, authorities=b"no PEM"), Reason.UNREADABLE),
        (replace(FRESH, authority_key=b"no PEM"), Reason.UNREADABLE),
        (replace(FRESH, authority_key=OTHER.key), Reason.KEY_MISMATCH),
    ],
)
def test_an_authority_is_renewed_because(bundle: Bundle, reason: Reason) -> None:
    assert authority_reason(bundle, NOW) is reason


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (timedelta(hours=-1), Reason.NOT_YET_VALID),
        (timedelta(minutes=-4), None),
        (60 * DAY - timedelta(minutes=5), None),
        (60 * DAY, Reason.NEAR_EXPIRY),
        (90 * DAY - timedelta(seconds=1), Reason.NEAR_EXPIRY),
        (90 * DAY, Reason.EXPIRED),
    ],
)
def test_an_authority_is_renewed_in_the_last_third_of_its_life(
    after: timedelta, reason: Reason | None
) -> None:
    assert authority_reason(FRESH, NOW + after) is reason


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (timedelta(hours=-1), Reason.NOT_YET_VALID),
        (timedelta(minutes=-4), None),
        (LEAF_LIFETIME * 2 / 3 - timedelta(minutes=5), None),
        (LEAF_LIFETIME * 2 / 3, Reason.NEAR_EXPIRY),
        (LEAF_LIFETIME, Reason.EXPIRED),
    ],
)
def test_a_leaf_is_renewed_in_the_last_third_of_its_life(after: timedelta, reason: Reason | None) -> None:
    made_before = make_authority("old", now=NOW - DAY, lifetime=90 * DAY)
    bundle = Bundle(made_before.certificate, made_before.key, leaf_of(made_before))
    assert leaf_reason(bundle, NOW + after, HOSTS) is reason


def test_a_leaf_for_other_names_is_renewed_and_keeps_the_names_that_others_need() -> None:
    bundle = renewed(FRESH, ("new.svc",), NOW, never).bundle
    assert leaf_reason(FRESH, NOW, ("new.svc",)) is Reason.WRONG_NAMES
    assert names(certificates_in(bundle.leaf.certificate)[0]) == {*HOSTS, "new.svc"}
    assert leaf_reason(bundle, NOW, HOSTS) is leaf_reason(bundle, NOW, ("new.svc",)) is None


def test_more_names_than_needed_are_no_reason() -> None:
    assert leaf_reason(FRESH, NOW, HOSTS[:1]) is None


def test_a_leaf_whose_authority_expired_is_not_trusted() -> None:
    authority = make_authority("short", now=NOW, lifetime=DAY)
    bundle = Bundle(authority.certificate, authority.key, leaf_of(authority, DAY))
    assert leaf_reason(bundle, NOW + DAY, HOSTS) is Reason.NOT_TRUSTED


def stages() -> list[tuple[str, Bundle]]:
    """An authority's rotation, as the Secret sees it."""
    later = NOW + 61 * DAY
    # The leaf of that day, still fresh.
    week_old = renewed(FRESH, HOSTS, NOW + 55 * DAY, always).bundle
    week_old = renewed(replace(week_old, leaf=NOTHING), HOSTS, NOW + 59 * DAY, always).bundle
    announced = renewed(week_old, HOSTS, later, never).bundle
    waiting = renewed(announced, HOSTS, later + timedelta(minutes=1), never).bundle
    switched = renewed(waiting, HOSTS, later + timedelta(minutes=6), always).bundle
    # By then the leaf was renewed by the new authority several times.
    retired = renewed(switched, HOSTS, NOW + 90 * DAY, always).bundle
    return [
        ("before", week_old),
        ("announced", announced),
        ("waiting", waiting),
        ("switched", switched),
        ("retired", retired),
    ]


def test_a_new_authority_is_trusted_first_signs_later_and_the_old_one_goes_when_it_expires() -> None:
    at = dict(stages())
    (old,) = certificates_in(at["before"].authorities)
    new, second = certificates_in(at["announced"].authorities)
    assert second == old
    assert new.subject != old.subject
    assert at["announced"].leaf == at["before"].leaf
    assert at["waiting"] == at["announced"]
    certificates_in(at["switched"].leaf.certificate)[0].verify_directly_issued_by(new)
    assert certificates_in(at["switched"].authorities) == [new, old]
    assert certificates_in(at["retired"].authorities) == [new]


def test_what_still_serves_waits_for_a_new_authority_to_be_published() -> None:
    near = NOW + LEAF_LIFETIME * 2 / 3
    assert renewed(FRESH, HOSTS, near, never).bundle == FRESH
    assert renewed(FRESH, HOSTS, near, always).leaf is Reason.NEAR_EXPIRY


@pytest.mark.parametrize(
    "broken",
    [
        lambda bundle: replace(bundle, leaf=NOTHING),
        lambda bundle: replace(bundle, leaf=Pair(b"x", b"x")),
        lambda bundle: replace(bundle, authorities=b""),
        lambda _: Bundle(),
    ],
)
def test_what_does_not_serve_is_renewed_at_once(broken: Callable[[Bundle], Bundle]) -> None:
    bundle = renewed(broken(FRESH), HOSTS, NOW, never).bundle
    assert leaf_reason(bundle, NOW, HOSTS) is None


def test_everything_expired_is_replaced_and_trusted_no_more() -> None:
    year = NOW + 365 * DAY
    renewal = renewed(FRESH, HOSTS, year, never)
    assert (renewal.authority, renewal.leaf) == (Reason.EXPIRED, Reason.NOT_TRUSTED)
    assert authority_reason(renewal.bundle, year) is leaf_reason(renewal.bundle, year, HOSTS) is None
    assert not set(certificates_in(FRESH.authorities)) & set(certificates_in(renewal.bundle.authorities))


def test_a_secret_holds_the_bundle_and_whatever_else_it_holds_is_no_bundle() -> None:
    assert Bundle.read({"data": FRESH.data()}) == FRESH
    assert (
        Bundle.read({}) == Bundle.read({"data": None}) == Bundle.read({"data": {"tls.crt": "%"}}) == Bundle()
    )


def test_joined_trust_has_each_authority_once_and_none_that_expired() -> None:
    ours, theirs = FRESH.authorities, OTHER.certificate
    short = make_authority("short", now=NOW, lifetime=DAY).certificate
    assert joined(ours, ours + theirs + short, NOW + DAY) == pem(certificates_in(ours + theirs))
    assert joined(ours, b"garbage", NOW) == ours
