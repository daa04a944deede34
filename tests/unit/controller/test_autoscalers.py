"""The primary's autoscaler is a copy of the target's."""

import copy
from typing import Any

import pytest

from controller.autoscalers import reconcile_hpa
from controller.decision import Create, Patch
from controller.observation import Manifest
from controller.projections import manifest
from controller.workloads import initial_replicas, min_replicas
from shared.errors import Blocked, InvalidSpec
from shared.types.canary import Canary
from tests.builders import GOVERNED, Json, canary, observation, primary
from tests.recordings import stored

REF = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}


def scaled(**ref: Any) -> Canary:
    """A Canary with an autoscaler."""
    return canary(autoscalerRef={**REF, **ref})


def hpa(**spec: Any) -> Manifest:
    """The target's autoscaler as a real API server has it."""
    obj = copy.deepcopy(stored("075"))
    obj["metadata"]["labels"] = {"team": "a", "kustomize.toolkit.fluxcd.io/name": "apps"}
    obj["spec"] |= spec
    return manifest(obj)


def created(of: Canary, target: Manifest) -> Json:
    """The copy as it is first written."""
    write = reconcile_hpa(of, target, None)
    assert isinstance(write, Create)
    return write.manifest


def as_stored(written: Json, **spec: Any) -> Manifest:
    """The copy after the API server took it."""
    obj = copy.deepcopy(stored("075"))
    obj["metadata"] |= written["metadata"]
    obj["spec"] |= {**written["spec"], **spec}
    return manifest(obj)


def test_without_a_reference_there_is_none() -> None:
    assert reconcile_hpa(canary(), hpa(), None) is None


def test_the_copy_scales_the_primary() -> None:
    copied = created(scaled(), hpa())
    source = stored("075")["spec"]
    assert copied["metadata"]["name"] == "podinfo-primary"
    assert copied["metadata"]["labels"] == {"team": "a", **GOVERNED}
    assert copied["metadata"]["ownerReferences"][0]["uid"] == "u1"
    assert copied["spec"] == {
        **source,
        "scaleTargetRef": {**source["scaleTargetRef"], "name": "podinfo-primary"},
    }


def test_the_canary_may_say_other_limits() -> None:
    copied = created(scaled(primaryScalerReplicas={"minReplicas": 5, "maxReplicas": 9}), hpa())
    assert (copied["spec"]["minReplicas"], copied["spec"]["maxReplicas"]) == (5, 9)
    copied = created(scaled(primaryScalerReplicas={"maxReplicas": 9}), hpa())
    assert (copied["spec"]["minReplicas"], copied["spec"]["maxReplicas"]) == (2, 9)


def test_what_a_real_api_server_made_of_the_copy_needs_no_write() -> None:
    assert reconcile_hpa(scaled(), hpa(), as_stored(created(scaled(), hpa()))) is None


def test_a_changed_target_reaches_the_copy_and_what_it_lost_goes() -> None:
    observed = as_stored(created(scaled(), hpa()), behavior={"scaleDown": {"stabilizationWindowSeconds": 5}})
    write = reconcile_hpa(scaled(), hpa(maxReplicas=8), observed)
    assert isinstance(write, Patch)
    assert write.body == {
        "metadata": {"resourceVersion": "1748"},
        "spec": {"maxReplicas": 8, "behavior": None},
    }


def test_a_copy_that_is_somebody_elses_is_left_alone() -> None:
    theirs = as_stored({**created(scaled(), hpa()), "metadata": {"name": "podinfo-primary"}})
    with pytest.raises(Blocked, match="HorizontalPodAutoscaler podinfo-primary") as blocked:
        reconcile_hpa(scaled(), hpa(), theirs)
    assert blocked.value.reason == "NotOwned"


def test_a_target_without_the_autoscaler_that_it_names_waits_for_it() -> None:
    with pytest.raises(Blocked, match=r"podinfo\.test not found; create it") as blocked:
        reconcile_hpa(scaled(), None, None)
    assert blocked.value.reason == "AutoscalerNotFound"


def test_a_copy_outlives_its_original() -> None:
    assert reconcile_hpa(scaled(), None, as_stored(created(scaled(), hpa()))) is None


def test_scaled_objects_are_refused_with_a_way_out() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.autoscalerRef\.kind: Unsupported value: \"ScaledObject\""):
        reconcile_hpa(scaled(kind="ScaledObject"), None, None)


@pytest.mark.parametrize(("spec", "expected"), [({}, 2), ({"minReplicas": 0}, 0), ({"minReplicas": 7}, 7)])
def test_the_least_that_an_autoscaler_keeps(spec: Json, expected: int) -> None:
    assert min_replicas(hpa(**spec)) == expected


def test_a_canary_starts_with_its_autoscalers_minimum() -> None:
    assert initial_replicas(observation(autoscaler=hpa(minReplicas=3))) == 3
    assert initial_replicas(observation(autoscaler=hpa(minReplicas=0))) == 1


def test_a_canary_without_autoscaler_starts_as_big_as_the_primary() -> None:
    assert initial_replicas(observation(primary=primary(replicas=4))) == 4
    assert initial_replicas(observation(primary=primary(replicas=0))) == 1
    assert initial_replicas(observation(primary=None)) == 1
