"""What is kept of each object."""

import copy
import tracemalloc
from typing import Any

import orjson
import pytest

from controller import projections
from controller.projections import Malformed
from shared.types.canary import Canary, CanaryStatus, Phase
from tests.builders import Json, canary, deployment
from tests.recordings import stored

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def canary_object(**spec: Any) -> Json:
    """A Canary as the API server sends it."""
    obj = canary().dump()
    obj["metadata"]["annotations"] = {LAST_APPLIED: "{}", "team": "a"}
    obj["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    obj["spec"] |= spec
    return obj


def test_a_deployment_is_kept_with_its_facts() -> None:
    seen = projections.workload(stored("017"))
    assert (seen.namespace, seen.name, seen.resource_version) == ("rec", "podinfo", "1435")
    assert (seen.generation, seen.observed_generation) == (1, 1)
    assert (seen.replicas, seen.updated, seen.total, seen.available) == (2, 2, 2, 2)
    assert not seen.paused and not seen.deadline_exceeded and seen.first_template
    assert seen.owner == "" and seen.revision == ""
    assert seen.json()["spec"] == stored("017")["spec"]


def test_a_deployment_that_was_just_created_has_no_status() -> None:
    seen = projections.workload(stored("012"))
    assert (seen.observed_generation, seen.updated, seen.total, seen.available) == (0, 0, 0, 0)


def test_bulk_that_nobody_reads_is_not_kept() -> None:
    obj = copy.deepcopy(stored("017"))
    obj["metadata"]["annotations"][LAST_APPLIED] = "{}"
    body = projections.workload(obj).body
    assert b"managedFields" not in body and b"last-applied" not in body and b"conditions" not in body


def test_a_deadline_that_was_exceeded_is_seen() -> None:
    obj = copy.deepcopy(stored("017"))
    obj["status"]["conditions"][1] |= {"status": "False", "reason": "ProgressDeadlineExceeded"}
    assert projections.workload(obj).deadline_exceeded


@pytest.mark.parametrize(
    ("generation", "observed", "revision", "paused", "first"),
    [
        pytest.param(1, 0, None, False, True, id="just-created"),
        pytest.param(1, 1, "1", False, True, id="rolled-out-once"),
        pytest.param(4, 4, "1", False, True, id="scaled-since"),
        pytest.param(2, 1, "1", False, False, id="changed-and-not-yet-looked-at"),
        pytest.param(2, 2, "1", True, False, id="changed-while-paused"),
        pytest.param(2, 2, "2", False, False, id="rolled-out-twice"),
        pytest.param(1, 1, "5", False, False, id="adopted-replicasets-of-an-earlier-one"),
        pytest.param(2, 2, None, False, False, id="changed-before-the-count-is-known"),
    ],
)
def test_the_first_template_is_one_that_nothing_else_can_have_run_before(
    *, generation: int, observed: int, revision: str | None, paused: bool, first: bool
) -> None:
    obj = deployment()
    obj["metadata"]["generation"] = generation
    obj["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": revision} if revision else {}
    obj["spec"]["paused"] = paused
    obj["status"]["observedGeneration"] = observed
    assert projections.workload(obj).first_template is first


def test_the_owner_is_the_one_that_controls() -> None:
    obj = copy.deepcopy(stored("074"))
    obj["metadata"]["ownerReferences"] = [{"uid": "a"}, {"uid": "b", "controller": True}]
    assert projections.manifest(obj).owner == "b"
    assert projections.manifest(stored("074")).owner == ""


@pytest.mark.parametrize(
    ("endpoints", "ready"),
    [
        pytest.param(None, 0, id="no-endpoints"),
        pytest.param([{"addresses": ["10.0.0.1"]}], 1, id="unknown-counts-as-ready"),
        pytest.param([{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}], 0, id="unready"),
        pytest.param(
            [{"addresses": ["10.0.0.1"], "conditions": {"ready": True, "terminating": True}}],
            0,
            id="leaving",
        ),
        pytest.param(
            [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
                {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": True}},
            ],
            2,
            id="distinct-addresses",
        ),
    ],
)
def test_ready_endpoints_of_a_slice_are_counted(endpoints: list[Json] | None, ready: int) -> None:
    labels = {"kubernetes.io/service-name": "podinfo-canary"}
    obj = {"metadata": {"namespace": "test", "name": "x", "labels": labels}, "endpoints": endpoints}
    seen = projections.slice_(obj)
    assert (seen.namespace, seen.service, seen.ready) == ("test", "podinfo-canary", ready)


def test_a_canary_is_parsed_without_its_bulk() -> None:
    seen = projections.canary(canary_object())
    assert isinstance(seen, Canary)
    assert seen.metadata.annotations == {"team": "a"}


def test_a_canary_that_cannot_be_read_is_a_value_too() -> None:
    obj = canary_object(analysis={"interval": "1m", "stepWeight": 2.5})
    obj["status"] = {"phase": "Succeeded", "failedChecks": "none", "lastPromotedSpec": "x"}
    seen = projections.canary(obj)
    assert isinstance(seen, Malformed)
    assert (seen.metadata.name, seen.metadata.resource_version, seen.metadata.generation) == (
        "podinfo",
        "7",
        1,
    )
    assert "spec.analysis.stepWeight: Invalid value: 2.5: must be a whole number" in seen.problems
    assert seen.readable_status() == CanaryStatus(phase=Phase.SUCCEEDED, last_promoted_spec="x")


def test_a_canary_without_a_spec_is_malformed() -> None:
    obj = canary_object()
    del obj["spec"], obj["status"]
    seen = projections.canary(obj)
    assert isinstance(seen, Malformed) and seen.problems == "spec: Required value"
    assert seen.readable_status() == CanaryStatus()


def test_a_template_is_kept_as_it_is() -> None:
    spec = {"provider": {"type": "prometheus"}, "query": "vector(1)"}
    assert projections.template({"metadata": {"name": "t", "namespace": "n"}, "spec": spec})["spec"] == spec


def test_all_that_is_kept_of_one_canary_fits_in_40_kilobytes() -> None:
    service, hpa, target = (orjson.dumps(stored(number)) for number in ("074", "075", "017"))
    whole = orjson.dumps(canary_object())
    kept: list[object] = []
    count = 50

    def keep() -> None:
        kept.append(projections.canary(orjson.loads(whole)))
        kept.extend(projections.workload(orjson.loads(target)) for _ in range(2))
        kept.extend(projections.manifest(orjson.loads(service)) for _ in range(4))
        kept.extend(projections.manifest(orjson.loads(hpa)) for _ in range(2))

    keep()
    tracemalloc.start()
    try:
        for _ in range(count):
            keep()
        size = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    assert size < 40_000
