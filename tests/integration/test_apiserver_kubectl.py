"""kubectl works with the sandbox's API server: the ways of people, on the wire that only kubectl speaks."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.apiserver import ApiServer, Config

KUBECTL = Path(sys.executable).with_name("kubectl")
CRDS = Path(__file__).parents[2] / "manifests/crds"
pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not installed beside this Python")

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "web:1", env: [{name: A, value: "1"}]}]}
"""
CANARY = """
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo}
spec:
  provider: traefik
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  service: {port: 80}
  analysis: {interval: INTERVAL, threshold: 5, maxWeight: 50, stepWeight: 10}
"""


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl with a kubeconfig and a cache of its own."""

    folder: Path

    async def fails(self, *arguments: str, stdin: str = "") -> str:
        code, _, error = await self._run(arguments, stdin)
        assert code != 0
        return error

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        code, output, error = await self._run(arguments, stdin)
        assert code == 0, error
        return output

    async def _run(self, arguments: tuple[str, ...], stdin: str) -> tuple[int | None, str, str]:
        environment = {
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "HOME": str(self.folder),
            "PATH": os.defpath,
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            KUBECTL, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        output, error = await process.communicate(stdin.encode())
        return process.returncode, output.decode(), error.decode()


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    yield Kubectl(tmp_path)
    await server.stop()


async def test_objects_are_created_in_protobuf(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "test")
    await kubectl("-n", "test", "create", "deployment", "web", "--image=web:1", "--replicas=3", "--port=80")
    await kubectl("-n", "test", "create", "configmap", "c", "--from-literal=a=1")
    await kubectl("-n", "test", "autoscale", "deployment", "web", "--min=2", "--max=4")
    paths = "{.spec.replicas} {.spec.template.spec.containers[0].image} {.spec.strategy.type}"
    assert (
        await kubectl("-n", "test", "get", "deploy", "web", "-o", f"jsonpath={paths}")
        == "3 web:1 RollingUpdate"
    )
    assert await kubectl("-n", "test", "get", "cm", "c", "-o", "jsonpath={.data}") == '{"a":"1"}'
    assert (await kubectl("-n", "test", "get", "hpa", "--no-headers")).split()[4:6] == ["2", "4"]


async def test_applying_again_changes_nothing_and_a_change_merges(kubectl: Kubectl) -> None:
    assert "created" in await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert "unchanged" in await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    await kubectl("set", "image", "deployment/web", "app=web:2")
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace('value: "1"', 'value: "2"'))
    path = (
        "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value}"
    )
    assert await kubectl("get", "deployment", "web", "-o", path) == "web:1 2"
    assert "serverside-applied" in await kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=DEPLOYMENT
    )
    assert await kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", stdin=DEPLOYMENT) == ""


async def test_a_deployment_is_scaled_patched_labelled_described_and_deleted(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    await kubectl("scale", "deployment/web", "--replicas=5")
    await kubectl("patch", "deployment", "web", "-p", '{"spec":{"minReadySeconds":3}}')
    await kubectl("label", "deployment", "web", "tier=front")
    await kubectl("rollout", "restart", "deployment/web")
    await kubectl("wait", "deployment/web", "--for=jsonpath={.spec.replicas}=5", "--timeout=5s")
    row = (await kubectl("get", "deployment", "-o", "wide", "-l", "tier=front", "--no-headers")).split()
    assert (row[1], row[-3:]) == ("0/5", ["app", "web:1", "app=web"])
    described = await kubectl("describe", "deployment", "web")
    assert "MinReadySeconds:        3" in described
    await kubectl("delete", "deployment", "web")
    assert 'deployments.apps "web" not found' in await kubectl.fails("get", "deployment", "web")


async def test_our_kinds_are_explained_validated_and_printed(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", str(CRDS))
    await kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=5s")
    assert "FIELD: interval <string>" in await kubectl("explain", "canary.spec.analysis.interval")
    error = await kubectl.fails("apply", "-f", "-", stdin=CANARY.replace("INTERVAL", "soon"))
    assert 'spec.analysis.interval: Invalid value: "soon"' in error
    error = await kubectl.fails("apply", "-f", "-", stdin=CANARY.replace("provider", "povider"))
    assert 'unknown field "spec.povider"' in error
    await kubectl("apply", "-f", "-", stdin=CANARY.replace("INTERVAL", "10s"))
    status = '{"status":{"phase":"Progressing","canaryWeight":10}}'
    await kubectl("patch", "canary", "podinfo", "--subresource=status", "--type=merge", "-p", status)
    assert (await kubectl("get", "canaries", "--no-headers")).split()[:3] == ["podinfo", "Progressing", "10"]


async def test_who_asks_is_known(kubectl: Kubectl) -> None:
    assert "admin" in await kubectl("auth", "whoami")
    assert await kubectl("auth", "can-i", "delete", "pods") == "yes\n"
    await kubectl("create", "serviceaccount", "app")
    assert (await kubectl("create", "token", "app")).strip()
