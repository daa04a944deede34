"""What the certificates say."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.authority import Pair, Subject, issue, make_authority

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)
AUTHORITY = make_authority("pinfeather", now=NOW, lifetime=90 * DAY)


def parsed(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def test_an_authority_signs_leaves_and_nothing_else() -> None:
    certificate = parsed(AUTHORITY)
    assert certificate.extensions.get_extension_for_class(
        x509.BasicConstraints
    ).value == x509.BasicConstraints(ca=True, path_length=0)
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    certificate.verify_directly_issued_by(certificate)


def test_a_leaf_is_signed_by_its_authority_and_matches_its_key() -> None:
    leaf = issue(AUTHORITY, Subject("api"), now=NOW, lifetime=DAY)
    certificate = parsed(leaf)
    certificate.verify_directly_issued_by(parsed(AUTHORITY))
    key = load_pem_private_key(leaf.key, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == certificate.public_key()


def test_a_servers_certificate_names_its_hosts_and_addresses() -> None:
    leaf = parsed(issue(AUTHORITY, Subject("api", hosts=["api.test", "127.0.0.1"]), now=NOW, lifetime=DAY))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["api.test"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_clients_certificate_names_user_and_groups() -> None:
    leaf = parsed(issue(AUTHORITY, Subject("me", groups=["a", "b"]), now=NOW, lifetime=DAY))
    groups = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [group.value for group in groups] == ["a", "b"]
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "me"
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_times_are_the_callers_with_room_for_slow_clocks() -> None:
    leaf = parsed(issue(AUTHORITY, Subject("api"), now=NOW, lifetime=7 * DAY))
    assert leaf.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert leaf.not_valid_after_utc == NOW + 7 * DAY


def test_a_leaf_does_not_outlive_its_authority() -> None:
    leaf = parsed(issue(AUTHORITY, Subject("api"), now=NOW + 89 * DAY, lifetime=7 * DAY))
    assert leaf.not_valid_after_utc == NOW + 90 * DAY


def test_serials_are_random() -> None:
    serials = {
        parsed(issue(AUTHORITY, Subject("api"), now=NOW, lifetime=DAY)).serial_number for _ in range(5)
    }
    assert len(serials) == 5


def test_an_authority_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="PEM"):
        issue(Pair(b"nonsense", b"nonsense"), Subject("api"), now=NOW, lifetime=DAY)
