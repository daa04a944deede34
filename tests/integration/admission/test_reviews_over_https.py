"""What an API server sends, and what is not one: answers, refusals, limits."""

import asyncio
import base64
from collections.abc import AsyncIterator

import orjson
import pytest

from admission import handlers
from admission import server as http
from admission.answer import Answer
from shared.errors import ClusterUnavailable
from shared.resources import CANARIES
from tests.integration.admission.webhooks import GROUP, Webhooks
from tests.integration.scripted import Server, refuse, reply
from tests.wire_reviews import Json, recorded_review, recorded_reviews, review

LABELLED = {
    "metadata": {"name": "podinfo", "namespace": "test", "labels": {"pinfeather.dev/canary": "podinfo"}}
}


def template(image: str) -> Json:
    return {"spec": {"containers": [{"name": "podinfod", "image": image}]}}


def live(image: str, **metadata: object) -> Json:
    return {**LABELLED, "spec": {"replicas": 2, "template": template(image)}}


@pytest.mark.parametrize("name", recorded_reviews())
async def test_what_a_real_api_server_sends_is_answered(asked: Webhooks, name: str) -> None:
    sent = recorded_review(name)
    resource = sent["request"]["resource"]["resource"]
    path = "/mutate" if name.endswith("mutate") and resource == "deployments" else "/validate"
    if sent["request"].get("subResource") == "scale" or (path, sent["request"]["operation"]) == (
        "/mutate",
        "DELETE",
    ):
        path = "/validate"
    response = await asked.review(sent, path)
    assert isinstance(response["allowed"], bool)


async def test_a_held_template_is_a_json_patch_with_a_warning(asked: Webhooks) -> None:
    response = await asked.review(review(new=live("a:2"), old=live("a:1")), "/mutate?timeout=2s")
    assert response["allowed"] is True
    assert response["patchType"] == "JSONPatch"
    operations = orjson.loads(base64.b64decode(response["patch"]))
    assert {"op": "add", "path": "/spec/paused", "value": True} in operations
    assert "kubectl" in response["warnings"][0] or "Canary test/podinfo" in response["warnings"][0]
    assert 'handler="target",outcome="patched"} 1.0' in asked.metrics()


async def test_no_change_has_no_patch(asked: Webhooks) -> None:
    pinned = live("a:1")
    response = await asked.review(review(new=pinned, old=pinned), "/mutate")
    assert response == {"uid": response["uid"], "allowed": True}


async def test_a_refusal_reads_as_one_of_kubernetes_does(asked: Webhooks) -> None:
    bad = {"spec": {"analysis": {"interval": "1m", "threshold": 3, "stepWeight": 120, "maxWeight": 50}}}
    response = await asked.review(review("CREATE", new=bad, plural="canaries"))
    assert response["allowed"] is False
    status = response["status"]
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["message"].startswith('Canary.flagger.app "podinfo" is invalid: [')
    assert {"group": "flagger.app", "kind": "Canary", "name": "podinfo"}.items() <= status["details"].items()
    fields = [cause["field"] for cause in status["details"]["causes"]]
    assert {"spec.targetRef", "spec.analysis.stepWeight"} <= set(fields)
    assert "pinfeather_admission_refusals_total" in asked.metrics()


@pytest.mark.parametrize(
    "user",
    [
        "system:serviceaccount:pinfeather-system:pinfeather-controller",
        "system:serviceaccount:kube-system:deployment-controller",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:kube-controller-manager",
        "system:kube-scheduler",
    ],
)
async def test_the_controller_and_the_clusters_own_are_never_stood_in_the_way_of(
    asked: Webhooks, user: str
) -> None:
    theirs = review(new=live("a:2"), old=live("a:1"), userInfo={"username": user})
    assert await asked.review(theirs, "/mutate") == {"uid": theirs["request"]["uid"], "allowed": True}
    nonsense = review("CREATE", new={}, plural="canaries", userInfo={"username": user})
    assert (await asked.review(nonsense))["allowed"] is True


@pytest.mark.parametrize(
    "user",
    ["system:admin", "system:serviceaccount:test:pinfeather-controller", "kube-system", "jane"],
)
async def test_whoever_only_looks_like_them_is_like_everybody(asked: Webhooks, user: str) -> None:
    groups = ["system:masters"]
    theirs = review(new=live("a:2"), old=live("a:1"), userInfo={"username": user, "groups": groups})
    assert "patch" in await asked.review(theirs, "/mutate")


async def test_a_deployment_under_no_canary_is_let_through_unread(asked: Webhooks) -> None:
    misshapen = {"metadata": {"name": "other"}, "spec": []}
    other = review(new=misshapen, old=misshapen, name="other")
    assert (await asked.review(other, "/mutate"))["allowed"] is True


async def test_a_canary_is_known_as_soon_as_its_creation_was_let_through(
    asked: Webhooks, server: Server
) -> None:
    canary: Json = {
        "metadata": {"name": "other", "namespace": "test"},
        "spec": {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"},
            "service": {"port": 80, "targetPort": 9898},
            "analysis": {"interval": "1m", "threshold": 3, "stepWeight": 10, "maxWeight": 50},
        },
    }
    created = review("CREATE", new=canary, plural="canaries", name="other")
    assert (await asked.review(created))["allowed"] is True
    stored: Json = {
        **canary,
        "metadata": {"name": "other", "namespace": "test", "uid": "u9", "resourceVersion": "9"},
    }
    server.on("GET", f"{GROUP}/namespaces/test/canaries/other", reply(stored))
    update = review(
        name="other",
        new={"metadata": {"name": "other", "namespace": "test"}, "spec": {"template": template("a:2")}},
        old={"metadata": {"name": "other", "namespace": "test"}, "spec": {"template": template("a:1")}},
    )
    assert "patch" in await asked.review(update, "/mutate")
    assert "pinfeather_admission_cache_misses_total 1.0" in asked.metrics()


async def test_a_canary_that_another_webhook_refused_governs_nothing(asked: Webhooks, server: Server) -> None:
    canary: Json = {
        "metadata": {"name": "ghost", "namespace": "test"},
        "spec": {"targetRef": {"name": "other"}},
    }
    asked.caches.remember(canary)
    update = review(name="other", new={"metadata": {"name": "other"}, "spec": {"template": template("a:2")}})
    assert "patch" not in await asked.review(update, "/mutate")
    assert await asked.review(update, "/mutate")
    assert server.count("GET", f"{GROUP}/namespaces/test/canaries/ghost") == 1


async def test_a_dry_run_leaves_nothing_behind(asked: Webhooks) -> None:
    before = asked.caches.list(CANARIES, "test")
    canary: Json = {
        "metadata": {"name": "other", "namespace": "test"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"},
            "service": {"port": 80, "targetPort": 9898},
            "analysis": {"interval": "1m", "threshold": 3, "stepWeight": 10, "maxWeight": 50},
        },
    }
    created = review("CREATE", new=canary, plural="canaries", name="other", dryRun=True)
    assert (await asked.review(created))["allowed"] is True
    assert asked.caches.list(CANARIES, "test") == before


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 404),
        ("/validate/", {}, 404),
        ("/validate", {"Content_Type": "text/plain"}, 415),
        ("/validate", {"Content_Type": "application/yaml"}, 415),
        ("/validate", {"Content_Encoding": "gzip"}, 415),
        ("/validate", {"Content_Type": "application/json; charset=utf-8"}, 200),
    ],
)
async def test_only_reviews_are_taken(
    asked: Webhooks, path: str, headers: dict[str, str], status: int
) -> None:
    pinned = live("a:1")
    assert (await asked.ask(review(new=pinned, old=pinned), path, **headers))[0] == status


async def test_only_post_is_understood(asked: Webhooks) -> None:
    async with asked.session.get(asked.url + "/validate") as response:
        assert response.status == 405


async def test_a_body_without_a_length_or_with_too_great_a_one_is_not_read(asked: Webhooks) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"{}"

    headers = {"Content-Type": "application/json"}
    async with asked.session.post(asked.url + "/validate", data=chunks(), headers=headers) as response:
        assert response.status == 411
    reader, writer = await asked.connect()
    writer.write(
        b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % (http.LARGEST_BODY + 1)
    )
    assert b" 413 " in await reader.readline()
    writer.close()


async def test_the_largest_object_is_still_reviewed(asked: Webhooks) -> None:
    large = {"metadata": {"name": "other", "annotations": {"a": "x" * (http.LARGEST_BODY // 2 - 2000)}}}
    body = orjson.dumps(review(new=large, old=large, name="other"))
    assert http.LARGEST_BODY - 5000 < len(body) < http.LARGEST_BODY
    status, _ = await asked.ask(body, "/mutate")
    assert status == 200


async def test_large_bodies_at_the_same_time_take_a_bounded_amount_of_memory(
    asked: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LARGEST_TOGETHER", 1000)
    status, text = await asked.ask(b"x" * 1001)
    assert (status, text) == (503, "too much at the same time\n")
    assert (await asked.ask(b"x" * 999))[0] == 400


async def test_an_answer_that_would_come_too_late_leaves_it_to_the_failure_policy(asked: Webhooks) -> None:
    asked.gatherer.meanwhile = asyncio.Event().wait
    status, text = await asked.ask(review("CREATE", plural="canaries"), "/validate?timeout=100ms")
    assert status == 504
    assert review()["request"]["uid"] in text


async def test_what_cannot_be_gathered_leaves_it_to_the_failure_policy(asked: Webhooks) -> None:
    async def unavailable() -> None:
        raise ClusterUnavailable("no API server")

    asked.gatherer.meanwhile = unavailable
    status, text = await asked.ask(review("CREATE", plural="canaries"))
    assert status == 503
    assert "no API server" in text


async def test_a_bug_is_a_500_that_names_the_request(
    asked: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Answer:
        raise KeyError("bug")

    monkeypatch.setattr(handlers, "mutate", broken)
    status, text = await asked.ask(review(new=live("a:1"), old=live("a:1")), "/mutate")
    assert status == 500
    assert review()["request"]["uid"] in text
    assert 'handler="target",outcome="error"} 1.0' in asked.metrics()


async def test_without_an_api_server_the_objects_own_word_counts(asked: Webhooks, server: Server) -> None:
    server.on("GET", f"{GROUP}/namespaces/test/canaries/unknown", refuse(403))
    labels = {"pinfeather.dev/canary": "unknown"}
    new, old = live("a:2"), live("a:1")
    for side in (new, old):
        side["metadata"] = {"name": "other", "namespace": "test", "labels": labels}
    response = await asked.review(review(new=new, old=old, name="other"), "/mutate")
    assert "patch" in response
