"""Decoding, defaulting and validation against schemas, and the check of the schemas themselves."""

from typing import Any

import pytest

from sandbox.apiserver import crds
from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.schema import Decoder, WrongType, apply_defaults
from sandbox.apiserver.schema_validation import validate

Json = dict[str, Any]


def spec(**properties: Json) -> Json:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def test_unknown_fields_are_dropped_and_named() -> None:
    container = {"name": "c", "imag": "x"}
    obj: Json = {"spec": {"replcas": 1, "template": {"spec": {"containers": [container]}}}}
    decoder = Decoder(strict_types=True)
    decoder.prune(obj, definition_schema("V1Deployment"))
    assert obj == {"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}
    assert decoder.unknown == ["spec.replcas", "spec.template.spec.containers[0].imag"]


def test_nulls_and_empty_lists_of_built_in_kinds_count_as_absent() -> None:
    obj: Json = {"metadata": {"creationTimestamp": None, "annotations": {}, "name": "n"}, "status": None}
    Decoder(strict_types=True).prune(obj, definition_schema("V1Deployment"))
    assert obj == {"metadata": {"name": "n"}}


@pytest.mark.parametrize(
    ("obj", "complaint"),
    [
        (
            {"spec": {"replicas": "2"}},
            "string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ({"spec": {"paused": 1}}, "number into Go struct field DeploymentSpec.spec.paused of type bool"),
        ({"spec": []}, "array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_for_built_in_kinds(obj: Json, complaint: str) -> None:
    with pytest.raises(WrongType, match=complaint):
        Decoder(strict_types=True).prune(obj, definition_schema("V1Deployment"))


def test_quantities_may_be_numbers_and_ports_may_be_names() -> None:
    probe = {"httpGet": {"port": "http"}}
    container = {"name": "c", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}, "readinessProbe": probe}
    Decoder(strict_types=True).prune({"containers": [container]}, definition_schema("V1PodSpec"))


def test_fields_are_kept_where_the_schema_says_so() -> None:
    schema = spec(
        free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        map={"additionalProperties": {}},
    )
    obj = {"spec": {"free": {"any": 1}, "map": {"key": 1}}}
    decoder = Decoder(strict_types=False)
    decoder.prune(obj, schema)
    assert (obj, decoder.unknown) == ({"spec": {"free": {"any": 1}, "map": {"key": 1}}}, [])


def test_defaults_fill_in_what_is_missing_and_not_what_may_be_null() -> None:
    schema = spec(
        a={"type": "integer", "default": 1},
        b={"type": "object", "default": {}, "properties": {"c": {"type": "string", "default": "x"}}},
        n={"type": "integer", "nullable": True, "default": 1},
        items={
            "type": "array",
            "items": {"type": "object", "properties": {"d": {"type": "integer", "default": 2}}},
        },
    )
    obj = {"spec": {"n": None, "items": [{}, {"d": 3}]}}
    apply_defaults(obj, schema)
    assert obj == {"spec": {"a": 1, "b": {"c": "x"}, "n": None, "items": [{"d": 2}, {"d": 3}]}}


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "integer"}, "x", 'Invalid value: "string": F must be of type integer: "string"'),
        ({"type": "integer"}, True, 'Invalid value: "boolean": F must be of type integer: "boolean"'),
        ({"type": "string"}, None, 'Invalid value: "null": F must be of type string: "null"'),
        ({"type": "number", "minimum": 1}, 0.5, "Invalid value: 0.5: F should be greater than or equal to 1"),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            0,
            "Invalid value: 0: F should be greater than 0",
        ),
        ({"type": "integer", "maximum": 9}, 10, "Invalid value: 10: F should be less than or equal to 9"),
        ({"type": "string", "minLength": 1}, "", 'Invalid value: "": F should be at least 1 chars long'),
        ({"type": "string", "maxLength": 1}, "ab", "Too long: may not be more than 1 bytes"),
        ({"type": "array", "maxItems": 1}, [1, 2], "Too many: 2: must have at most 1 items"),
        ({"type": "array", "minItems": 1}, [], "Invalid value: 0: F should have at least 1 items"),
        (
            {"type": "string", "format": "date-time"},
            "x",
            'Invalid value: "x": F must be of type date-time: "x"',
        ),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "string", "pattern": "^a"}, "b", "Invalid value: \"b\": F should match '^a'"),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            'Invalid value: "number": F must be of type integer,string: "number"',
        ),
    ],
)
def test_what_is_wrong_is_said_as_the_api_server_says_it(schema: Json, value: Any, message: str) -> None:
    (error,) = validate({"spec": {"f": value}}, spec(f=schema))
    assert (error.field, error.message) == ("spec.f", message.replace("F ", "spec.f in body "))


def test_a_required_field_is_asked_for() -> None:
    (error,) = validate({"spec": {}}, {"properties": {"spec": {"type": "object", "required": ["a"]}}})
    assert (error.field, error.message) == ("spec.a", "Required value")


def test_keys_of_a_keyed_list_are_unique() -> None:
    items = {"type": "object", "properties": {"name": {"type": "string"}}}
    schema = {
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    (error,) = validate({"spec": {"l": [{"name": "a"}, {"name": "a"}]}}, spec(l=schema))
    assert (error.field, error.message) == ("spec.l[1]", 'Duplicate value: {"name":"a"}')


@pytest.mark.parametrize(
    ("word", "value", "valid"),
    [
        ("oneOf", {"a": 1}, True),
        ("oneOf", {"a": 1, "b": 1}, False),
        ("anyOf", {"a": 1, "b": 1}, True),
        ("anyOf", {}, False),
    ],
)
def test_alternatives_are_counted(word: str, value: Json, valid: bool) -> None:  # noqa: FBT001 - a test parameter
    schema = {"type": "object", word: [{"required": ["a"]}, {"required": ["b"]}]}
    assert (validate({"spec": {"f": value}}, spec(f=schema)) == []) == valid


def definition(**changes: Any) -> Json:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    names = {"plural": "things", "kind": "Thing"}
    body = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version], **changes}
    return {"metadata": {"name": "things.example.com"}, "spec": body}


def test_a_sound_definition_is_established_and_served_newest_first() -> None:
    versions = [
        {
            "name": name,
            "served": True,
            "storage": name == "v1",
            "schema": {"openAPIV3Schema": {"type": "object"}},
        }
        for name in ("v1alpha1", "v1beta1", "v1", "v2beta1")
    ]
    obj = definition(versions=versions)
    assert crds.check(obj) == []
    crds.prepare(obj, set())
    assert [served.version for served in crds.served_types(obj)] == ["v1", "v2beta1", "v1beta1", "v1alpha1"]
    assert obj["status"]["storedVersions"] == ["v1"]


def test_a_kind_whose_name_is_taken_is_not_served() -> None:
    obj = definition()
    crds.prepare(obj, {"Thing"})
    assert crds.served_types(obj) == []
    assert {c["type"]: c["reason"] for c in obj["status"]["conditions"]} == {
        "NamesAccepted": "NamesConflict",
        "Established": "NotAccepted",
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"group": "other.com"}, "metadata.name"),
        ({"scope": "Everywhere"}, "spec.scope"),
        ({"versions": []}, "spec.versions"),
        ({"names": {"plural": "things"}}, "spec.names.kind"),
    ],
)
def test_an_unsound_definition_is_refused(changes: Json, field: str) -> None:
    assert field in [error.field for error in crds.check(definition(**changes))]
