"""The sandbox's API server answers what a real kube-apiserver was recorded to answer.

    what happened in between (recorded_cluster.py) -> request -> answer -> masked -> equal?

The recordings are replayed in their order against one server: later ones build on earlier ones.
"""

import base64
import json
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import ApiClient, connected
from tests.integration.recorded_cluster import before, prepare
from tests.integration.webhook_receiver import Receiver, receiving
from tests.recordings import recorded

Json = dict[str, Any]

# Field -> why its value is another one, in every answer where it is.
IGNORED = {
    "uid": "made anew",
    "resourceVersion": "counts the writes of another cluster",
    "time": "of the run",
    "creationTimestamp": "of the run",
    "deletionTimestamp": "of the run",
    "clusterIP": "from another range of addresses",
    "clusterIPs": "from another range of addresses",
    "caBundle": "of the run's own authority",
    "serverAddress": "the address that the server listens on",
    "description": "prose of the API's documentation",
    "storageVersionHash": "a hash that clients only compare with itself",
    **dict.fromkeys(
        ("gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"),
        "of another program",
    ),
}

# Field -> why only the sandbox has it. Those of Canaries are defaults: our definition is the stricter one.
ADDED = {
    "serviceAccountName": "the recorded cluster ran without the admission of service accounts",
    "serviceAccount": "as above",
    "portName": "a default of our definition of Canaries",
    "primaryReadyThreshold": "a default of our definition of Canaries",
    "canaryReadyThreshold": "a default of our definition of Canaries",
}

# The same within a text.
IGNORED_TEXTS = {
    r"^(https://127\.0\.0\.1:)\d+(?=/)": "the port that the webhook listens on",
    r"^(podinfo\.)[a-z0-9]{5}$": "a name that is generated",
    r"^()\d+s$": "an age in a table",
    r"^(too old resource version: 1 \()\d+": "how far history reaches back",
    r'^(k:\{"uid":")[^"]+': "an item known by an identity, which is made anew",
}

# Flagger's pattern of an interval, and ours, which takes whatever Go reads as a duration.
INTERVALS = (
    r"'^[0-9]+(m|s)'",
    r"'^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$'",
)

# Lists of which the sandbox serves a part: compared by name, for what it serves.
PARTLY_SERVED = {"005", "006", "007", "008"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[ApiClient]:
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    async with connected(tmp_path / "kubeconfig") as bare:
        yield bare
    await server.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """The webhook of the recorded cluster."""
    async with receiving() as started:
        yield started


def masked(value: Any) -> Any:
    """A value without what differs by nature."""
    if isinstance(value, dict):
        shown = {
            masked_text(name): "*" if name in IGNORED and not isinstance(inner, dict) else masked(inner)
            for name, inner in value.items()
            if name.removeprefix("f:") not in ADDED
        }
        if "continue" in shown:
            shown["continue"] = masked_token(shown["continue"])
        for name, key in SORTED.items():
            if isinstance(shown.get(name), list):
                shown[name] = sorted(shown[name], key=key)
        return shown
    if isinstance(value, list):
        return [masked(item) for item in value]
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str) -> str:
    for pattern in IGNORED_TEXTS:
        text = re.sub(pattern, r"\1*", text)
    return text


def masked_token(token: str) -> Json:
    content: Json = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return {**content, "rv": "*"}


INITIAL_END: Json = {
    "type": "BOOKMARK",
    "object": {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            "resourceVersion": "*",
            "creationTimestamp": None,
            "annotations": {"k8s.io/initial-events-end": "true"},
        },
    },
}

# Lists whose order means nothing. Managers are in the order of times, which lay seconds apart when they were
# recorded; custom resources list their verbs in an order of their own.
SORTED: dict[str, Callable[[Any], Any]] = {
    "managedFields": lambda entry: (entry["manager"], entry.get("subresource", "")),
    "verbs": str,
}


class Replay:
    """Sends recorded requests as they have to look in this run, and remembers what later ones need."""

    def __init__(self, client: ApiClient, receiver: Receiver) -> None:
        self._client = client
        self._receiver = receiver
        self._listed = ""

    async def answer(self, number: str) -> Json:
        """The answer to a request, in the form of the recordings."""
        exchange = recorded(number)
        request = await self._adapted(number, exchange["request"])
        code, body, headers = await self._client.exchange_whole(request)
        answer: Json = {"status": code, "headers": {}}
        for name in exchange["response"]["headers"] | {"Warning": []}:
            values = headers.getall(name, [])
            if values:
                answer["headers"][name] = values if name == "Warning" else values[0]
        if "stream" in exchange["response"]:
            return {**answer, "stream": [json.loads(line) for line in body.splitlines()]}
        is_json = "json" in answer["headers"].get("Content-Type", "")
        answer["body"] = json.loads(body) if is_json else body
        if number == "020":
            self._listed = answer["body"]["metadata"]["resourceVersion"]
        return answer

    async def _adapted(self, number: str, request: Json) -> Json:
        """Writes that carry an identity or a version carry those of this run, a stale one where it was."""
        if number == "039":
            return {**request, "path": re.sub(r"(?<=resourceVersion=)\d+", self._listed, request["path"])}
        if number in ("051", "052"):
            (webhook,) = request["body"]["webhooks"]
            client = self._receiver.client("/validate" if number == "051" else "/mutate")
            return {**request, "body": {**request["body"], "webhooks": [{**webhook, "clientConfig": client}]}}
        if number not in ("029", "069", "070"):
            return request
        present = (await self._client.done("GET", request["path"]))["metadata"]
        version = present["resourceVersion"] if number == "069" else "1"
        metadata = {**request["body"]["metadata"], "uid": present["uid"], "resourceVersion": version}
        return {**request, "body": {**request["body"], "metadata": metadata}}


def expected(number: str, got: Json) -> Json:
    """The recorded answer; of what the sandbox serves only a part, the part that it serves."""
    want: Json = recorded(number)["response"]
    if number == "040":
        # A real server with a newer etcd serves this: everything there is, then a bookmark.
        return {
            **want,
            "stream": [*({**event, "type": "ADDED"} for event in got["stream"][:-1]), INITIAL_END],
        }
    if number == "042":
        theirs, ours = (json.dumps(pattern)[1:-1] for pattern in INTERVALS)
        stricter: Json = json.loads(json.dumps(want).replace(theirs, ours))
        return stricter
    return {**want, "body": served_part(want["body"], got["body"])} if number in PARTLY_SERVED else want


def served_part(want: Any, got: Any) -> Any:
    """`want` with only those items of its lists that `got` has as well."""
    if isinstance(want, dict) and isinstance(got, dict):
        return {name: served_part(value, got.get(name)) for name, value in want.items()}
    if not (isinstance(want, list) and isinstance(got, list) and want and isinstance(want[0], dict)):
        return want
    present = {named(item): item for item in got}
    return [served_part(item, present[named(item)]) for item in want if named(item) in present]


def named(item: Json) -> Any:
    keys = ("name", "resource", "subresource", "version", "groupVersion", "kind")
    return next((item[key] for key in keys if key in item), item.get("metadata", {}).get("name"))


@pytest.mark.timeout(120)
async def test_every_recorded_request_gets_the_recorded_answer(client: ApiClient, receiver: Receiver) -> None:
    await prepare(client)
    replay = Replay(client, receiver)
    wrong: dict[str, Any] = {}
    for number in (f"{n:03}" for n in range(1, 80)):
        await before(client, receiver, number)
        got = await replay.answer(number)
        found = differences(masked(expected(number, got)), masked(got))
        if found:
            wrong[recorded(number)["title"]] = found
    assert wrong == {}


def differences(want: Any, got: Any, path: str = "") -> list[str]:
    """Where two answers differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        both = [
            d for key in want.keys() & got.keys() for d in differences(want[key], got[key], f"{path}.{key}")
        ]
        return both + [f"{path}.{key}: only on one side" for key in want.keys() ^ got.keys()]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        pairs = enumerate(zip(want, got, strict=True))
        return [d for index, pair in pairs for d in differences(*pair, f"{path}[{index}]")]
    return [] if want == got else [f"{path}: want {want!r}, got {got!r}"]


@pytest.mark.parametrize("number", [f"{n:03}" for n in range(1, 80)])
def test_a_wrong_answer_is_noticed(number: str) -> None:
    """The comparison fails for another status, another or no header, and any other value in a body."""
    right = expected(number, recorded(number)["response"])
    assert noticed(number, right) == []
    assert noticed(number, {**right, "status": right["status"] + 1})
    for name in right["headers"]:
        assert noticed(number, {**right, "headers": {**right["headers"], name: ["another"]}})
        assert noticed(number, {**right, "headers": {k: v for k, v in right["headers"].items() if k != name}})
    content = "stream" if "stream" in right else "body"
    paths = [path for path in leaves(right[content]) if not ignored(right[content], path)]
    assert paths
    for path in random.Random(number).sample(paths, min(len(paths), 20)):
        assert noticed(number, {**right, content: mutated(right[content], path)}), path


def noticed(number: str, got: Json) -> list[str]:
    return differences(masked(expected(number, got)), masked(got))


Steps = tuple[str | int, ...]


def leaves(value: Any, path: Steps = ()) -> Iterator[Steps]:
    """Paths to all values that hold no others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not value or not isinstance(value, dict | list):
        yield path
    for key, item in inner:
        yield from leaves(item, (*path, key))


def ignored(value: Any, path: Steps) -> bool:
    for key in path:
        if key in IGNORED or str(key).removeprefix("f:") in ADDED or key == "continue":
            return True
        value = value[key]
    return isinstance(value, str) and any(re.search(pattern, value) for pattern in IGNORED_TEXTS)


def mutated(value: Any, path: Steps) -> Any:
    if not path:
        return "another value"
    copy: Any = value.copy()
    copy[path[0]] = mutated(copy[path[0]], path[1:])
    return copy
