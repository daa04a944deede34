"""Small readers and printers: selectors, JSONPath, ages, protobuf, the built-in tables."""

from typing import Any

import pytest

from sandbox.apiserver import ages, jsonpath, protobuf, selectors, typegen
from sandbox.apiserver.requests import parse_path
from sandbox.apiserver.resources import Catalog
from sandbox.apiserver.status import ApiError

Json = dict[str, Any]

OBJECT: Json = {
    "metadata": {"labels": {"app.kubernetes.io/name": "x"}},
    "items": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False"}],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".items[0].status", ["True"]),
        (".items[-1].type", ["Synced"]),
        (".items[*].type", ["Ready", "Synced"]),
        ('.items[?(@.type=="Ready")].status', ["True"]),
        ('.items[?(@.type!="Ready")].status', ["False"]),
        (".metadata.labels.app\\.kubernetes\\.io/name", []),
        (".metadata.labels['app.kubernetes.io/name']", ["x"]),
        ("{.items[1].type}", ["Synced"]),
        (".absent.deeper", []),
        (".items[9]", []),
        ("][", []),
    ],
)
def test_json_paths_find_what_columns_show(path: str, found: list[Any]) -> None:
    assert jsonpath.find(OBJECT, path) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (599, "9m59s"), (1_200, "20m"),
        (10_799, "179m"), (10_800, "3h"), (18_600, "5h10m"), (28_800, "8h"), (172_799, "47h"),
        (172_800, "2d"), (183_600, "2d3h"), (3_456_000, "40d"), (63_072_000, "2y"), (67_392_000, "2y50d"),
        (315_360_000, "10y"),
        (-5, "<invalid>"),
    ],
)  # fmt: skip
def test_durations_are_short(seconds: int, text: str) -> None:
    assert ages.human_duration(seconds) == text


@pytest.mark.parametrize("text", ["a=(", "a in b", "=x", "a b"])
def test_selectors_that_cannot_be_read_are_refused(text: str) -> None:
    pods = parse_path(Catalog(), "/api/v1/pods").resource
    with pytest.raises(ApiError, match=r"found '.*', expected|found '.*' expected"):
        selectors.parse(pods, text, "")


def test_a_label_selector_object_reads_as_a_query() -> None:
    expressions = [
        {"key": "a", "operator": "In", "values": ["x", "y"]},
        {"key": "b", "operator": "NotIn", "values": ["z"]},
        {"key": "c", "operator": "Exists"},
        {"key": "d", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"m": "1"}, "matchExpressions": expressions}
    assert selectors.selector_text(selector) == "m=1,a in (x,y),b notin (z),c,!d"
    assert selectors.matches_selector(selector, {"m": "1", "a": "x", "c": ""})
    assert not selectors.matches_selector(selector, {"m": "1", "a": "x", "b": "z", "c": ""})


@pytest.mark.parametrize(
    ("path", "namespace", "name", "subresource"),
    [
        ("/api/v1/pods", "", "", ""),
        ("/api/v1/namespaces/test", "", "test", ""),
        ("/api/v1/namespaces/test/status", "", "test", "status"),
        ("/api/v1/namespaces/test/finalize", "", "test", "finalize"),
        ("/api/v1/namespaces/test/pods", "test", "", ""),
        ("/api/v1/namespaces/test/pods/p/log", "test", "p", "log"),
        ("/apis/apps/v1/namespaces/test/deployments/d", "test", "d", ""),
    ],
)
def test_paths_name_their_target(path: str, namespace: str, name: str, subresource: str) -> None:
    target = parse_path(Catalog(), path)
    assert (target.namespace, target.name, target.subresource) == (namespace, name, subresource)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/apis/apps",
        "/api/v2/pods",
        "/api/v1/namespaces/a/nodes/n",
        "/api/v1/nodes/n/log",
        "/api/v1/a/b/c/d",
    ],
)
def test_paths_that_name_nothing_are_not_found(path: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_path(Catalog(), path)
    assert refused.value.status["code"] == 404


def message(*fields: tuple[int, bytes | int]) -> bytes:
    """A protobuf message of short fields."""
    parts = [
        bytes([n << 3 | 2, len(v)]) + v if isinstance(v, bytes) else bytes([n << 3, v]) for n, v in fields
    ]
    return b"".join(parts)


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + message((1, message((1, api_version.encode()), (2, kind.encode()))), (2, raw))


def test_a_protobuf_body_is_read_as_its_json_would_be() -> None:
    selector = message((1, message((1, b"app"), (2, b"web"))))
    surge = message((1, 1), (2, 0), (3, b"25%"))
    strategy = message((1, b"RollingUpdate"), (2, message((2, surge))))
    spec = message((1, 0), (2, selector), (4, strategy), (5, 0))
    metadata = message((1, b"web"), (3, b""), (7, 0), (8, b""))
    body = envelope("apps/v1", "Deployment", message((1, metadata), (2, spec)))
    rolling = {"maxSurge": "25%"}
    assert protobuf.decode(body) == {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        },
    }


def test_a_protobuf_volume_shows_its_source_inline() -> None:
    secret = message((6, message((1, b"certs"))))
    pod = message((2, message((1, message((1, b"v"), (2, secret))))))
    decoded = protobuf.decode(envelope("v1", "Pod", pod))
    assert decoded["spec"]["volumes"] == [{"name": "v", "secret": {"secretName": "certs"}}]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"k8s\x00\x0a\xff", envelope("v1", "NoSuchKind", b"")])
def test_protobuf_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        protobuf.decode(body)
    assert refused.value.status["code"] == 400


def test_the_table_of_types_is_that_of_the_installed_package() -> None:
    assert (typegen.FOLDER / "builtin_types.json").read_bytes() == typegen.render(typegen.collect_types())
