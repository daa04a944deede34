"""What may come back from Prometheus, and from what only says that it is one."""

from typing import Any

import orjson
import pytest

from controller.metrics.answer import check_response, single_value
from shared.errors import ManySeries, MetricsUnavailable, NoData

NOW = 1_000_000.0


def vector(*samples: dict[str, Any]) -> bytes:
    return orjson.dumps({"status": "success", "data": {"resultType": "vector", "result": list(samples)}})


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ([{"metric": {}, "value": [NOW, "53.4"]}], 53.4),
        ([NOW, "1"], 1.0),
        ([{"value": [NOW - 299, "0"]}], 0.0),
        ([{"value": [NOW + 10, "-1e3"]}], -1000.0),
    ],
    ids=["vector", "scalar", "almost stale", "from a clock that is ahead"],
)
def test_one_finite_number_is_the_value(result: list[Any], value: float) -> None:
    assert single_value(result, NOW) == value


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ([], "no values found"),
        ([{"value": [NOW, "NaN"]}], "the value is nan"),
        ([{"value": [NOW, "+Inf"]}], "the value is inf"),
        ([{"value": [NOW, "-Inf"]}], "the value is -inf"),
        ([NOW, "NaN"], "the value is nan"),
        ([{"value": [NOW - 301, "1"]}], "the sample is 301s old"),
        ([{"metric": {}, "histogram": [NOW, {"count": "1"}]}], "native histogram"),
        ([{"metric": {}}], "no number"),
        ([{"value": []}], "no number"),
        ([{"value": [NOW]}], "no number"),
        ([{"value": [NOW, 5]}], "no number"),
        ([{"value": ["then", "5"]}], "no number"),
        ([{"value": [NOW, "five"]}], "no number"),
        ([{"value": {"0": 1}}], "no number"),
        (["x"], "no number"),
        ([None, None], "no number"),
    ],
)
def test_anything_but_a_fresh_finite_number_is_no_data(result: list[Any], why: str) -> None:
    with pytest.raises(NoData, match=why):
        single_value(result, NOW)


def test_several_series_are_never_chosen_from() -> None:
    with pytest.raises(ManySeries, match="returns 2 series; aggregate"):
        single_value([{"value": [NOW, "1"]}, {"value": [NOW, "2"]}], NOW)


def test_a_successful_vector_or_scalar_is_let_in() -> None:
    check_response("http://p", 200, vector())
    check_response(
        "http://p", 200, orjson.dumps({"status": "success", "data": {"resultType": "scalar", "result": []}})
    )


@pytest.mark.parametrize("kind", ["matrix", "string", None, 5])
def test_other_types_have_no_single_value(kind: object) -> None:
    body = orjson.dumps({"status": "success", "data": {"resultType": kind, "result": []}})
    with pytest.raises(NoData, match="instant vector or a scalar"):
        check_response("http://p", 200, body)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            400,
            b'{"status":"error","error":"parse error at char 3"}',
            "http://p: status 400: parse error at char 3",
        ),
        (200, b'{"status":"error","error":"timeout"}', "http://p: status 200: timeout"),
        (500, b"<html>secret internals</html>", "http://p: status 500"),
        (302, b"", "http://p: status 302"),
        (200, b"secret", "http://p: status 200"),
        (200, b"[]", "http://p: status 200"),
        (200, b'{"status":"success"}', "http://p: the answer is not that of a Prometheus"),
        (
            200,
            b'{"status":"success","data":{"result":5}}',
            "http://p: the answer is not that of a Prometheus",
        ),
        (400, b'{"error":{"secret":1}}', "http://p: status 400"),
    ],
)
def test_refusals_are_told_without_the_body(status: int, body: bytes, message: str) -> None:
    with pytest.raises(MetricsUnavailable) as refused:
        check_response("http://p", status, body)
    assert str(refused.value) == message


def test_prometheus_own_error_is_cut_and_printable() -> None:
    body = orjson.dumps({"status": "error", "error": "a\n\x1b[31m" + "x" * 500})
    with pytest.raises(MetricsUnavailable) as refused:
        check_response("http://p", 422, body)
    assert str(refused.value) == "http://p: status 422: a  [31m" + "x" * (200 - len("a\n\x1b[31m"))
