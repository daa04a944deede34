"""Who owns which field, and what an apply does with it."""

from typing import Any

import pytest

from sandbox.apiserver import fieldsets
from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.fieldmanagement import Author, apply, track_update
from sandbox.apiserver.status import ApiError

Json = dict[str, Any]

SCHEMA = definition_schema("V1Deployment")
LEAF: Json = {}


def author(name: str, operation: str = "Apply", time: str = "2026-01-01T00:00:00Z") -> Author:
    return Author(name, operation, "apps/v1", "", time)


def containers(*names: str, **fields: Any) -> Json:
    return {
        "metadata": {},
        "spec": {"template": {"spec": {"containers": [{"name": n, **fields} for n in names]}}},
    }


def managed(obj: Json, fields: list[Json]) -> Json:
    return {**obj, "metadata": {**obj["metadata"], "managedFields": fields}}


def names_of(obj: Json) -> list[str]:
    return [container["name"] for container in obj["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize(
    ("left", "right", "both", "rest", "either"),
    [
        ({"f:a": {}}, {"f:a": {}}, {"f:a": {}}, {}, {"f:a": {}}),
        ({"f:a": {}}, {"f:b": {}}, {}, {"f:a": {}}, {"f:a": {}, "f:b": {}}),
        (
            {"f:a": {".": {}, "f:b": {}}},
            {"f:a": {}},
            {"f:a": {}},
            {"f:a": {"f:b": {}}},
            {"f:a": {".": {}, "f:b": {}}},
        ),
        (
            {"f:a": {"f:b": {}}},
            {"f:a": {".": {}, "f:b": {}}},
            {"f:a": {"f:b": {}}},
            {},
            {"f:a": {".": {}, "f:b": {}}},
        ),
    ],
)
def test_field_sets_combine_as_sets_of_paths(
    left: Json, right: Json, both: Json, rest: Json, either: Json
) -> None:
    assert fieldsets.intersection(left, right) == both
    assert fieldsets.difference(left, right) == rest
    assert fieldsets.union(left, right) == either


def test_paths_read_as_people_write_them() -> None:
    key = 'k:{"name":"app"}'
    fields = {"f:spec": {"f:containers": {key: {".": {}, "f:image": {}}}}, "f:set": {'v:"x"': {}}}
    assert list(fieldsets.paths(fields)) == [
        '.set[="x"]',
        '.spec.containers[name="app"]',
        '.spec.containers[name="app"].image',
    ]


def test_a_writer_takes_what_it_changes_from_its_owner() -> None:
    old = {"metadata": {}, "spec": {"replicas": 1, "paused": True}}
    owned = track_update({"metadata": {}}, old, SCHEMA, author("first", "Update"), [])
    new = {"metadata": {}, "spec": {"replicas": 2, "paused": True}}
    second = author("second", "Update", "2026-01-02T00:00:00Z")
    after = track_update(managed(old, owned), new, SCHEMA, second, owned)
    assert {entry["manager"]: entry["fieldsV1"] for entry in after} == {
        "first": {"f:spec": {".": {}, "f:paused": {}}},
        "second": {"f:spec": {"f:replicas": {}}},
    }


def test_the_time_of_an_owner_stays_while_it_owns_the_same() -> None:
    old = {"metadata": {}, "spec": {"replicas": 1}}
    owned = track_update({"metadata": {}}, old, SCHEMA, author("me", "Update"), [])
    later = author("me", "Update", "2026-01-02T00:00:00Z")
    assert (
        track_update(managed(old, owned), {"metadata": {}, "spec": {"replicas": 2}}, SCHEMA, later, owned)
        == owned
    )


def test_items_of_keyed_lists_are_merged_by_their_key() -> None:
    live = managed(containers("app", "theirs", image="i:1"), [])
    applied = apply(live, containers("app", image="i:1", tty=True), SCHEMA, author("me"), force=False)
    assert names_of(applied.obj) == ["app", "theirs"]
    assert applied.obj["spec"]["template"]["spec"]["containers"][0] == {
        "name": "app",
        "image": "i:1",
        "tty": True,
    }


def test_an_item_that_is_no_longer_applied_goes_unless_another_applies_it_too() -> None:
    first = apply({"metadata": {}}, containers("app", "side"), SCHEMA, author("me"), force=False)
    live = managed(first.obj, first.managed_fields)
    both = apply(live, containers("side"), SCHEMA, author("other"), force=False)
    kept = apply(managed(both.obj, both.managed_fields), containers("app"), SCHEMA, author("me"), force=False)
    assert names_of(kept.obj) == ["app", "side"]
    gone = apply(live, containers("app"), SCHEMA, author("me"), force=False)
    assert names_of(gone.obj) == ["app"]


def test_several_conflicts_are_listed_by_manager() -> None:
    old = {"metadata": {}, "spec": {"replicas": 1, "paused": True}}
    owned = track_update({"metadata": {}}, old, SCHEMA, author("kubectl", "Update"), [])
    config = {"metadata": {}, "spec": {"replicas": 2, "paused": False}}
    with pytest.raises(ApiError) as refused:
        apply(managed(old, owned), config, SCHEMA, author("me"), force=False)
    assert refused.value.status["message"].splitlines() == [
        'Apply failed with 2 conflicts: conflicts with "kubectl" using apps/v1:',
        "- .spec.paused",
        "- .spec.replicas",
    ]


def test_applying_what_is_there_already_shares_it() -> None:
    old = {"metadata": {}, "spec": {"replicas": 1}}
    owned = track_update({"metadata": {}}, old, SCHEMA, author("kubectl", "Update"), [])
    applied = apply(managed(old, owned), old, SCHEMA, author("me"), force=False)
    owners = {e["manager"] for e in applied.managed_fields if "f:replicas" in e["fieldsV1"]["f:spec"]}
    assert owners == {"kubectl", "me"}
