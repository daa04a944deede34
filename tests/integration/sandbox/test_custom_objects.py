"""Custom kinds: served from when they are defined, defaulted and checked by their schema, gone with it."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.integration.api_client import MERGE, ApiClient, Json
from tests.integration.sandbox.people import Town

_NUMBERS = itertools.count()


def things(here: Town) -> tuple[str, Json]:
    """The path of a new custom kind's objects, and its definition."""
    group = f"g{next(_NUMBERS)}.example.com"
    spec = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 1, "default": 3},
            "replicas": {"type": "integer"},
            "mode": {"type": "string", "enum": ["a", "b"]},
        },
    }
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
    }
    names = {"plural": "things", "kind": "Thing"}
    definition = {
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    return f"/apis/{group}/v1/namespaces/{here.namespace}/things", definition


async def answers(admin: ApiClient, path: str, code: int) -> None:
    """Waits until a GET is answered so; the test's own timeout bounds it."""
    while (await admin.send("GET", path))[0] != code:  # noqa: ASYNC110 - another process is waited for
        await asyncio.sleep(0.1)


async def serve_things(admin: ApiClient, here: Town) -> tuple[str, str]:
    """Paths of the objects and of the definition of a new kind that is served."""
    path, definition = things(here)
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await admin.done("POST", definitions, definition)
    await answers(admin, path, 200)  # a real server needs a moment to serve a new kind
    return path, f"{definitions}/{definition['metadata']['name']}"


def thing(path: str, **spec: Any) -> Json:
    api_version = "/".join(path.split("/")[2:4])
    return {"apiVersion": api_version, "kind": "Thing", "metadata": {"name": "one"}, "spec": spec}


async def test_custom_objects_are_defaulted_and_validated(admin: ApiClient, here: Town) -> None:
    path, _ = await serve_things(admin, here)
    made = await admin.done("POST", path, thing(path, mode="a"))
    assert made["spec"] == {"mode": "a", "size": 3}
    code, body = await admin.send("PATCH", f"{path}/one", {"spec": {"size": 0, "mode": "c"}}, MERGE)
    assert code == 422
    assert {cause["field"] for cause in body["details"]["causes"]} == {"spec.size", "spec.mode"}


async def test_custom_objects_scale(admin: ApiClient, here: Town) -> None:
    path, _ = await serve_things(admin, here)
    await admin.done("POST", path, thing(path, replicas=2))
    scaled = await admin.done("PATCH", f"{path}/one/scale", {"spec": {"replicas": 5}}, MERGE)
    assert (scaled["kind"], scaled["spec"]["replicas"]) == ("Scale", 5)
    assert (await admin.done("GET", f"{path}/one"))["spec"]["replicas"] == 5


async def test_a_definition_takes_its_objects_along(admin: ApiClient, here: Town) -> None:
    path, definition = await serve_things(admin, here)
    await admin.done("POST", path, thing(path))
    await admin.done("DELETE", definition)
    await answers(admin, definition, 404)  # a real server cleans up in the background
    assert (await admin.send("GET", path))[0] == 404


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"spec": {"properties": {"a": {"type": "string"}}}}},
        {"type": "object", "properties": {"spec": {"type": "array"}}},
        {"type": "string"},
    ],
    ids=["a value without a type", "an array of nothing", "a root that is no object"],
)
async def test_a_definition_without_a_structural_schema_is_refused(
    admin: ApiClient, here: Town, schema: Json
) -> None:
    _, definition = things(here)
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    definition["spec"]["versions"][0].pop("subresources")
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert (await admin.send("POST", path, definition))[0] == 422
