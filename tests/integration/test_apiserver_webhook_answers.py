"""What webhooks answer, or fail to, is told to clients as kube-apiserver tells it."""

import asyncio
import json

import pytest
from aiohttp import web

from tests.integration.webhook_receiver import Json, Raw, answering, patching, receiving
from tests.integration.webhook_stage import Stage, picked

pytestmark = pytest.mark.timeout(90)

CALL = 'failed calling webhook "v.example.com": failed to call webhook: '
REVIEW = "admission.k8s.io/v1"


def saying(body: str, code: int = 200, content_type: str = "application/json") -> Raw:
    async def answer(request: web.Request, review: Json) -> web.StreamResponse:
        return web.Response(text=body, status=code, content_type=content_type)

    return answer


async def test_a_refusal_is_passed_on_with_everything_that_it_says(stage: Stage) -> None:
    await stage.register("Validating", stage.webhook("/v"))
    denied = 'admission webhook "v.example.com" denied the request'
    causes = [{"reason": "FieldValueInvalid", "message": "too big", "field": "data.a"}]
    cases: list[tuple[Json, int, Json]] = [
        ({}, 400, {"message": f"{denied} without explanation"}),
        ({"message": "no", "code": 200}, 400, {"message": f"{denied}: no"}),
        ({"reason": "Busy", "code": 429}, 429, {"message": f"{denied}: Busy", "reason": "Busy"}),
        (
            {"message": "no", "reason": "Invalid", "code": 422, "details": {"name": "q", "causes": causes}},
            422,
            {"message": f"{denied}: no", "reason": "Invalid", "details": {"name": "q", "causes": causes}},
        ),
    ]
    for status, code, expected in cases:
        stage.receiver.answers["/v"] = answering({"allowed": False, "status": status})
        got, body, _ = await stage.make()
        head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
        assert (got, body) == (code, {**head, **expected})


async def test_an_answer_that_is_none_is_an_internal_error_that_says_why(stage: Stage) -> None:
    await stage.register("Validating", stage.webhook("/v"))
    invalid = 'failed calling webhook "v.example.com": received invalid webhook response: '
    scheme = 'in scheme "k8s.io/apiserver/pkg/util/webhook/client.go:71"'
    review = {"kind": "AdmissionReview", "apiVersion": REVIEW}
    refused = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "not you", "code": 403}
    cases: dict[Raw, str] = {
        saying(json.dumps(review)): f"{invalid}webhook response was absent",
        saying(
            '{"kind":"Pod","apiVersion":"v1"}'
        ): f'{CALL}no kind "Pod" is registered for version "v1" {scheme}',
        saying(""): f"{CALL}0-length response with status code: 200 and content type: application/json; "
        "charset=utf-8",
        saying("oops", 500, "text/plain"): f'{CALL}an error on the server ("oops") has prevented the request '
        "from succeeding",
        saying('{"a":1}', 500): f'{CALL}an error on the server ("unknown") has prevented the request from '
        "succeeding",
        saying("no", 404, "text/plain"): f"{CALL}the server could not find the requested resource",
        saying("go away", 403, "text/plain"): f"{CALL}go away",
        saying("no", 413, "text/plain"): f"{CALL}the server responded with the status code 413 but did not "
        "return more information",
        saying("no", 503, "text/plain"): f"{CALL}the server is currently unable to handle the request",
        saying(json.dumps(refused), 403): f"{CALL}not you",
        saying(
            json.dumps({**review, "response": {"allowed": "yes"}})
        ): f"{CALL}json: cannot unmarshal string "
        "into Go struct field AdmissionResponse.response.allowed of type bool",
    }
    wrong = {}
    for raw, expected in cases.items():
        stage.receiver.raw["/v"] = raw
        code, body, _ = await stage.make()
        if (code, body["message"]) != (500, f"Internal error occurred: {expected}"):
            wrong[expected] = body["message"]
        assert body["details"] == {"causes": [{"message": body["message"].partition(": ")[2]}]}
    assert wrong == {}


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ({"uid": "other", "allowed": True}, ', got "other"'),
        ({"allowed": True, "patch": "e30="}, "validating webhook may not return response.patch"),
        ({"allowed": True, "patchType": "JSONPatch"}, "validating webhook may not return response.patchType"),
    ],
)
async def test_a_validating_webhook_may_answer_for_this_review_and_no_more(
    stage: Stage, response: Json, problem: str
) -> None:
    await stage.register("Validating", stage.webhook("/v"))
    stage.receiver.answers["/v"] = answering(response)
    code, body, _ = await stage.make()
    assert code == 500 and "received invalid webhook response: " in body["message"]
    assert body["message"].endswith(problem)


async def test_a_webhook_out_of_reach_stops_the_write_or_not_as_its_policy_says(stage: Stage) -> None:
    nowhere = {"url": "https://127.0.0.1:9/v"}
    await stage.register("Validating", stage.webhook("/v", clientConfig=nowhere, objectSelector=picked("a")))
    await stage.register(
        "Validating",
        stage.webhook("/w", clientConfig=nowhere, failurePolicy="Ignore", objectSelector=picked("b")),
    )
    code, body, _ = await stage.make(labels={"pick": "a"})
    why = f'{CALL}Post "https://127.0.0.1:9/v?timeout=5s": dial tcp 127.0.0.1:9: connect: connection refused'
    assert (code, body["message"]) == (500, f"Internal error occurred: {why}")
    assert (await stage.make(labels={"pick": "b"}))[0] == 201


async def test_a_webhook_that_takes_too_long_is_given_up(stage: Stage) -> None:
    never = asyncio.Event()

    async def silent(request: web.Request, review: Json) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    await stage.register("Validating", stage.webhook("/v", timeoutSeconds=1))
    stage.receiver.raw["/v"] = silent
    code, body, _ = await stage.make()
    never.set()
    assert code == 500
    assert body["message"].endswith(f'Post "{stage.receiver.url}/v?timeout=1s": context deadline exceeded')
    assert stage.receiver.queries == ["timeout=1s"]


async def test_a_certificate_that_does_not_fit_says_what_is_wrong_with_it(stage: Stage) -> None:
    untrusted = {**stage.receiver.client("/v")}
    del untrusted["caBundle"]
    async with receiving(hosts=("10.0.0.1", "other.example.com")) as other:
        by_name = {**other.client("/v"), "url": f"{other.url.replace('127.0.0.1', 'localhost')}/v"}
        cases = {
            "certificate signed by unknown authority": untrusted,
            "certificate is valid for 10.0.0.1, not 127.0.0.1": other.client("/v"),
            "certificate is valid for other.example.com, not localhost": by_name,
        }
        picks = {pick: client for pick, client in zip("abc", cases.values(), strict=True)}
        hooks = [
            stage.webhook(f"/{pick}", clientConfig=client, objectSelector=picked(pick))
            for pick, client in picks.items()
        ]
        await stage.register("Validating", *hooks)
        for pick, problem in zip(picks, cases, strict=True):
            code, body, _ = await stage.make(labels={"pick": pick})
            assert code == 500
            assert body["message"].endswith(f": tls: failed to verify certificate: x509: {problem}")


async def test_warnings_reach_the_client_once_each_and_not_without_end(stage: Stage) -> None:
    await stage.register("Validating", stage.webhook("/v"))
    texts = ["one", "one", "", "with\x01control", 'q"uo\\te', "ünï"]
    stage.receiver.answers["/v"] = answering({"allowed": True, "warnings": texts})
    assert (await stage.make())[2] == ['299 - "one"', '299 - "q\\"uo\\\\te"', '299 - "ünï"']
    many = [f"{number:02}{'y' * 300}" for number in range(20)]
    stage.receiver.answers["/v"] = answering({"allowed": True, "warnings": many})
    assert (await stage.make())[2] == [f'299 - "{text[:256]}"' for text in many[:16]]


async def test_a_patch_that_does_not_fit_says_where(stage: Stage) -> None:
    await stage.register("Mutating", stage.webhook("/m"))
    value = {"value": "2"}
    cases: list[tuple[Json, str]] = [
        (
            {"op": "add", "path": "/x/y", **value},
            'add operation does not apply: doc is missing path: "/x/y": missing value',
        ),
        (
            {"op": "remove", "path": "/data/z"},
            "error in remove for path: '/data/z': Unable to remove nonexistent key: z: missing value",
        ),
        (
            {"op": "replace", "path": "/z/a", **value},
            "replace operation does not apply: doc is missing path: /z/a: missing value",
        ),
        ({"op": "test", "path": "/data/a", **value}, "testing value /data/a failed: test failed"),
        (
            {"op": "move", "from": "/data/z", "path": "/data/y"},
            "error in move for path: 'z': Unable to remove nonexistent key: z: missing value",
        ),
        ({"op": "frob", "path": "/data/z"}, "Unexpected kind: frob"),
        ({"op": "add", **value}, "add operation failed to decode path: missing value"),
        (
            {"op": "add", "path": "/data/b", "value": 2},
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
    ]
    wrong = {}
    for operation, expected in cases:
        stage.receiver.answers["/m"] = patching(operation)
        code, body, _ = await stage.make()
        if (code, body["message"]) != (500, f"Internal error occurred: {expected}"):
            wrong[expected] = body["message"]
    assert wrong == {}
