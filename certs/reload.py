"""A TLS context whose certificate can be replaced while it serves.

A server is given `context` once. New connections get the newest certificate, those that are open keep theirs.
Used by `certs.serving`; apart because OpenSSL wants files, and because a bad pair must not spoil a good
context.
"""

import ssl
import tempfile
from datetime import datetime

from certs.authority import Pair
from certs.bundle import certificates_in
from shared.errors import UnusableCertificate

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; those of TLS 1.3 are all as good."""


class ReloadedContext:
    """Serves nothing until the first `serve`."""

    def __init__(self) -> None:
        self.context = _context()
        self.served: Pair | None = None
        self.expires: datetime | None = None

    def serve(self, pair: Pair) -> bool:
        """From now on use this certificate; tell whether it is another one than before.

        Raises:
            UnusableCertificate: it cannot be used; what was served before still is.
        """
        if pair == self.served:
            return False
        certificates = certificates_in(pair.certificate)
        try:
            # OpenSSL takes the certificate before it looks at the key, and would keep half of a bad pair.
            _load(_context(), pair)
            _load(self.context, pair)
            self.expires = certificates[0].not_valid_after_utc
        except (ssl.SSLError, IndexError, ValueError, TypeError) as error:
            raise UnusableCertificate(f"the certificate cannot be served: {error}") from error
        self.served = pair
        return True

    def problem(self, now: datetime) -> str | None:
        """Why clients would refuse what is served; None while all is well."""
        if self.expires is None:
            return "there is no certificate yet"
        if now >= self.expires:
            return f"the served certificate expired at {self.expires:%Y-%m-%dT%H:%M:%SZ}"
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    # Readable by this user alone, and gone at once. The pod's /tmp is memory.
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pair.key + b"\n" + pair.certificate)
        file.flush()
        # Without a password of our own, OpenSSL would ask for one at the terminal.
        context.load_cert_chain(file.name, password="")
