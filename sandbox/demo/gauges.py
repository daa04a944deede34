"""Success rate and P99 of primary and canary, from Prometheus, once a second.

Run by `play`. For the eye only: nothing is decided by it.
"""

import asyncio
import math
from typing import Any

import aiohttp

from sandbox.demo.scenarios import CANARY, NAMESPACE
from sandbox.demo.show import Gauge, Show

PROMETHEUS = "http://flagger-prometheus.traefik:9090/api/v1/query"
PERIOD = 1.0
TIMEOUT = 2.0
SERVICES = f'service=~"{NAMESPACE}-{CANARY}-(primary|canary)-.*"'
Values = dict[str, float]


def success_rate(window: int) -> str:
    """The query for percents of requests that are not answered with 5xx, over the window in seconds."""
    good = f'sum by (service) (rate(traefik_service_requests_total{{{SERVICES},code!~"5.."}}[{window}s]))'
    every = f"sum by (service) (rate(traefik_service_requests_total{{{SERVICES}}}[{window}s]))"
    return f"({good} or 0 * {every}) / ({every} > 0) * 100"


def p99(window: int) -> str:
    """The query for milliseconds within which 99 of 100 requests are answered."""
    buckets = f"rate(traefik_service_request_duration_seconds_bucket{{{SERVICES}}}[{window}s])"
    return f"histogram_quantile(0.99, sum by (service, le) ({buckets})) * 1000"


async def follow(proxy_url: str, window: int, show: Show) -> None:
    """Keep the show's gauges fresh; ends by cancellation."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:

        async def ask(query: str) -> Values:
            async with session.get(PROMETHEUS, params={"query": query}, proxy=proxy_url) as answer:
                return values(await answer.json())

        while True:
            try:
                rates, times = await asyncio.gather(ask(success_rate(window)), ask(p99(window)))
            except (aiohttp.ClientError, TimeoutError, ValueError):
                rates, times = {}, {}  # a dash on the view says that there is no value
            show.gauges = {name: Gauge(rates.get(name), times.get(name)) for name in ("primary", "canary")}
            await asyncio.sleep(PERIOD)


def values(answer: Any) -> Values:
    """The value of `primary` and of `canary` in Prometheus' answer to an instant query, where they have one.

    Raises ValueError when the answer is none.
    """
    try:
        pairs = [(each["metric"]["service"], float(each["value"][1])) for each in answer["data"]["result"]]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("this is not a vector") from error
    named = ((name.removeprefix(f"{NAMESPACE}-{CANARY}-").partition("-")[0], value) for name, value in pairs)
    return {name: value for name, value in named if not math.isnan(value)}
