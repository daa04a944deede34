"""Whatever is sent to the webhooks: an answer with the request's uid, or a 4xx; never a 500 or a crash."""

import asyncio
import copy
import json
import random
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from admission.caches import Caches
from admission.chain import NOTHING
from admission.handlers import HANDLERS, Handlers
from admission.lookup import Lookup
from admission.request import Request
from admission.rules.rule import Change, Options
from admission.server import Reviews
from admission.telemetry import Telemetry
from shared.cluster import Cluster
from shared.errors import NotFound
from shared.resources import Resource
from tests.wire_reviews import Json, recorded_reviews, review

LABELS = {"pinfeather.dev/canary": "podinfo"}
MISSING = object()
OWNERS = [
    {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "uid": "u", "controller": True}
]
PATHS = ("/mutate", "/validate")

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["CREATE", "UPDATE", "DELETE", "CONNECT", "podinfo", "10s", "-1", "1e9", "(", "😀" * 50]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


class OneCanary(Cluster):
    """An API server with one Canary, by any name, whose primary serves."""

    def __init__(self) -> None:
        pass

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        if len(name) > 253:
            raise NotFound(name)
        return {
            "metadata": {"name": name, "namespace": namespace, "uid": "u", "resourceVersion": "7"},
            "spec": {"targetRef": {"name": "podinfo"}},
            "status": {"phase": "Progressing"},
        }


class Nowhere:
    async def gather(self, request: Request, change: Change[Any]) -> Lookup:
        return NOTHING


def labelled(sent: Json) -> Json:
    """The same about objects that a Canary governs."""
    sent = copy.deepcopy(sent)
    for side in ("object", "oldObject"):
        if isinstance(sent["request"].get(side), dict):
            sent["request"][side]["metadata"].setdefault("labels", {}).update(LABELS)
    return sent


def generated(sent: Json) -> Json:
    """The same about objects that a Canary made."""
    sent = labelled(sent)
    for side in ("object", "oldObject"):
        if sent["request"].get(side):
            sent["request"][side]["metadata"]["ownerReferences"] = OWNERS
    return sent


def _samples() -> list[Json]:
    found = list(recorded_reviews().values()) or [review()]
    return [change(each) for each in found for change in (copy.deepcopy, labelled, generated)]


SAMPLES = _samples()


async def _answered(path: str, body: bytes) -> tuple[int, bytes]:
    telemetry = Telemetry(CollectorRegistry())
    reviews = Reviews(Handlers(Caches(OneCanary()), Nowhere(), Options(), telemetry), telemetry)
    loop = asyncio.get_running_loop()
    payload = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    payload.feed_data(body)
    payload.feed_eof()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    request = make_mocked_request("POST", path, headers=headers, payload=payload, client_max_size=2**24)
    response = await reviews.serve(request)
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.status, response.body


def answered(path: str, body: bytes) -> int:
    """The status, once it was checked that the answer is a right one."""
    status, text = asyncio.run(_answered(path, body))
    assert status == 200 or 400 <= status < 500, text
    if status == 200:
        response = orjson.loads(text)["response"]
        assert response["uid"] == orjson.loads(body)["request"]["uid"]
        assert isinstance(response["allowed"], bool)
        if not response["allowed"]:
            assert response["status"]["message"]
        assert sum(map(len, response.get("warnings", []))) <= 4096
    return status


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything in a JSON value, managed fields left out."""
    found = [path]
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if key != "managedFields":
            found += places(part, (*path, key))
    return found


def changed(sent: Json, path: tuple[Any, ...], value: Any) -> Json:
    """A copy with the value in that place."""
    sent = copy.deepcopy(sent)
    there: Any = sent
    for key in path[:-1]:
        there = there[key]
    if value is MISSING:
        del there[path[-1]]
    else:
        there[path[-1]] = value
    return sent


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_recorded_review_with_anything_in_any_place_is_answered(data: st.DataObject) -> None:
    sent = data.draw(st.sampled_from(SAMPLES))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(sent)[1:]))
        sent = changed(sent, path, data.draw(VALUES | st.just(MISSING)))
    answered(data.draw(st.sampled_from(PATHS)), _json(sent))


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=True).encode("utf-8", "surrogatepass")


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SAMPLES), st.integers(0, 2**32), st.sampled_from(PATHS))
def test_a_recorded_review_with_broken_bytes_is_answered(sent: Json, seed: int, path: str) -> None:
    rng, body = random.Random(seed), bytearray(orjson.dumps(sent))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(body))
        match rng.randrange(4):
            case 0:
                body[at] = rng.randrange(256)
            case 1:
                del body[at : at + rng.randint(1, 40)]
            case 2:
                body[at:at] = body[at : at + rng.randint(1, 400)]
            case _:
                del body[at:]
        if not body:
            break
    status, text = asyncio.run(_answered(path, bytes(body)))
    assert status == 200 or 400 <= status < 500, text


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200) | VALUES.map(_json))
def test_anything_else_is_refused(body: bytes) -> None:
    assert answered("/validate", body) == 400


def nested(levels: int, where: str) -> bytes:
    return orjson.dumps(labelled(review(new={"spec": {}}))).replace(
        b'"spec":{}', b'"spec":{"%s":' % where.encode() + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    )


WHOLE = orjson.dumps(labelled(review()))
UID = WHOLE[WHOLE.index(b'"uid"') : WHOLE.index(b",", WHOLE.index(b'"uid"'))]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[" * 10_000, 400),
        (nested(10_000, "template"), 400),
        (nested(300, "template"), 400),
        (nested(30, "other"), 200),
        (WHOLE[:-1], 400),
        (WHOLE + b"}", 400),
        (b"\xef\xbb\xbf" + WHOLE, 400),
        (WHOLE.decode().encode("utf-16"), 400),
        (WHOLE.replace(b"jane", b"ja\xffne"), 400),
        (WHOLE.replace(b"false", b"NaN"), 400),
        (WHOLE.replace(b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"), 400),
        (WHOLE.replace(b"AdmissionReview", b"ConversionReview"), 400),
        (WHOLE.replace(b'"request"', b'"response"'), 400),
        (WHOLE.replace(UID, b'"uid":""'), 400),
        (WHOLE.replace(UID, b'"uid":null'), 400),
        (WHOLE.replace(UID + b",", b""), 400),
        (WHOLE.replace(b'"UPDATE"', b'"CONNECT"'), 400),
        (WHOLE.replace(b'"UPDATE"', b'"update"'), 400),
        (WHOLE.replace(b'"kind":"Deployment"}', b'"kind":"Canary"}'), 400),
        (WHOLE.replace(b'"resource":"deployments"', b'"resource":"canaries"'), 400),
        (orjson.dumps(review(plural="pods")), 400),
        (orjson.dumps(labelled(review(object=None))), 400),
        (orjson.dumps(labelled(review(object=[LABELS]))), 400),
        (orjson.dumps(labelled(review(new={"kind": "Pod"}))), 400),
        (orjson.dumps(labelled(review(new={"spec": {"replicas": "two", "template": {"a": 1}}}))), 400),
        (WHOLE.replace(UID, UID + b"," + UID), 200),
        (WHOLE, 200),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_review_is_refused(body: bytes, status: int) -> None:
    assert answered("/mutate", body) == status


def test_of_a_key_that_is_there_twice_the_last_one_counts() -> None:
    body = WHOLE.replace(UID, b'"uid":"first",' + UID)
    _, text = asyncio.run(_answered("/mutate", body))
    assert orjson.loads(text)["response"]["uid"] == orjson.loads(WHOLE)["request"]["uid"]


def test_every_path_is_one_that_is_tested_here() -> None:
    assert {path for path, _, _ in HANDLERS} == set(PATHS)
