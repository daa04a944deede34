"""Patches do what they promise, whatever the objects look like."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.decision import Patch
from controller.merge import merge_diff, missing_from
from controller.observation import Options
from controller.projections import manifest, workload
from controller.readiness import Ready, readiness
from controller.services import desired_services, reconcile_service
from controller.workloads.deployment import promote, render_primary
from shared.revision import template_hash
from tests.builders import Json, canary, deployment
from tests.unit.controller.merging import merged

keys = st.sampled_from("abcde")
scalars = st.one_of(st.integers(0, 3), st.text("xy", max_size=2), st.booleans())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(keys, values, max_size=5)

labels = st.dictionaries(st.sampled_from(["tier", "team", "version"]), st.sampled_from(["1", "2"]))
pods = st.fixed_dictionaries(
    {
        "containers": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["a", "b"]), "image": st.sampled_from(["x:1", "x:2"])},
                optional={"env": st.just([{"name": "A", "value": "1"}]), "resources": st.just({})},
            ),
            min_size=1,
            max_size=2,
        )
    },
    optional={
        "nodeSelector": labels,
        "securityContext": st.dictionaries(st.sampled_from(["runAsUser", "fsGroup"]), st.integers(1, 2)),
        "serviceAccountName": st.sampled_from(["p", "q"]),
    },
)


@st.composite
def targets(draw: st.DrawFn) -> Json:
    """podinfo with some template and rollout settings."""
    obj = copy.deepcopy(deployment(replicas=draw(st.integers(0, 3))))
    template = obj["spec"]["template"]
    template["spec"] = draw(pods)
    template["metadata"] = {"labels": {**draw(labels), "app": "podinfo"}}
    if draw(st.booleans()):
        template["metadata"]["annotations"] = draw(labels)
    if draw(st.booleans()):
        template["metadata"]["creationTimestamp"] = None
    for field in ("minReadySeconds", "progressDeadlineSeconds"):
        if draw(st.booleans()):
            obj["spec"][field] = draw(st.integers(1, 2))
    obj["spec"]["strategy"] = draw(
        st.sampled_from(
            [
                {"type": "Recreate"},
                {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            ]
        )
    )
    return obj


def stored(written: Json) -> Json:
    """What the API server has after a create or a patch."""
    obj: Json = copy.deepcopy(written)
    obj["metadata"] |= {"uid": "p1", "resourceVersion": "9", "generation": 1}
    return obj


@given(objects, objects)
def test_a_diff_turns_the_old_object_into_exactly_the_new(old: Json, new: Json) -> None:
    assert merged(old, merge_diff(old, new)) == new


@given(objects, objects)
def test_a_diff_is_empty_only_between_equals(old: Json, new: Json) -> None:
    assert (merge_diff(old, new) == {}) == (old == new)


@given(objects, objects)
def test_after_what_was_missing_nothing_is(observed: Json, desired: Json) -> None:
    assert missing_from(merged(observed, missing_from(observed, desired)), desired) == {}


@given(objects, objects)
def test_what_was_missing_takes_nothing_away(observed: Json, desired: Json) -> None:
    result = merged(observed, missing_from(observed, desired))
    assert all(result[key] == value for key, value in observed.items() if key not in desired)


@given(targets(), targets())
def test_a_promotion_leaves_the_primary_as_if_it_was_born_from_the_target(old: Json, new: Json) -> None:
    before = stored(render_primary(canary(), workload(old), Options()))
    patch = promote(canary(), workload(before), workload(new), Options())
    after = merged(before, patch.body) if patch else before
    reborn = render_primary(canary(), workload(new), Options())
    assert {**after["spec"], "replicas": 0} == {**reborn["spec"], "replicas": 0}
    assert workload(stored(after)).revision == workload(new).template_hash
    assert after["spec"]["replicas"] == before["spec"]["replicas"]


@given(targets())
def test_promoting_twice_is_promoting_once(target: Json) -> None:
    primary = workload(stored(render_primary(canary(), workload(target), Options())))
    assert promote(canary(), primary, workload(target), Options()) is None


@given(targets(), targets())
def test_two_templates_have_one_name_only_if_they_are_one(one: Json, other: Json) -> None:
    def bare(obj: Json) -> Json:
        template: Json = copy.deepcopy(obj["spec"]["template"])
        template["metadata"].pop("creationTimestamp", None)
        return template

    same = template_hash(one["spec"]["template"]) == template_hash(other["spec"]["template"])
    assert same == (bare(one) == bare(other))


@given(targets(), labels, st.sampled_from(["podinfo", "podinfo-primary", "podinfo-canary"]), st.data())
def test_a_service_that_drifted_is_right_after_one_patch_and_keeps_what_others_added(
    target: Json, added: dict[str, str], name: str, data: st.DataObject
) -> None:
    desired = desired_services(canary(), workload(target), Options())[name]
    drifted: Any = stored(desired)
    drifted["metadata"]["labels"] = {
        **data.draw(st.sampled_from([{}, desired["metadata"]["labels"]])),
        **added,
    }
    drifted["spec"]["selector"] = data.draw(labels)
    drifted["spec"]["ports"] = data.draw(st.sampled_from([[], [{"port": 1}], desired["spec"]["ports"]]))
    patch = reconcile_service(canary(), desired, manifest(drifted))
    repaired = merged(drifted, patch.body) if isinstance(patch, Patch) else drifted
    assert reconcile_service(canary(), desired, manifest(repaired)) is None
    assert repaired["spec"]["selector"] == desired["spec"]["selector"]
    assert added.items() <= repaired["metadata"]["labels"].items()


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 100))
def test_ready_means_that_a_pod_of_this_template_serves(
    replicas: int, updated: int, total: int, available: int, threshold: int
) -> None:
    obj = deployment(replicas=replicas)
    obj["status"] |= {"updatedReplicas": updated, "replicas": total, "availableReplicas": available}
    if readiness(workload(obj), threshold) == Ready():
        assert available >= 1 and updated >= replicas >= 1 and total <= updated
