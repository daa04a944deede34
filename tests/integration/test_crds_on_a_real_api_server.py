"""The generated CRDs on a real kube-apiserver: taken, structural, and telling people what is wrong.

The sandbox's server has to say the same.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.apiserver import ApiServer, Config
from shared.cluster import Cluster, PatchType
from shared.crd import crds
from shared.errors import Invalid
from shared.resources import ALERT_PROVIDERS, CANARIES, CRDS, METRIC_TEMPLATES, NAMESPACES
from shared.types.canary import parse_canary
from shared.types.meta import Json
from tests.integration.real_api_server import RealApiServer
from tests.unit.shared.wire_objects import alert_provider, canary, seed_objects, template

NAMESPACE = "crds"
ESTABLISHED_WITHIN = 200
"""Looks, a tenth of a second apart."""


@pytest.fixture(params=["sandbox", "real"])
async def kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    if request.param == "real":
        real: RealApiServer = request.getfixturevalue("real_api_server")
        yield real.kubeconfig
        return
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    yield tmp_path / "kubeconfig"
    await server.stop()


@pytest.fixture
async def cluster(kubeconfig: Path) -> AsyncIterator[Cluster]:
    async with await Cluster.connect(kubeconfig) as connected:
        for crd in crds():
            await connected.patch(CRDS, crd["metadata"]["name"], None, crd, patch=PatchType.APPLY, force=True)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        await connected.patch(NAMESPACES, NAMESPACE, None, namespace, patch=PatchType.APPLY, force=True)
        for crd in crds():
            await _established(connected, crd["metadata"]["name"])
        yield connected


async def _established(cluster: Cluster, name: str) -> None:
    for _ in range(ESTABLISHED_WITHIN):
        if "Established" in await _true_conditions(cluster, name):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"{name} is not established")


async def _true_conditions(cluster: Cluster, name: str) -> set[str]:
    conditions = (await cluster.get(CRDS, name)).get("status", {}).get("conditions", [])
    return {condition["type"] for condition in conditions if condition["status"] == "True"}


def here(obj: Json, name: str) -> Json:
    """The object in the test's namespace under a name of its own."""
    return {**obj, "metadata": {"name": name, "namespace": NAMESPACE}}


async def refusal(cluster: Cluster, obj: Json) -> str:
    with pytest.raises(Invalid) as caught:
        await cluster.create(CANARIES, here(obj, "refused"))
    return str(caught.value)


async def test_every_crd_is_served_and_structural(cluster: Cluster) -> None:
    for crd in crds():
        conditions = await _true_conditions(cluster, crd["metadata"]["name"])
        assert {"Established", "NamesAccepted"} <= conditions
        assert "NonStructuralSchema" not in conditions


async def test_the_guides_objects_are_stored_as_they_are(cluster: Cluster) -> None:
    for kind, resource in (("Canary", CANARIES), ("MetricTemplate", METRIC_TEMPLATES)):
        (obj,) = seed_objects(kind)
        stored = await cluster.create(resource, here(obj, "guide"))
        assert stored["spec"] == _filled(obj["spec"], stored["spec"])


def _filled(given_value: Any, stored: Any) -> Any:
    """What was given, with the fields that only the server's copy has."""
    if isinstance(given_value, dict):
        return stored | {name: _filled(value, stored[name]) for name, value in given_value.items()}
    if isinstance(given_value, list):
        return [_filled(value, other) for value, other in zip(given_value, stored, strict=True)]
    return given_value


async def test_what_the_server_fills_in_is_what_the_model_means(cluster: Cluster) -> None:
    obj = canary(stepWeight=10, metrics=[{"name": "a"}], webhooks=[{"name": "a", "url": "http://a"}])
    stored = await cluster.create(CANARIES, here(obj, "defaults"))
    assert stored["spec"]["analysis"]["interval"] == "1m"
    assert stored["spec"]["analysis"]["webhooks"][0]["timeout"] == "10s"
    assert parse_canary(stored).spec == parse_canary(obj).spec


@pytest.mark.parametrize(
    ("analysis", "problem"),
    [
        ({"stepWeight": 120}, "spec.analysis.stepWeight"),
        ({"stepWeight": 2.5}, "spec.analysis.stepWeight"),
        ({"stepWeight": 10, "interval": "1min"}, "spec.analysis.interval"),
        ({"stepWeight": 10, "interval": "0s"}, "must be longer than zero"),
        (
            {"stepWeight": 10, "iterations": 5},
            "exactly one of iterations, stepWeight and stepWeights must be set",
        ),
        ({"interval": "10s"}, "exactly one of iterations, stepWeight and stepWeights must be set"),
        (
            {"iterations": 5, "match": [{"headers": {"x": {}}}]},
            "exactly one of exact, prefix, suffix and regex",
        ),
        ({"stepWeight": 10, "metrics": [{"name": "a"}] * 65}, "must have at most 64 items"),
    ],
)
async def test_a_wrong_analysis_is_refused_with_its_field(
    cluster: Cluster, analysis: Json, problem: str
) -> None:
    assert problem in await refusal(cluster, canary(**analysis))


@pytest.mark.parametrize(
    ("port", "taken"), [(0, True), (9898, True), ("http", True), (70000, False), ("Not A Name", False)]
)
async def test_a_target_port_is_a_number_or_a_name(cluster: Cluster, port: int | str, taken: bool) -> None:  # noqa: FBT001 - a test's parameter
    obj = canary()
    obj["spec"]["service"]["targetPort"] = port
    if taken:
        stored = await cluster.create(CANARIES, here(obj, f"port-{port}"))
        assert stored["spec"]["service"]["targetPort"] == port
    else:
        assert "must be a port between 1 and 65535" in await refusal(cluster, obj)


async def test_a_deployments_canary_needs_a_service_but_knatives_does_not(cluster: Cluster) -> None:
    obj = canary()
    del obj["spec"]["service"]
    assert "service must be set" in await refusal(cluster, obj)
    obj["spec"]["targetRef"]["kind"] = "Service"
    await cluster.create(CANARIES, here(obj, "knative"))


async def test_an_alert_provider_has_one_address(cluster: Cluster) -> None:
    both = alert_provider(type="slack", address="http://a", secretRef={"name": "b"})
    with pytest.raises(Invalid, match="exactly one of address and secretRef must be set"):
        await cluster.create(ALERT_PROVIDERS, here(both, "both"))
    await cluster.create(ALERT_PROVIDERS, here(alert_provider(type="slack", address="http://a"), "one"))


async def test_a_status_is_written_through_its_subresource_alone(cluster: Cluster) -> None:
    await cluster.create(CANARIES, here(canary(), "status"))
    status = {
        "status": parse_canary(
            {**canary(), "status": {"phase": "Progressing", "canaryWeight": 5}}
        ).status.dump()
    }
    unchanged = await cluster.patch(CANARIES, "status", NAMESPACE, status, patch=PatchType.MERGE)
    assert "status" not in unchanged
    written = await cluster.patch(
        CANARIES, "status", NAMESPACE, status, patch=PatchType.MERGE, subresource="status"
    )
    assert written["status"] == status["status"]


async def test_templates_are_taken(cluster: Cluster) -> None:
    await cluster.create(METRIC_TEMPLATES, here(template(type="cloudwatch", region="eu-west-1"), "template"))
