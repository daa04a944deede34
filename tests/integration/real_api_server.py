"""A real kube-apiserver with its etcd on loopback, for the tests that have to hold against one.

`KUBEBUILDER_ASSETS` names the folder with both binaries. Used by the fixture `real_api_server` alone.
"""

import secrets
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

STARTS_WITHIN = 60.0
"""Seconds until the API server has to be ready."""


@dataclass(frozen=True)
class RealApiServer:
    """A running API server, and a kubeconfig for a cluster admin."""

    url: str
    kubeconfig: Path


@contextmanager
def running(assets: Path, folder: Path) -> Iterator[RealApiServer]:
    """Both processes with all that they write in `folder`; ended with the block."""
    etcd, peer, port = _free_ports(3)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    _write_key(folder / "service-accounts.key")
    with ExitStack() as processes:
        etcd_log = processes.enter_context((folder / "etcd.log").open("wb"))
        processes.enter_context(process(_etcd(assets, folder, etcd, peer), etcd_log.fileno()))
        log = processes.enter_context((folder / "kube-apiserver.log").open("wb"))
        server = processes.enter_context(process(_apiserver(assets, folder, etcd, port), log.fileno()))
        url = f"https://127.0.0.1:{port}"
        kubeconfig = _kubeconfig(folder, url, token)
        _wait_until_ready(url, token, folder, server)
        yield RealApiServer(url, kubeconfig)


def _etcd(assets: Path, folder: Path, client: int, peer: int) -> list[str]:
    return [
        str(assets / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]


def _apiserver(assets: Path, folder: Path, etcd: int, port: int) -> list[str]:
    key = folder / "service-accounts.key"
    return [
        str(assets / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certs'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    ]


@contextmanager
def process(command: list[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, token: str, folder: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if _ready(url, token, folder):
            return
        time.sleep(0.1)  # the server has no other way to say that it is ready
    tail = (folder / "kube-apiserver.log").read_text(errors="replace")[-3000:]
    raise RuntimeError(f"kube-apiserver was not ready within {STARTS_WITHIN:g} s; its log ends with:\n{tail}")


def _ready(url: str, token: str, folder: Path) -> bool:
    """Whether the server answers, with the certificate that it made for itself and all its start-up done."""
    certificate = folder / "certs/apiserver.crt"
    if not certificate.is_file():
        return False
    request = urllib.request.Request(f"{url}/readyz", headers={"Authorization": f"Bearer {token}"})
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _kubeconfig(folder: Path, url: str, token: str) -> Path:
    cluster = {"server": url, "certificate-authority": str(folder / "certs/apiserver.crt")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "real", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "real", "context": {"cluster": "real", "user": "admin"}}],
        "current-context": "real",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


def _write_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
