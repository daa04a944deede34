"""Whether certificates have to be renewed, and why. Pure: takes the time, returns a reason.

`certs.renew` acts on it. Apart from it because this is what decides when an admission webhook stops working.
Read the two functions from top to bottom: they are the policy.
"""

import ipaddress
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certs.authority import Pair
from certs.bundle import Bundle, certificates_in

LAST_PART = 3
"""A certificate is renewed in the last third of its life. Of a leaf's week that is two days, in which
whatever keeps it from being renewed can be repaired.
"""


class Reason(StrEnum):
    """Why a certificate is renewed."""

    MISSING = "Missing"
    UNREADABLE = "Unreadable"
    KEY_MISMATCH = "KeyMismatch"
    NOT_YET_VALID = "NotYetValid"
    EXPIRED = "Expired"
    NOT_TRUSTED = "NotSignedByATrustedAuthority"
    WRONG_NAMES = "WrongNames"
    NEAR_EXPIRY = "NearExpiry"
    AUTHORITY_RENEWED = "AuthorityRenewed"


CAN_WAIT = frozenset({Reason.NEAR_EXPIRY, Reason.AUTHORITY_RENEWED})
"""With these the leaf still serves; with all others, clients refuse it."""


def authority_reason(bundle: Bundle, now: datetime) -> Reason | None:
    """Why a new authority is needed; None if the one that is there can go on signing."""
    if not bundle.authorities or not bundle.authority_key:
        return Reason.MISSING
    certificate = _readable(bundle.signer)
    return certificate if isinstance(certificate, Reason) else _age_reason(certificate, now)


def leaf_reason(bundle: Bundle, now: datetime, hosts: Collection[str]) -> Reason | None:
    """Why a new leaf is needed; None if the one that is there can go on serving all the hosts."""
    if not bundle.leaf.certificate or not bundle.leaf.key:
        return Reason.MISSING
    certificate = _readable(bundle.leaf)
    if isinstance(certificate, Reason):
        return certificate
    trusted = certificates_in(bundle.authorities)
    valid = [each for each in trusted if each.not_valid_before_utc <= now < each.not_valid_after_utc]
    if not any(_signed_by(certificate, authority) for authority in valid):
        return Reason.NOT_TRUSTED
    if not set(hosts) <= names(certificate):
        return Reason.WRONG_NAMES
    age = _age_reason(certificate, now)
    if age is None and not _signed_by(certificate, trusted[0]):
        return Reason.AUTHORITY_RENEWED
    return age


def names(certificate: x509.Certificate) -> set[str]:
    """The hosts that a certificate is for: DNS names and addresses."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return set()
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [
        address
        for address in found.get_values_for_type(x509.IPAddress)
        if isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
    ]
    return {*found.get_values_for_type(x509.DNSName), *(str(address) for address in addresses)}


def _readable(pair: Pair) -> x509.Certificate | Reason:
    """The certificate, if it and its key can be read and belong together."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError):  # TypeError: the key is encrypted
        return Reason.UNREADABLE
    return certificate if key.public_key() == certificate.public_key() else Reason.KEY_MISMATCH


def _age_reason(certificate: x509.Certificate, now: datetime) -> Reason | None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:  # made by a machine whose clock was ahead
        return Reason.NOT_YET_VALID
    if now >= ends:
        return Reason.EXPIRED
    return Reason.NEAR_EXPIRY if now >= ends - (ends - begins) / LAST_PART else None


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
