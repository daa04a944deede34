"""What kubectl does to Deployments and Canaries is shown to webhooks as it was recorded on a real cluster.

Each step puts the recorded old object there, field owners included, does what was done, and compares.
Runs against the sandbox's server, and a real one where there is one.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import MERGE, ApiClient, connected
from tests.integration.kubectl.command import BINARY, Kubectl
from tests.integration.webhook_receiver import Json, answering, deny, patching, path_of, receiving, rule
from tests.integration.webhook_stage import Stage

RECORDINGS = Path(__file__).parents[3] / "shared/recordings/admission-reviews"
pytestmark = [
    pytest.mark.skipif(not BINARY.exists(), reason="kubectl is not installed beside this Python"),
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings at {RECORDINGS}"),
    pytest.mark.timeout(120),
]

NAMESPACE = "rec"
# Differ from run to run; a generation is compared with the one before.
MASKED = {"uid", "resourceVersion", "creationTimestamp", "time", "kubectl.kubernetes.io/restartedAt"}
# Whoever recorded them had another name.
USER = {"username", "uid"}


def recorded(number: int) -> Json:
    (found,) = RECORDINGS.glob(f"{number:02}-*.json")
    request: Json = json.loads(found.read_text())["request"]
    return request


class Scene:
    """A namespace with a Deployment and a Canary in it, and webhooks that see both."""

    def __init__(self, stage: Stage, kubectl: Kubectl) -> None:
        self.stage = stage
        self.kubectl = kubectl

    async def there_is(self, obj: Json) -> None:
        """Puts an object there as it was recorded, with its status and field owners."""
        path = path_to(obj)
        collection = path.rpartition("/")[0]
        client = self.stage.client
        await client.send("DELETE", path)
        names = {k: v for k, v in obj["metadata"].items() if k in ("name", "labels", "annotations")}
        body = {**obj, "metadata": names}
        await client.done("POST", collection, body)
        if obj.get("status"):
            await client.done("PATCH", f"{path}/status", {"status": obj["status"]}, MERGE)
        stored = await client.done("GET", path)
        stored["metadata"]["managedFields"] = [
            {"time": "2026-11-22T20:11:00Z", **entry} for entry in obj["metadata"]["managedFields"]
        ]
        await client.done("PUT", path, stored)
        self.stage.receiver.reviews.clear()

    async def shows(self, mutate: int, validate: int) -> None:
        """Compares what both webhooks were asked last with two recordings."""
        for at, number in (("/mutate", mutate), ("/validate", validate)):
            asked = self.stage.receiver.requests(at)
            assert len(asked) == 1, at
            assert shown(asked[0]) == shown(recorded(number)), f"recording {number}"


def path_to(obj: Json) -> str:
    plural = {"Deployment": "deployments", "Canary": "canaries", "ReplicaSet": "replicasets"}[obj["kind"]]
    return f"/apis/{obj['apiVersion']}/namespaces/{NAMESPACE}/{plural}/{obj['metadata']['name']}"


def shown(request: Json) -> Json:
    """A request without what differs from run to run."""
    new, old = request["object"], request["oldObject"]
    step = generation(new) - generation(old) if new and old else None
    rest = {name: value for name, value in masked(request).items() if name != "userInfo"}
    user = {name: value for name, value in request["userInfo"].items() if name not in USER}
    return {**rest, "userInfo": user, "generations": step}


def generation(obj: Json) -> int:
    return int(obj["metadata"].get("generation", 0))


def masked(value: Any) -> Any:
    if isinstance(value, dict):
        shown: Json = {k: "*" if k in MASKED else masked(v) for k, v in value.items() if k != "generation"}
        if "managedFields" in shown:
            # In the order of times; where a Scale wrote, the real server loses the time.
            entries = [
                {k: v for k, v in entry.items() if k != "time"} for entry in shown["managedFields"] or ()
            ]
            shown["managedFields"] = sorted(
                entries, key=lambda e: (e["manager"], e["operation"], e.get("subresource", ""))
            )
        return shown
    return [masked(item) for item in value] if isinstance(value, list) else value


def canary_definition() -> Json:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}}
    version = {"name": "v1beta1", "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"plural": "canaries", "kind": "Canary"}
    versions = [{**version, "schema": schema}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "canaries.flagger.app"},
        "spec": {"group": "flagger.app", "scope": "Namespaced", "names": names, "versions": versions},
    }


async def prepare(client: ApiClient) -> None:
    """The kind and the namespace; a server that other tests use may have the one or the other."""
    await client.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", canary_definition())
    await client.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for _ in range(200):
        if (await client.send("GET", "/apis/flagger.app/v1beta1/canaries"))[0] == 200:
            return
        await asyncio.sleep(0.05)
    pytest.fail("Canaries are not served")


@pytest.fixture(params=["sandbox", "real"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    server = None
    if request.param == "real":
        kubeconfig = request.getfixturevalue("real_api_server").kubeconfig
    else:
        server = ApiServer(Config(state=tmp_path))
        await server.start()
        kubeconfig = tmp_path / "kubeconfig"
    async with connected(kubeconfig) as client, receiving() as receiver:
        await prepare(client)
        stage = Stage(client, receiver, NAMESPACE)
        watched = rule(
            "canaries canaries/status deployments deployments/scale",
            groups="flagger.app apps",
            scope="Namespaced",
        )
        await stage.register("Validating", stage.webhook("/validate", watched))
        await stage.register("Mutating", stage.webhook("/mutate", watched))
        yield Scene(stage, Kubectl(kubeconfig, NAMESPACE, tmp_path))
        for kind in ("Mutating", "Validating"):
            await client.send("DELETE", path_of(kind))
    if server is not None:
        await server.stop()


def image_of(obj: Json) -> str:
    return str(obj["spec"]["template"]["spec"]["containers"][0]["image"])


async def set_image(scene: Scene) -> None:
    await scene.kubectl("set", "image", "deployment/podinfo", f"podinfod={image_of(recorded(9)['object'])}")


async def restart(scene: Scene) -> None:
    await scene.kubectl("rollout", "restart", "deployment/podinfo")


async def undo(scene: Scene) -> None:
    """kubectl finds what to go back to in the ReplicaSets."""
    client, old = scene.stage.client, recorded(15)["oldObject"]
    stored = await client.done("GET", path_to(old))
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo", "controller": True}
    revision = int(old["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
    for number, source in ((revision - 1, recorded(15)["object"]), (revision, old)):
        template = json.loads(json.dumps(source["spec"]["template"]))
        template["metadata"]["labels"]["pod-template-hash"] = str(number)
        metadata = {
            "name": f"podinfo-{number}",
            "labels": template["metadata"]["labels"],
            "annotations": {
                **old["metadata"]["annotations"],
                "deployment.kubernetes.io/revision": str(number),
            },
            "ownerReferences": [{**owner, "uid": stored["metadata"]["uid"]}],
        }
        spec = {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
        await client.send("DELETE", path_to(body))
        await client.done("POST", path_to(body).rpartition("/")[0], body)
    await scene.kubectl("rollout", "undo", "deployment/podinfo")


async def label(scene: Scene) -> None:
    await scene.kubectl("label", "deployment/podinfo", "team=a", "--overwrite")


def manifest(image: str) -> str:
    annotation = recorded(21)["object"]["metadata"]["annotations"]
    applied: Json = json.loads(annotation["kubectl.kubernetes.io/last-applied-configuration"])
    del applied["metadata"]["annotations"]
    applied["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return json.dumps(applied)


async def apply_server_side(scene: Scene) -> None:
    body = manifest(image_of(recorded(19)["object"]))
    await scene.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=body)


async def apply_client_side(scene: Scene) -> None:
    await scene.kubectl("apply", "-f", "-", stdin=manifest(image_of(recorded(21)["object"])))


async def dry_run(scene: Scene) -> None:
    image = f"podinfod={image_of(recorded(23)['object'])}"
    await scene.kubectl("set", "image", "deployment/podinfo", image, "--dry-run=server")


async def set_image_patched(scene: Scene) -> None:
    scene.stage.receiver.answers["/mutate"] = patching({"op": "add", "path": "/spec/paused", "value": True})
    await scene.kubectl("set", "image", "deployment/podinfo", f"podinfod={image_of(recorded(25)['object'])}")


async def suspend(scene: Scene) -> None:
    patch = json.dumps({"spec": {"suspend": recorded(5)["object"]["spec"]["suspend"]}})
    await scene.kubectl("patch", "canary", "podinfo", "--type=merge", "-p", patch)


async def write_status(scene: Scene) -> None:
    canary = recorded(7)["object"]
    await scene.stage.client.done("PATCH", f"{path_to(canary)}/status", {"status": canary["status"]}, MERGE)


async def delete_canary(scene: Scene) -> None:
    await scene.kubectl("delete", "canary", "podinfo", "--wait=false")


async def delete_deployment(scene: Scene) -> None:
    await scene.kubectl("delete", "deployment", "podinfo", "--wait=false")


UPDATES: list[tuple[int, Callable[[Scene], Awaitable[None]]]] = [
    (5, suspend),
    (7, write_status),
    (9, set_image),
    (13, restart),
    (15, undo),
    (17, label),
    (19, apply_server_side),
    (21, apply_client_side),
    (23, dry_run),
    (25, set_image_patched),
    (27, delete_canary),
    (29, delete_deployment),
]


@pytest.mark.parametrize(("number", "act"), UPDATES, ids=[act.__name__ for _, act in UPDATES])
async def test_what_was_recorded_is_shown(
    scene: Scene, number: int, act: Callable[[Scene], Awaitable[None]]
) -> None:
    await scene.there_is(recorded(number)["oldObject"])
    await act(scene)
    await scene.shows(number, number + 1)


async def test_a_scale_is_shown_as_a_scale(scene: Scene) -> None:
    scale, before = recorded(11), recorded(9)["object"]
    running = {**before["status"], "replicas": scale["object"]["status"]["replicas"]}
    await scene.there_is({**before, "status": running})
    await scene.kubectl("scale", "deployment/podinfo", f"--replicas={scale['object']['spec']['replicas']}")
    await scene.shows(11, 12)


async def test_a_new_canary_is_shown_before_it_has_an_identity_and_after(scene: Scene) -> None:
    client = scene.stage.client
    canary = recorded(1)["object"]
    body = {**canary, "metadata": {"name": "denied", "namespace": NAMESPACE}}
    scene.stage.receiver.answers["/validate"] = deny
    code, _ = await client.send("POST", path_to(canary).rpartition("/")[0], body)
    assert code == 400
    await scene.shows(1, 2)


async def test_a_dry_run_of_a_new_canary_says_that_it_is_one(scene: Scene) -> None:
    canary = recorded(3)["object"]
    body = {**canary, "metadata": {"name": "warned", "namespace": NAMESPACE}}
    scene.stage.receiver.answers["/validate"] = answering({"allowed": True, "warnings": ["look"]})
    collection = path_to(canary).rpartition("/")[0]
    await scene.stage.client.done("POST", f"{collection}?dryRun=All", body)
    await scene.shows(3, 4)


def test_the_comparison_sees_what_is_different() -> None:
    request = recorded(9)
    changed = json.loads(json.dumps(request))
    assert shown(changed) == shown(request)
    changed["object"]["metadata"]["managedFields"][0]["manager"] = "somebody"
    assert shown(changed) != shown(request)
    unbumped = json.loads(json.dumps(recorded(10)))
    unbumped["object"]["metadata"]["generation"] -= 1
    assert shown(unbumped) != shown(recorded(10))
