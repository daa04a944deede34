"""JSON, merge and strategic merge patches."""

from typing import Any

import pytest

from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.patch import json_patch, merge_patch, strategic_patch
from sandbox.apiserver.status import ApiError

POD = definition_schema("V1PodSpec")
META = definition_schema("V1ObjectMeta")
Json = dict[str, Any]


def test_a_merge_patch_removes_what_is_null_and_leaves_the_rest() -> None:
    old = {"a": {"b": 1, "c": 2}, "list": [1, 2]}
    assert merge_patch(old, {"a": {"b": None, "d": {"e": None}}, "list": [3]}) == {
        "a": {"c": 2, "d": {}},
        "list": [3],
    }
    assert old == {"a": {"b": 1, "c": 2}, "list": [1, 2]}


def test_a_json_patch_leaves_the_object_that_it_was_made_from_alone() -> None:
    old: Json = {"a": {"b": [1]}}
    assert json_patch(old, [{"op": "add", "path": "/a/b/-", "value": 2}]) == {"a": {"b": [1, 2]}}
    assert old == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ([{"op": "remove", "path": "/absent"}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "replace", "path": "", "value": 1}], 422),
        ([{"op": "no-such-operation", "path": "/a"}], 422),
        ({"op": "remove"}, 400),
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operations: Any, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch({"a": 1}, operations)
    assert refused.value.status["code"] == code


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (
            {"containers": [{"name": "b", "image": "2"}]},
            [{"name": "b", "image": "2"}, {"name": "a", "image": "1"}],
        ),
        ({"containers": [{"name": "a", "tty": True}]}, [{"name": "a", "image": "1", "tty": True}]),
        ({"containers": [{"name": "a", "$patch": "delete"}]}, []),
        ({"containers": [{"$patch": "replace"}, {"name": "c"}]}, [{"name": "c"}]),
        (
            {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b"}]},
            [{"name": "b"}, {"name": "a", "image": "1"}],
        ),
    ],
    ids=["adds", "merges", "deletes", "replaces", "orders"],
)
def test_a_strategic_patch_treats_containers_by_name(patch: Json, expected: list[Json]) -> None:
    old = {"containers": [{"name": "a", "image": "1"}]}
    assert strategic_patch(old, patch, POD)["containers"] == expected


def test_a_strategic_patch_merges_sets_and_deletes_from_them() -> None:
    old = {"finalizers": ["a", "b"]}
    assert strategic_patch(old, {"finalizers": ["b", "c"]}, META)["finalizers"] == ["a", "b", "c"]
    assert strategic_patch(old, {"$deleteFromPrimitiveList/finalizers": ["a"]}, META)["finalizers"] == ["b"]


def test_a_strategic_patch_keeps_only_the_keys_it_is_told_to() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    schema = definition_schema("V1DeploymentStrategy")
    assert strategic_patch(strategy, {"$retainKeys": ["type"], "type": "Recreate"}, schema) == {
        "type": "Recreate"
    }


def test_a_strategic_patch_replaces_lists_without_a_key() -> None:
    old = {"tolerations": [{"key": "a"}]}
    assert strategic_patch(old, {"tolerations": [{"key": "b"}]}, POD)["tolerations"] == [{"key": "b"}]


def test_a_list_item_without_its_merge_key_is_refused() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic_patch({"containers": []}, {"containers": [{"image": "i"}]}, POD)
