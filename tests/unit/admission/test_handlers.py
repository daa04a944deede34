"""What is answered while the API server cannot be asked, and about objects that are named in themselves."""

from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest
from prometheus_client import CollectorRegistry

from admission.answer import Answer
from admission.caches import Caches
from admission.chain import NOTHING
from admission.handlers import VALIDATE, Handlers, Moment
from admission.request import read
from admission.rules.rule import Options
from admission.telemetry import Telemetry
from shared.cluster import Cluster
from shared.errors import ClusterUnavailable
from shared.names import CANARY_LABEL
from tests.wire_reviews import Json, review

OWNER = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}
PRIMARY: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "podinfo-primary",
        "namespace": "test",
        "labels": {CANARY_LABEL: "podinfo"},
        "ownerReferences": [OWNER],
    },
    "spec": {"replicas": 2, "template": {}},
}


class Unreachable:
    """An API server that does not answer."""

    async def get(self, *_: Any) -> Json:
        raise ClusterUnavailable("Connection refused")


async def answer(request: Json) -> Answer:
    """The answer of a process that knows no Canary and can ask nobody."""
    caches = Caches(cast("Cluster", Unreachable()))

    class Gatherer:
        async def gather(self, *_: Any) -> Any:
            return NOTHING

    handlers = Handlers(caches, Gatherer(), Options(), Telemetry(CollectorRegistry()))
    envelope = read(orjson.dumps(request))
    return await handlers.answer(
        handlers.find(VALIDATE, envelope), envelope, Moment(datetime.now(UTC), deadline=1e9)
    )


async def test_a_canary_that_cannot_be_asked_about_is_not_taken_for_gone() -> None:
    with pytest.raises(ClusterUnavailable):
        await answer(review("DELETE", old=PRIMARY, name="podinfo-primary"))


async def test_of_one_of_many_that_are_deleted_together_only_the_object_has_a_name() -> None:
    request = read(orjson.dumps(review("DELETE", old=PRIMARY, name="")))
    assert request.open(datetime.now(UTC)).name == "podinfo-primary"
