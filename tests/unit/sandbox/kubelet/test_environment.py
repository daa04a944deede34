"""A container's variables and where they come from."""

import base64

import pytest

from sandbox.kubelet.environment import ConfigInvalid, Sources, expand, variables
from tests.sandbox_objects import Json, pod

SOURCES = Sources(
    pod("a", labels={"app": "podinfo"}),
    "127.10.0.9",
    {"settings": {"data": {"level": "info", "port": "80"}}},
    {"secret": {"data": {"password": base64.b64encode(b"s3cret").decode()}}},
)


def found(*env: Json, **container: object) -> dict[str, str]:
    return variables({"env": list(env), **container}, SOURCES, {"GIVEN": "yes"})


def field(path: str) -> Json:
    return {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)/$(B)", "1/2"),
        ("$(C)", "$(C)"),
        ("$$(A)", "$(A)"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("cost: 5$", "cost: 5$"),
    ],
)
def test_references_are_expanded_and_unknown_ones_stay(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_later_variables_may_refer_to_earlier_ones_and_to_given_ones() -> None:
    env = found({"name": "A", "value": "$(GIVEN)"}, {"name": "B", "value": "$(A)!"}, {"name": "EMPTY"})
    assert (env["A"], env["B"], env["EMPTY"]) == ("yes", "yes!", "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "a"),
        ("metadata.namespace", "test"),
        ("metadata.uid", "uid-a"),
        ("metadata.labels['app']", "podinfo"),
        ("spec.nodeName", "sandbox"),
        ("status.podIP", "127.10.0.9"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod_are_known(path: str, expected: str) -> None:
    assert found(field(path))["X"] == expected


def test_config_maps_and_secrets_give_values() -> None:
    level = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}
    password = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "password"}}}
    env = found(level, password, envFrom=[{"prefix": "CFG_", "configMapRef": {"name": "settings"}}])
    assert (env["LEVEL"], env["PASSWORD"], env["CFG_port"]) == ("info", "s3cret", "80")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "nope", "key": "a"}}, 'configmap "nope" not found'),
        ({"secretKeyRef": {"name": "secret", "key": "a"}}, 'secret "secret" has no key "a"'),
        ({"fieldRef": {"fieldPath": "spec.moon"}}, "fieldRef spec.moon"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "resourceFieldRef"),
    ],
)
def test_what_cannot_be_had_is_named(source: Json, message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        found({"name": "X", "valueFrom": source})


def test_what_is_optional_may_be_missing() -> None:
    optional = {"name": "nope", "key": "a", "optional": True}
    assert "X" not in found({"name": "X", "valueFrom": {"configMapKeyRef": optional}})
