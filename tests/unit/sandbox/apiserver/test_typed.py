"""What server-side apply says of a configuration that does not fit its kind."""

from typing import Any

import pytest

from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.typed import complaint

SCHEMA = definition_schema("V1Deployment")


def containers(*items: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(items)}}}}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}}}, ""),
        ({"spec": {"replicas": "x"}}, ".spec.replicas: expected numeric (int or float), got string"),
        ({"spec": {"nope": 1, "paused": "x"}}, ".spec.nope: field not declared in schema"),
        ({"spec": {"paused": "x"}}, ".spec.paused: expected boolean, got &{x}"),
        ({"spec": []}, ".spec: expected map, got &{[]}"),
        (
            {"metadata": {"labels": {"a": 1}}},
            ".metadata.labels.a: expected string, got &value.valueUnstructured{Value:1}",
        ),
        (
            containers({"name": "app", "nope": 1}),
            '.spec.template.spec.containers[name="app"].nope: field not declared in schema',
        ),
        (
            containers({"name": "app"}, {"name": "app"}),
            '.spec.template.spec.containers: duplicate entries for key [name="app"]',
        ),
    ],
)
def test_the_first_thing_that_does_not_fit_is_named(config: dict[str, Any], said: str) -> None:
    assert complaint(config, SCHEMA) == said
