"""A Deployment becomes processes that serve, and everything about them is seen in the cluster."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from shared.cluster import PatchType
from shared.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    HPAS,
    NAMESPACES,
    PODS,
    REPLICASETS,
)
from tests.integration.sandbox.node import Json, Node, podinfo, running
from tests.waiting import eventually, is_alive, numbers_in


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running(tmp_path) as started:
        yield started


def container_status(pod: Json) -> Json:
    found: Json = pod["status"].get("containerStatuses", [{"restartCount": 0}])[0]
    return found


async def get(address: str, path: str = "/") -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}:9898{path}") as response:
        return await response.text()


async def test_a_deployment_gets_ready_and_serves(node: Node) -> None:
    await node.deploy("6.0.1", replicas=2)
    await node.until(node.rolled_out)
    await node.until(lambda: len(node.ready_addresses()) == 2)
    answers = [await get(each) for each in sorted(node.ready_addresses())]
    assert all('"version":"6.0.1"' in answer for answer in answers)
    assert {each["metadata"]["name"] in "".join(answers) for each in node.pods()} == {True}
    assert {each["status"]["podIP"] for each in node.pods()} == node.ready_addresses()
    assert all(each["status"]["phase"] == "Running" for each in node.pods())
    log = node.state / "pods" / node.pods()[0]["metadata"]["uid"] / "podinfod.log"
    assert "podinfo 6.0.1 listens on" in log.read_text()


async def test_a_rolling_update_has_no_moment_without_a_ready_endpoint(node: Node) -> None:
    await node.deploy("6.0.1", replicas=2)
    await node.until(lambda: node.rolled_out() and len(node.ready_addresses()) == 2)
    seen: list[int] = []
    node.caches[ENDPOINTSLICES].add_listener(lambda *_: seen.append(len(node.ready_addresses())))
    await node.set_image("6.0.2")
    await node.until(lambda: node.rolled_out() and len(node.pods("6.0.2")) == len(node.all(PODS)) == 2)
    await node.until(
        lambda: node.ready_addresses() == {each["status"]["podIP"] for each in node.pods("6.0.2")}
    )
    assert min(seen) >= 2
    assert node.get(DEPLOYMENTS)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


async def test_a_terminating_pod_leaves_the_ready_endpoints_before_its_process_ends(node: Node) -> None:
    await node.deploy("6.0.1", replicas=1)
    await node.until(lambda: len(node.ready_addresses()) == 1)
    (address,) = node.ready_addresses()
    await node.scale(0)
    await node.until(lambda: not node.ready_addresses())
    assert "OK" in await get(address, "/healthz")
    await node.until(lambda: not node.all(PODS))


async def test_an_unready_release_never_becomes_a_ready_endpoint(node: Node) -> None:
    await node.deploy("6.0.1", replicas=1, progressDeadlineSeconds=1)
    await node.until(lambda: len(node.ready_addresses()) == 1)
    before = node.ready_addresses()
    seen: list[set[str]] = []
    node.caches[ENDPOINTSLICES].add_listener(lambda *_: seen.append(node.ready_addresses()))
    await node.set_image("6.0.2-unready")

    def reasons() -> list[str]:
        return [each["reason"] for each in node.get(DEPLOYMENTS)["status"]["conditions"]]

    await node.until(lambda: "ProgressDeadlineExceeded" in reasons())
    assert len(node.pods()) == 2
    assert all(each == before for each in seen)


async def test_a_container_that_crashes_is_restarted_with_a_back_off(node: Node) -> None:
    await node.deploy("6.0.1-crash-0", replicas=1)
    waiting: set[str] = set()
    node.caches[PODS].add_listener(
        lambda _key, _old, new: (
            waiting.update(
                each["state"].get("waiting", {}).get("reason", "")
                for each in new["status"].get("containerStatuses", ())
            )
            if new
            else None
        )
    )
    await node.until(lambda: node.pods() and container_status(node.pods()[0])["restartCount"] >= 2)
    found = container_status(node.pods()[0])
    assert found["lastState"]["terminated"]["exitCode"] == 1
    assert "CrashLoopBackOff" in waiting
    assert node.pods()[0]["status"]["phase"] == "Running"


async def test_a_container_that_fails_its_liveness_probe_is_restarted(node: Node) -> None:
    probe = {"httpGet": {"path": "/status/500", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    await node.cluster.create(DEPLOYMENTS, _podinfo_with({"livenessProbe": probe}))
    await node.until(lambda: node.pods() and "containerStatuses" in node.pods()[0]["status"])
    await node.until(lambda: container_status(node.pods()[0])["restartCount"] >= 1)
    assert container_status(node.pods()[0])["lastState"]["terminated"]["reason"] in ("Completed", "Error")


def _podinfo_with(container: Json) -> Json:
    return podinfo("6.0.1", container=container)


async def test_an_unknown_image_waits_and_says_what_is_known(node: Node) -> None:
    await node.cluster.create(DEPLOYMENTS, _podinfo_with({"image": "nosuch/image:1"}))

    def waiting() -> Json:
        statuses = node.pods()[0]["status"].get("containerStatuses") if node.pods() else None
        found: Json = statuses[0]["state"].get("waiting", {}) if statuses else {}
        return found

    await node.until(lambda: waiting().get("reason") == "ImagePullBackOff")
    assert "stefanprodan/podinfo" in waiting()["message"]
    assert node.pods()[0]["status"]["phase"] == "Pending"


async def test_configuration_reaches_the_process(node: Node) -> None:
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "test"},
        "data": {"greeting": "hello"},
    }
    script = 'echo "$WHO $(cat /etc/settings/greeting) $(NAME)"; exec sleep 1000'
    deployment = _podinfo_with(
        {
            "command": ["bash", "-c", script],
            "env": [
                {"name": "WHO", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "greeting"}}},
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "readinessProbe": {"exec": {"command": ["test", "-f", "/etc/settings/greeting"]}},
            "volumeMounts": [{"name": "settings", "mountPath": "/etc/settings"}],
        }
    )
    deployment["spec"]["template"]["spec"]["volumes"] = [
        {"name": "settings", "configMap": {"name": "settings"}}
    ]
    await node.cluster.create(DEPLOYMENTS, deployment)
    await node.until(node.pods)
    await node.cluster.create(CONFIGMAPS, settings)
    await node.until(node.rolled_out)
    (pod,) = node.pods()
    log = node.state / "pods" / pod["metadata"]["uid"] / "podinfod.log"
    assert log.read_text() == f"hello hello {pod['metadata']['name']}\n"


async def test_what_each_container_is_given_is_of_the_machine_and_what_its_pod_says_of_its_volumes(
    node: Node,
) -> None:
    deployment = _podinfo_with(
        {
            "command": ["bash", "-c", 'echo "$PATH $FOLDER /usr/y"; exec sleep 1000'],
            "env": [{"name": "FOLDER", "value": "/usr/x"}],
            "volumeMounts": [{"name": "empty", "mountPath": "/usr"}],
        }
    )
    del deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    deployment["spec"]["template"]["spec"]["volumes"] = [{"name": "empty", "emptyDir": {}}]
    await node.cluster.create(DEPLOYMENTS, deployment)
    await node.until(node.pods)
    (pod,) = node.pods()
    folder = node.state / "pods" / pod["metadata"]["uid"]
    log, volume = folder / "podinfod.log", folder / "volumes" / "empty"
    await eventually(lambda: log.exists() and log.read_text())
    path, *told = log.read_text().split()
    assert "/usr/bin" in path.split(":")
    assert told == [f"{volume}/x", f"{volume}/y"]


async def test_deleting_a_deployment_deletes_all_that_it_made(node: Node) -> None:
    await node.deploy("6.0.1", replicas=2)
    await node.until(node.rolled_out)
    await node.cluster.delete(DEPLOYMENTS, "podinfo", "test")
    await node.until(lambda: not node.all(REPLICASETS) and not node.all(PODS))
    await node.until(lambda: not node.ready_addresses())


async def test_a_deleted_pod_is_replaced(node: Node) -> None:
    await node.deploy("6.0.1", replicas=1)
    await node.until(node.rolled_out)
    (pod,) = node.pods()
    await node.cluster.delete(PODS, pod["metadata"]["name"], "test")
    await node.until(lambda: node.pods() and node.pods()[0]["metadata"]["uid"] != pod["metadata"]["uid"])
    await node.until(lambda: node.rolled_out() and len(node.all(PODS)) == 1)


async def test_a_burst_of_sizes_creates_no_pod_twice(node: Node) -> None:
    created: set[str] = set()
    node.caches[PODS].add_listener(
        lambda _key, _old, new: created.add(new["metadata"]["uid"]) if new else None
    )
    await node.deploy("6.0.1", replicas=1)
    for size in (2, 4, 6):
        await node.scale(size)
    await node.until(lambda: node.rolled_out() and len(node.pods()) == 6)
    assert len(created) == 6


async def test_a_dependent_lives_as_long_as_its_last_owner(node: Node) -> None:
    def config_map(name: str, owners: list[Json]) -> Json:
        metadata = {"name": name, "namespace": "test", "ownerReferences": owners}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    owners = [await node.cluster.create(CONFIGMAPS, config_map(name, [])) for name in ("one", "two")]
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": each["metadata"]["name"],
            "uid": each["metadata"]["uid"],
        }
        for each in owners
    ]
    await node.cluster.create(CONFIGMAPS, config_map("dependent", references))
    await node.cluster.delete(CONFIGMAPS, "one", "test")

    async def left() -> list[str]:
        items, _ = await node.cluster.list(CONFIGMAPS, "test")
        return [each["name"] for item in items for each in item["metadata"].get("ownerReferences", ())]

    while await left() != ["two"]:  # noqa: ASYNC110 - the server is asked: there is no event to be told by
        await asyncio.sleep(0.02)
    await node.cluster.delete(CONFIGMAPS, "two", "test")
    while await left():  # noqa: ASYNC110 - the server is asked: there is no event to be told by
        await asyncio.sleep(0.02)


async def test_deleting_a_namespace_empties_it_first(node: Node) -> None:
    await node.deploy("6.0.1", replicas=1)
    await node.until(node.rolled_out)
    await node.cluster.delete(NAMESPACES, "test")
    await node.until(lambda: ("", "test") not in node.caches[NAMESPACES].cache)
    assert [node.all(each) for each in (DEPLOYMENTS, REPLICASETS, PODS, ENDPOINTSLICES)] == [[], [], [], []]


async def test_an_autoscaler_raises_its_target_but_not_from_zero(node: Node) -> None:
    await node.deploy("6.0.1", replicas=1)
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 3},
    }
    await node.cluster.create(HPAS, autoscaler)
    await node.until(lambda: node.rolled_out() and len(node.pods()) == 2)
    await node.scale(0)
    await node.until(lambda: not node.all(PODS))
    assert node.get(DEPLOYMENTS)["spec"]["replicas"] == 0


async def test_what_an_owner_left_behind_is_adopted_by_the_next(node: Node) -> None:
    await node.deploy("6.0.1", replicas=1)
    await node.until(node.rolled_out)
    (before,) = node.all(REPLICASETS)
    orphan: list[Json] = [{"op": "remove", "path": "/metadata/ownerReferences"}]
    name = before["metadata"]["name"]
    await node.cluster.patch(REPLICASETS, name, "test", orphan, patch=PatchType.JSON)
    await node.until(lambda: node.all(REPLICASETS)[0]["metadata"].get("ownerReferences"))
    assert [each["metadata"]["uid"] for each in node.all(REPLICASETS)] == [before["metadata"]["uid"]]


async def test_stopping_the_kubelet_ends_every_process_it_started(node: Node, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 1000 & echo $! $$$$ >> {pids}; wait; sleep 1000"
    await node.cluster.create(
        DEPLOYMENTS, _podinfo_with({"command": ["bash", "-c", script], "readinessProbe": None})
    )
    await eventually(lambda: len(numbers_in(pids)) == 2)
    await asyncio.wait_for(node.kubelet.stop(), 5)
    assert not any(is_alive(pid) for pid in numbers_in(pids))
