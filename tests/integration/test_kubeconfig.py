"""How a process finds its API server, and what it says when it cannot."""

import asyncio
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from certs.authority import Pair, Subject, issue, make_authority
from shared import errors
from shared.cluster import Cluster
from shared.resources import PODS
from tests.integration.scripted import Server, refuse, reply, write_kubeconfig

POD = "/api/v1/namespaces/test/pods/podinfo"
OBJECT = {"metadata": {"name": "podinfo", "namespace": "test"}}
DAY = timedelta(days=1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


async def ask(kubeconfig: Path | None) -> None:
    async with await Cluster.connect(kubeconfig) as cluster:
        assert await cluster.get(PODS, "podinfo", "test") == OBJECT


def written(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def plugin(tmp_path: Path, code: str) -> dict[str, object]:
    script = tmp_path / "plugin.py"
    script.write_text(code)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": [str(script)]}}


GIVES_TOKEN = """
import json, pathlib, sys
calls = pathlib.Path(__file__).with_suffix(".calls")
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
token = f"token-{len(calls.read_text())}"
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": token}}))
"""


async def test_the_environment_names_the_file_where_none_is_given(
    server: Server, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("GET", POD, reply(OBJECT))
    monkeypatch.setenv("KUBECONFIG", f"/does/not/exist:{write_kubeconfig(config, server.url)}")
    await ask(None)


async def test_proxies_of_the_environment_are_ignored(
    server: Server, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("GET", POD, reply(OBJECT))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    await ask(write_kubeconfig(config, server.url))


async def test_the_proxy_of_the_kubeconfig_is_used(server: Server, config: Path) -> None:
    server.on("GET", POD, reply(OBJECT))
    await ask(write_kubeconfig(config, "http://api.example.invalid", cluster={"proxy-url": server.url}))
    assert server.asked[0].headers["Host"] == "api.example.invalid"


async def test_a_credential_plugin_gives_the_token(server: Server, config: Path, tmp_path: Path) -> None:
    server.on("GET", POD, reply(OBJECT))
    await ask(write_kubeconfig(config, server.url, user=plugin(tmp_path, GIVES_TOKEN)))
    assert server.asked[0].headers["Authorization"] == "Bearer token-1"


async def test_an_expired_token_is_fetched_again_and_the_request_repeated(
    server: Server, config: Path, tmp_path: Path
) -> None:
    server.on("POST", "/api/v1/namespaces/test/pods", refuse(401, "Unauthorized"), reply(OBJECT))
    kubeconfig = write_kubeconfig(config, server.url, user=plugin(tmp_path, GIVES_TOKEN))
    async with await Cluster.connect(kubeconfig) as cluster:
        await cluster.create(PODS, OBJECT)
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer token-1", "Bearer token-2"]


async def test_many_requests_with_an_expired_token_fetch_one_new_token(
    server: Server, config: Path, tmp_path: Path
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        expired = request.headers["Authorization"] == "Bearer token-1"
        return await (refuse(401, "Unauthorized") if expired else reply(OBJECT))(request)

    server.on("GET", POD, answer)
    kubeconfig = write_kubeconfig(config, server.url, user=plugin(tmp_path, GIVES_TOKEN))
    async with await Cluster.connect(kubeconfig) as cluster:
        await asyncio.gather(*(cluster.get(PODS, "podinfo", "test") for _ in range(5)))
    assert server.asked[-1].headers["Authorization"] == "Bearer token-2"


async def test_credentials_that_stay_wrong_are_not_read_in_a_loop(server: Server, config: Path) -> None:
    server.on("GET", POD, refuse(401, "Unauthorized"))
    with pytest.raises(errors.Forbidden, match="Unauthorized"):
        await ask(write_kubeconfig(config, server.url))
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('log in first')", "returned 1.*log in first"),
        ("print('hello')", "failed to decode"),
        (
            'print(\'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "x", "status": {}}\')',
            "returned neither a token nor a certificate",
        ),
    ],
)
async def test_a_credential_plugin_that_fails_is_quoted(
    config: Path, tmp_path: Path, code: str, said: str
) -> None:
    kubeconfig = write_kubeconfig(config, "https://127.0.0.1:1", user=plugin(tmp_path, code))
    with pytest.raises(errors.ConfigError, match=f"{config} cannot be used: .*{said}"):
        await Cluster.connect(kubeconfig)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a complete kubeconfig"),
        ("{", "while parsing"),
        ("[]", "not a complete kubeconfig"),
        ("clusters: []", "current-context"),
        ("current-context: x\ncontexts: []\nclusters: []\nusers: []", "name x in"),
        (
            "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
            "clusters: [{name: c, cluster: {}}]",
            "no cluster with a server|Expected key|not a complete",
        ),
    ],
)
async def test_a_broken_kubeconfig_is_named_with_what_is_wrong(
    tmp_path: Path, content: str, said: str
) -> None:
    config = written(tmp_path / "kubeconfig", content)
    with pytest.raises(errors.ConfigError, match=f"kubeconfig {config} cannot be used: .*({said})"):
        await Cluster.connect(config)


async def test_a_kubeconfig_without_a_server_is_not_taken_for_localhost(config: Path) -> None:
    write_kubeconfig(config, "")
    with pytest.raises(errors.ConfigError, match="no cluster with a server address"):
        await Cluster.connect(config)


async def test_a_missing_file_is_named(config: Path) -> None:
    with pytest.raises(
        errors.ConfigError, match=f"kubeconfig {config} cannot be used: there is no such file"
    ):
        await Cluster.connect(config)


async def test_a_certificate_that_is_none_is_named(config: Path) -> None:
    kubeconfig = write_kubeconfig(
        config, "https://127.0.0.1:1", cluster={"certificate-authority-data": "bm9uc2Vuc2U="}
    )
    with pytest.raises(errors.ConfigError, match="cannot be used"):
        await Cluster.connect(kubeconfig)


async def test_nothing_at_all_says_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(errors.ConfigError, match=r"KUBECONFIG is not set.*not a pod.*--kubeconfig FILE"):
        await Cluster.connect()


async def test_a_pod_without_its_token_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(errors.ConfigError, match="service account cannot be used: Service token file"):
        await Cluster.connect()


class TestTls:
    now = datetime.now(UTC)
    authority = make_authority("test-ca", now=now, lifetime=DAY)

    def serving(self, tmp_path: Path, pair: Pair) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        (tmp_path / "tls.crt").write_bytes(pair.certificate)
        (tmp_path / "tls.key").write_bytes(pair.key)
        context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
        return context

    def client(self, config: Path, server: str, authority: Pair, pair: Pair, **more: str) -> Path:
        directory = config.parent
        (directory / "ca.crt").write_bytes(authority.certificate)
        (directory / "client.crt").write_bytes(pair.certificate)
        (directory / "client.key").write_bytes(pair.key)
        user = {"client-certificate": "client.crt", "client-key": "client.key"}
        return write_kubeconfig(
            config, server, user=user, cluster={"certificate-authority": "ca.crt", **more}
        )

    async def test_both_sides_show_certificates_of_the_authority(self, config: Path, tmp_path: Path) -> None:
        leaf = issue(self.authority, Subject("server", hosts=["api.example.com"]), now=self.now, lifetime=DAY)
        context = self.serving(tmp_path, leaf)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.authority.certificate.decode())
        user = issue(self.authority, Subject("me", groups=["system:masters"]), now=self.now, lifetime=DAY)
        server = Server()
        await server.start(context)
        server.on("GET", POD, reply(OBJECT))
        name = {"tls-server-name": "api.example.com"}
        await ask(self.client(config, server.url, self.authority, user, **name))
        await server.stop()

    @pytest.mark.looptime
    async def test_a_server_of_another_authority_is_not_trusted(self, config: Path, tmp_path: Path) -> None:
        other = make_authority("other-ca", now=self.now, lifetime=DAY)
        leaf = issue(other, Subject("server", hosts=["127.0.0.1"]), now=self.now, lifetime=DAY)
        user = issue(self.authority, Subject("me"), now=self.now, lifetime=DAY)
        server = Server()
        await server.start(self.serving(tmp_path, leaf))
        with pytest.raises(errors.ClusterUnavailable, match="certificate verify failed"):
            await ask(self.client(config, server.url, self.authority, user))
        assert not server.asked
        await server.stop()
