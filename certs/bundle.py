"""What is kept of certificates: the authorities that are trusted, the key of one, and the leaf.

Read from a Secret and written to it by `certs.rotate`, judged by `certs.policy`. Pure, and forgiving: what
cannot be read is empty, and `policy` says what follows from that.
"""

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import Pair
from shared.types.meta import Json

AUTHORITIES, AUTHORITY_KEY, LEAF, LEAF_KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"
"""Keys of the Secret, and names of mounted files: those that cert-manager uses."""

NOTHING = Pair(b"", b"")


@dataclass(frozen=True, slots=True)
class Bundle:
    """All PEM; empty where there is nothing."""

    authorities: bytes = b""
    """Certificates of all that are trusted, the one that signs first."""
    authority_key: bytes = b""
    leaf: Pair = NOTHING

    @property
    def signer(self) -> Pair:
        """The authority that signs new leaves."""
        certificates = certificates_in(self.authorities)
        return Pair(pem(certificates[:1]), self.authority_key)

    def led_by(self, authority: Pair) -> Self:
        """With another authority to sign; those before stay trusted."""
        older = pem(certificates_in(self.authorities))
        return replace(self, authorities=authority.certificate + older, authority_key=authority.key)

    @classmethod
    def read(cls, secret: Json) -> Self:
        """What a Secret holds."""
        data = secret.get("data") or {}
        authorities, key, leaf, leaf_key = (
            decoded(data.get(name)) for name in (AUTHORITIES, AUTHORITY_KEY, LEAF, LEAF_KEY)
        )
        return cls(authorities, key, Pair(leaf, leaf_key))

    def data(self) -> dict[str, str]:
        """The `data` of a Secret."""
        return {
            AUTHORITIES: encoded(self.authorities),
            AUTHORITY_KEY: encoded(self.authority_key),
            LEAF: encoded(self.leaf.certificate),
            LEAF_KEY: encoded(self.leaf.key),
        }


def certificates_in(text: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM text; none if any of it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        return []


def pem(certificates: list[x509.Certificate]) -> bytes:
    """The certificates as one PEM text."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def joined(first: bytes, second: bytes, now: datetime) -> bytes:
    """The certificates of both PEM texts that have not expired, in order, each once."""
    both = dict.fromkeys(certificates_in(first) + certificates_in(second))
    return pem([certificate for certificate in both if certificate.not_valid_after_utc > now])


def encoded(value: bytes) -> str:
    """Bytes as the API has them."""
    return base64.b64encode(value).decode()


def decoded(value: object) -> bytes:
    """Bytes as the API has them; empty if there are none."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error:
        return b""
