"""What webhooks are shown of deletes, new objects and races: on the sandbox's server and a real one."""

import asyncio

import pytest
from aiohttp import web

from tests.integration.api_client import MERGE
from tests.integration.webhook_receiver import Json, patching, rule
from tests.integration.webhook_stage import Stage, picked

pytestmark = pytest.mark.timeout(90)

REVIEW = "admission.k8s.io/v1"


async def test_a_delete_shows_what_goes_and_how(stage: Stage) -> None:
    await stage.register("Mutating", stage.webhook("/m", rule("configmaps", "DELETE", "core")))
    await stage.make("gone", labels={"a": "b"})
    await stage.client.done("DELETE", f"{stage.config_maps}/gone?propagationPolicy=Background")
    (request,) = stage.receiver.requests("/m")
    assert request["object"] is None and request["oldObject"]["metadata"]["labels"] == {"a": "b"}
    assert request["options"]["kind"] == "DeleteOptions"
    await stage.make("kept")
    stage.receiver.answers["/m"] = patching({"op": "add", "path": "/data/x", "value": "y"})
    code, body = await stage.client.send("DELETE", f"{stage.config_maps}/kept")
    why = 'admission webhook "m.example.com" attempted to modify the object, which is not supported for this'
    assert (code, body["message"]) == (500, f"Internal error occurred: {why} operation")


async def test_what_is_deleted_together_is_shown_one_by_one_without_a_name(stage: Stage) -> None:
    await stage.register("Validating", stage.webhook("/v", rule("configmaps", "DELETE", "core")))
    await stage.make("one")
    await stage.make("two")
    await stage.client.done("DELETE", stage.config_maps)
    seen = [(r.get("name"), r["oldObject"]["metadata"]["name"]) for r in stage.receiver.requests("/v")]
    assert {(None, "one"), (None, "two")} <= set(seen)


async def test_a_new_object_has_no_identity_before_it_is_mutated(stage: Stage) -> None:
    await stage.register("Mutating", stage.webhook("/m"))
    await stage.register("Validating", stage.webhook("/v"))
    code, _ = await stage.client.send("POST", stage.config_maps, {"metadata": {"generateName": "g-"}})
    assert code == 201
    (before,), (after,) = stage.receiver.requests("/m"), stage.receiver.requests("/v")
    assert before["object"]["metadata"].keys() & {"uid", "creationTimestamp", "name"} == set()
    assert after["object"]["metadata"].keys() >= {"uid", "creationTimestamp", "name"}
    assert "name" not in before
    assert after["name"] == after["object"]["metadata"]["name"]


async def test_a_patch_goes_on_what_others_wrote_while_webhooks_were_asked(stage: Stage) -> None:
    await stage.make("busy")
    path = f"{stage.config_maps}/busy"
    await stage.register("Validating", stage.webhook("/v", objectSelector=picked("slow")))
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request, review: Json) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        response = {"uid": review["request"]["uid"], "allowed": True}
        return web.json_response({"kind": "AdmissionReview", "apiVersion": REVIEW, "response": response})

    stage.receiver.raw["/v"] = slow
    patch = asyncio.create_task(stage.label(path, pick="slow"))
    await asked.wait()
    await stage.client.done("PATCH", path, {"data": {"b": "2"}}, MERGE)
    go_on.set()
    code, body = await patch
    assert (code, body["data"]) == (200, {"a": "1", "b": "2"})
    assert body["metadata"]["labels"] == {"pick": "slow"}
    assert len(stage.receiver.requests("/v")) == 2


async def test_a_write_that_changes_nothing_is_shown_all_the_same(stage: Stage) -> None:
    _, made, _ = await stage.make("same", labels={"a": "b"})
    await stage.register("Validating", stage.webhook("/v"))
    code, body = await stage.label(f"{stage.config_maps}/same", a="b")
    assert (code, body["metadata"]["resourceVersion"]) == (200, made["metadata"]["resourceVersion"])
    assert len(stage.receiver.requests("/v")) == 1
