"""The primary: how it is made from the target, and how it takes over a revision."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from controller.merge import merge_diff
from controller.observation import Options, Workload
from controller.projections import workload
from controller.workloads import WORKLOADS, workload_kind
from controller.workloads.deployment import (
    REVISION_ANNOTATION,
    check_owned,
    promote,
    render_primary,
    selector_label,
)
from shared.errors import Blocked, InvalidSpec
from tests.builders import GOVERNED, Json, canary, deployment
from tests.recordings import stored
from tests.unit.controller.merging import merged

LABELS = Options().selector_labels


def target(**metadata: Any) -> Json:
    """podinfo as a real API server has it."""
    obj = copy.deepcopy(stored("017"))
    obj["metadata"] |= metadata
    return obj


def render(obj: Json, options: Options | None = None) -> Json:
    """The primary of a target."""
    return render_primary(canary(), workload(obj), options or Options())


def as_stored(written: Json, **metadata: Any) -> Json:
    """The primary after the API server took it. All of its spec was defaulted already."""
    given = {"uid": "p1", "resourceVersion": "9", "generation": 1}
    return {**written, "metadata": {**written["metadata"], **given, **metadata}}


def primary_of(obj: Json) -> Workload:
    """The primary of a target, as it is observed."""
    return workload(as_stored(render(obj)))


def with_pods(**pods: Any) -> Json:
    """podinfo with more in its pod spec."""
    obj = target()
    obj["spec"]["template"]["spec"] |= pods
    return obj


def test_the_selector_label_is_the_first_known_one_in_the_targets_selector() -> None:
    obj = deployment()
    obj["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "a", "name": "b", "tier": "c"}
    assert selector_label(workload(obj), LABELS) == ("name", "b")


def test_a_selector_without_a_known_label_is_refused_in_flaggers_words() -> None:
    obj = deployment()
    obj["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    with pytest.raises(InvalidSpec) as refused:
        selector_label(workload(obj), LABELS)
    assert str(refused.value) == (
        "deployment podinfo.test spec.selector.matchLabels must contain one of "
        "[app name app.kubernetes.io/name]"
    )


def test_the_primary_is_the_target_under_another_name_and_selector() -> None:
    source = target()
    made = render(source)
    spec = source["spec"]
    assert made == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "podinfo-primary",
            "namespace": "rec",
            "labels": {"app": "podinfo-primary", **GOVERNED},
            "annotations": {REVISION_ANNOTATION: workload(source).template_hash},
            "ownerReferences": [
                {
                    "apiVersion": "flagger.app/v1beta1",
                    "kind": "Canary",
                    "name": "podinfo",
                    "uid": "u1",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": spec["strategy"],
            "selector": {"matchLabels": {"app": "podinfo-primary"}},
            "template": {
                "metadata": {"labels": {"app": "podinfo-primary"}},
                "spec": spec["template"]["spec"],
            },
        },
    }


def test_a_target_at_zero_still_gets_a_primary_with_a_pod() -> None:
    assert render(deployment(replicas=0))["spec"]["replicas"] == 1


def test_pause_is_the_targets_own() -> None:
    obj = target()
    obj["spec"]["paused"] = True
    assert "paused" not in render(obj)["spec"]


def test_annotations_are_copied_but_those_that_belong_to_the_target() -> None:
    marks = {
        "team": "a",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "deployment.kubernetes.io/revision": "3",
        "kustomize.toolkit.fluxcd.io/checksum": "x",
        "pinfeather.dev/revision": "forged",
    }
    obj = target(annotations=marks)
    obj["spec"]["template"]["metadata"]["annotations"] = marks
    made = render(obj)
    hashed = workload(obj).template_hash
    assert made["metadata"]["annotations"] == {"team": "a", REVISION_ANNOTATION: hashed}
    assert made["spec"]["template"]["metadata"]["annotations"] == {"team": "a"}


@pytest.mark.parametrize(
    ("prefixes", "kept"),
    [((), set()), (("app.",), {"app.io/a"}), (("*",), {"app.io/a", "team"})],
)
def test_labels_of_the_target_are_copied_by_prefix(prefixes: tuple[str, ...], kept: set[str]) -> None:
    labels = {"app": "podinfo", "app.io/a": "1", "team": "2", "kustomize.toolkit.fluxcd.io/name": "3"}
    made = render(target(labels=labels), Options(include_label_prefix=prefixes))
    assert set(made["metadata"]["labels"]) == kept | {"app", *GOVERNED}
    assert made["metadata"]["labels"]["app"] == "podinfo-primary"


def test_rules_that_keep_the_targets_pods_apart_keep_the_primarys_apart() -> None:
    def selector(value: str) -> Json:
        return {
            "matchLabels": {"app": value},
            "matchExpressions": [{"key": "app", "operator": "In", "values": [value, "other"]}],
        }

    def pods(value: str) -> Json:
        term = {"labelSelector": selector(value), "topologyKey": "kubernetes.io/hostname"}
        return {
            "affinity": {
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [term],
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 1, "podAffinityTerm": term}
                    ],
                }
            },
            "topologySpreadConstraints": [{"labelSelector": selector(value), "maxSkew": 1}],
        }

    made = render(with_pods(**copy.deepcopy(pods("podinfo"))))["spec"]["template"]["spec"]
    for field, expected in pods("podinfo-primary").items():
        assert made[field] == expected


def test_rules_about_other_pods_stay() -> None:
    rules: Json = {
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": {"app": "redis"}}, "topologyKey": "zone"},
                    {"labelSelector": {"matchLabels": {"tier": "podinfo"}}, "topologyKey": "zone"},
                    {"topologyKey": "zone"},
                ]
            },
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": {"app": "podinfo"}}, "topologyKey": "zone"}
                ]
            },
        }
    }
    assert (
        render(with_pods(**copy.deepcopy(rules)))["spec"]["template"]["spec"]["affinity"] == rules["affinity"]
    )


def test_promoting_what_the_primary_runs_changes_nothing() -> None:
    assert promote(canary(), primary_of(target()), workload(target()), Options()) is None


def test_kubectls_null_in_a_template_changes_nothing() -> None:
    obj = target()
    obj["spec"]["template"]["metadata"]["creationTimestamp"] = None
    assert promote(canary(), primary_of(target()), workload(obj), Options()) is None
    assert promote(canary(), primary_of(obj), workload(target()), Options()) is None
    assert "creationTimestamp" not in render(obj)["spec"]["template"]["metadata"]


def test_a_new_image_is_all_that_is_sent_besides_the_revision() -> None:
    obj = target()
    containers = obj["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = "stefanprodan/podinfo:6.0.1"
    patch = promote(canary(), primary_of(target()), workload(obj), Options())
    assert patch is not None and patch.name == "podinfo-primary"
    assert patch.body == {
        "metadata": {
            "resourceVersion": "9",
            "annotations": {REVISION_ANNOTATION: workload(obj).template_hash},
        },
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def test_what_the_target_lost_is_taken_from_the_primary() -> None:
    before = with_pods(nodeSelector={"disk": "ssd"}, priorityClassName="high")
    before["spec"]["minReadySeconds"] = 5
    after = with_pods(nodeSelector={})
    after["spec"]["strategy"] = {"type": "Recreate"}
    patch = promote(canary(), primary_of(before), workload(after), Options())
    assert patch is not None
    result = merged(as_stored(render(before)), patch.body)
    assert result["spec"] == {**render(after)["spec"], "replicas": result["spec"]["replicas"]}
    assert promote(canary(), workload(result), workload(after), Options()) is None


def test_the_primary_keeps_its_selector_whatever_that_of_a_target_which_was_created_again() -> None:
    apart = [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "shop"}}}]
    again = with_pods(topologySpreadConstraints=apart)
    again["spec"]["selector"]["matchLabels"] = again["spec"]["template"]["metadata"]["labels"] = {
        "app": "shop"
    }
    before = primary_of(target())
    patch = promote(canary(), before, workload(again), Options())
    assert patch is not None
    spec = merged(before.json()["spec"], patch.body["spec"])
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    (constraint,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"] == spec["selector"]


def test_replicas_are_not_promoted() -> None:
    obj = target()
    obj["spec"]["replicas"] = 7
    assert promote(canary(), primary_of(target()), workload(obj), Options()) is None


def test_a_template_changed_on_the_primary_by_hand_is_put_right() -> None:
    edited = as_stored(render(target()))
    edited["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    patch = promote(canary(), workload(edited), workload(target()), Options())
    assert patch is not None
    assert patch.body["spec"] == {"template": {"metadata": {"annotations": None}}}


def test_a_primary_without_the_annotation_gets_it_and_rolls_nothing() -> None:
    made = as_stored(render(target()), annotations={})
    patch = promote(canary(), workload(made), workload(target()), Options())
    assert patch is not None and "spec" not in patch.body


def test_a_primary_of_somebody_else_is_refused() -> None:
    theirs = replace(primary_of(target()), owner="")
    with pytest.raises(Blocked, match="exists and does not belong to Canary podinfo") as blocked:
        check_owned(theirs, canary())
    assert blocked.value.reason == "NotOwned"
    with pytest.raises(Blocked, match="does not belong"):
        promote(canary(), theirs, workload(target()), Options())


def test_the_diff_between_two_templates_holds_no_value_that_is_the_same() -> None:
    assert merge_diff(render(target())["spec"], render(target())["spec"]) == {}


def test_every_known_kind_is_in_the_table_and_others_are_refused_by_name() -> None:
    assert workload_kind("Deployment") is WORKLOADS["Deployment"]
    with pytest.raises(InvalidSpec, match='"DaemonSet": supported values: "Deployment"'):
        workload_kind("DaemonSet")
