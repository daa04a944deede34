"""The server's certificate, and the kubeconfig files that clients are given.

Everything is new at every start: a sandbox begins empty, so old files must not seem to work.
"""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from certs.authority import Subject, issue, make_authority

_LIFETIME = timedelta(days=365)
_HOSTS = ("127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Credentials:
    """A certificate authority and the server's leaf."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        authority = make_authority("sandbox", now=now, lifetime=_LIFETIME)
        self.authority = authority.certificate
        self._server = issue(authority, Subject("kube-apiserver", hosts=_HOSTS), now=now, lifetime=_LIFETIME)

    def server_context(self) -> ssl.SSLContext:
        """TLS for the listening side. The key touches the disk for a moment: OpenSSL only reads files."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.NamedTemporaryFile() as file:
            file.write(self._server.certificate + self._server.key)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def write_kubeconfig(path: Path, server: str, authority: Path, token: str) -> None:
    """Writes a kubeconfig for one user. `authority` is the file with the server's CA; only the owner may read
    the result.
    """
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "sandbox", "cluster": {"server": server, "certificate-authority": str(authority)}}
        ],
        "users": [{"name": "sandbox", "user": {"token": token}}],
        "contexts": [
            {"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": "default"}}
        ],
        "current-context": "sandbox",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
