"""What Prometheus answers to an instant query, read with suspicion: one finite number or an error. Pure.

Apart from prometheus.py because nothing here does I/O, and every malformed answer wants its test.
"""

import math
from typing import Any

import orjson

from shared.errors import ManySeries, MetricsUnavailable, NoData

STALE_AFTER = 300.0
"""Seconds. Prometheus itself looks back no further; an older sample comes from a cache on the way."""
_OK = 200
_LONGEST_ERROR = 200
_PAIR = 2


def check_response(origin: str, status: int, body: bytes) -> None:
    """Refuse any answer but a successful one with a vector or a scalar.

    Raises:
        MetricsUnavailable: the server reports an error, or is no Prometheus.
        NoData: the result is of a type that has no single current value.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        payload = None
    answer = payload if isinstance(payload, dict) else {}
    if status != _OK or answer.get("status") != "success":
        raise MetricsUnavailable(f"{origin}: status {status}{_error(answer)}")
    data = answer.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("result"), list):
        raise MetricsUnavailable(f"{origin}: the answer is not that of a Prometheus")
    if data.get("resultType") not in ("vector", "scalar"):
        raise NoData("the query must return an instant vector or a scalar")


def single_value(result: list[Any], now: float) -> float:
    """The value of a `result` that passed `check_response`; `now` is in Unix seconds.

    Raises:
        NoData: there is none, or it is not a finite number, or it is stale.
        ManySeries: there are several.
    """
    if not result:
        raise NoData("no values found")
    if len(result) == _PAIR and not isinstance(result[0], dict):
        return _value(result, now)
    if len(result) > 1:
        raise ManySeries(
            f"the query returns {len(result)} series; aggregate it to one, for example with sum()"
        )
    sample = result[0]
    if isinstance(sample, dict) and "histogram" in sample and "value" not in sample:
        raise NoData("the query returns a native histogram; wrap it, for example in histogram_quantile()")
    return _value(sample.get("value") if isinstance(sample, dict) else None, now)


def _value(pair: object, now: float) -> float:
    at, text = pair if isinstance(pair, list) and len(pair) == _PAIR else (None, None)
    if not isinstance(at, int | float) or not isinstance(text, str):
        raise NoData("the sample is no number")
    try:
        value = float(text)
    except ValueError:
        raise NoData("the sample is no number") from None
    if not math.isfinite(value):
        raise NoData(f"the value is {value}")
    if now - at > STALE_AFTER:
        raise NoData(f"the sample is {now - at:.0f}s old")
    return value


def _error(answer: dict[str, Any]) -> str:
    """Prometheus' own words, as printable text of bounded length."""
    error = answer.get("error")
    if not isinstance(error, str) or not error:
        return ""
    printable = "".join(char if char.isprintable() else " " for char in error[:_LONGEST_ERROR])
    return f": {printable}"
