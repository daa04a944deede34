"""The Prometheus client against servers that are slow, hostile or broken: bounds hold, nothing leaks."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.metrics.prometheus import MAX_BODY, Prometheus
from controller.metrics.source import Source
from shared.errors import ManySeries, MetricsUnavailable, NoData
from tests.integration.raw_http import Behaviour, Call, RawServer, hang, saying

DEADLINE = 0.4


def answer(value: str = "1") -> bytes:
    return (
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%f,"%s"]}]}}'
        % (time.time(), value.encode())
    )


@pytest.fixture
async def prometheus() -> AsyncIterator[Prometheus]:
    client = Prometheus(deadline=DEADLINE)
    yield client
    await client.close()


async def refusal(prometheus: Prometheus, source: Source, query: str = "up") -> str:
    """The text of MetricsUnavailable, which has to come in time."""
    began = time.monotonic()
    with pytest.raises(MetricsUnavailable) as refused:
        await prometheus.query(source, query)
    assert time.monotonic() - began < DEADLINE + 0.3
    return str(refused.value)


async def test_the_value_of_a_query_is_asked_for_by_path_and_parameter(prometheus: Prometheus) -> None:
    async with RawServer(saying(answer("53.4"))) as server:
        assert await prometheus.query(Source(f"{server.url}/prefix/"), "up == 1") == 53.4
        assert server.calls[0].target == "/prefix/api/v1/query?query=up+%3D%3D+1"
        assert server.calls[0].header("User-Agent") == "pinfeather"


async def drip(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await call.send(b" ")
        await asyncio.sleep(0.02)


async def endless(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await call.send(b" " * 65536)


async def cut_short(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsecret")
    call.close()


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        (hang, f"no answer within {DEADLINE:g}s"),
        (drip, f"no answer within {DEADLINE:g}s"),
        (endless, f"the answer is larger than {MAX_BODY} bytes"),
        (saying(b" " * (MAX_BODY + 1)), f"the answer is larger than {MAX_BODY} bytes"),
        (
            saying(gzip.compress(b" " * 100 * MAX_BODY), headers="Content-Encoding: gzip\r\n"),
            f"the answer is larger than {MAX_BODY} bytes",
        ),
        (cut_short, "ChunkedEncodingError"),
        (saying(b"<html>secret</html>"), "status 200"),
        (saying(b"secret", status=503), "status 503"),
        (
            saying(b'{"status":"error","error":"too many samples"}', status=422),
            "status 422: too many samples",
        ),
        (saying(b"secret", headers="Content-Encoding: gzip\r\n"), "ContentDecodingError"),
    ],
    ids=["hangs", "drips", "never ends", "too large", "gzip bomb", "cut", "html", "503", "422", "no gzip"],
)
async def test_bad_servers_cost_neither_time_nor_memory_nor_secrets(
    prometheus: Prometheus, behave: Behaviour, why: str
) -> None:
    async with RawServer(behave) as server:
        assert await refusal(prometheus, Source(server.url)) == f"{server.url}: {why}"


async def test_a_server_that_is_not_there_is_named_with_the_reason(prometheus: Prometheus) -> None:
    async with RawServer(hang) as server:
        pass
    assert await refusal(prometheus, Source(server.url)) == f"{server.url}: Connection refused"


async def test_credentials_in_an_address_are_used_and_never_told(prometheus: Prometheus) -> None:
    async with RawServer(saying(b"", status=401)) as server:
        address = server.url.replace("http://", "http://me:s3cr3t@")
        text = await refusal(prometheus, Source(address))
        assert text == f"{server.url}: status 401"
        assert server.calls[0].header("Authorization") == "Basic bWU6czNjcjN0"


async def test_redirects_are_not_followed(prometheus: Prometheus) -> None:
    async with (
        RawServer(saying(answer())) as other,
        RawServer(saying(status=302, headers=f"Location: {other.url}/\r\n")) as server,
    ):
        assert "status 302" in await refusal(prometheus, Source(server.url))
        assert other.calls == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"secret": (("token", "t0k"),)}, "Bearer t0k"),
        ({"secret": (("password", "p"), ("username", "u"))}, "Basic dTpw"),
        ({"secret": (("token", "t0k"),), "headers": (("authorization", "mine"),)}, "Bearer t0k"),
        ({"headers": (("Authorization", "mine"),)}, "mine"),
        ({}, None),
    ],
)
async def test_credentials_of_the_secret_are_sent(
    prometheus: Prometheus, source: dict[str, Any], expected: str | None
) -> None:
    async with RawServer(saying(answer())) as server:
        for query in ("a", "b"):
            await prometheus.query(Source(server.url, **source), query)
        assert [call.header("Authorization") for call in server.calls] == [expected, expected]


async def test_cookies_are_not_kept(prometheus: Prometheus) -> None:
    async with RawServer(saying(answer(), headers="Set-Cookie: a=b\r\n")) as server:
        for query in ("a", "b"):
            await prometheus.query(Source(server.url), query)
        assert [call.header("Cookie") for call in server.calls] == [None, None]


async def test_one_connection_serves_one_query_after_another(prometheus: Prometheus) -> None:
    async with RawServer(saying(answer())) as server:
        for query in "abcde":
            await prometheus.query(Source(server.url), query)
        assert (len(server.calls), server.connections) == (5, 1)


async def test_the_same_question_is_asked_once_for_all_who_ask_it(prometheus: Prometheus) -> None:
    async with RawServer(saying(answer("7"))) as server:
        source = Source(server.url)
        assert await asyncio.gather(*(prometheus.query(source, "up") for _ in range(50))) == [7.0] * 50
        assert await prometheus.query(source, "up") == 7.0
        assert len(server.calls) == 1
        await prometheus.query(source, "down")
        await prometheus.query(Source(server.url, secret=(("token", "t"),)), "up")
        assert len(server.calls) == 3


async def test_a_failure_is_not_remembered(prometheus: Prometheus) -> None:
    async with RawServer(saying(b"", status=503)) as server:
        for _ in range(2):
            await refusal(prometheus, Source(server.url))
        assert len(server.calls) == 2


async def test_who_gives_up_does_not_take_the_answer_from_others(prometheus: Prometheus) -> None:
    release = asyncio.Event()

    async def behave(call: Call) -> None:
        await release.wait()
        await call.answer(answer("7"))

    async with RawServer(behave) as server:
        first = asyncio.create_task(prometheus.query(Source(server.url), "up"))
        second = asyncio.create_task(prometheus.query(Source(server.url), "up"))
        await server.asked(1)
        first.cancel()
        release.set()
        assert await second == 7.0


async def test_a_server_that_hangs_holds_up_nobody_else(prometheus: Prometheus) -> None:
    async with RawServer(hang) as slow, RawServer(saying(answer())) as well:
        stuck = [asyncio.create_task(prometheus.query(Source(slow.url), f"q{n}")) for n in range(200)]
        await asyncio.sleep(0)
        began = time.monotonic()
        assert await prometheus.query(Source(well.url), "up") == 1.0
        assert time.monotonic() - began < 0.2
        failures = await asyncio.gather(*stuck, return_exceptions=True)
        assert all(isinstance(failure, MetricsUnavailable) for failure in failures)
        assert time.monotonic() - began < DEADLINE + 0.3
        assert len(slow.calls) <= 8


async def test_the_environments_proxy_is_used(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer(saying(answer("3"))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "localhost")
        assert await prometheus.query(Source("http://flagger-prometheus.traefik:9090"), "up") == 3.0
        assert proxy.calls[0].target.startswith("http://flagger-prometheus.traefik:9090/api/v1/query?")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"status":"success","data":{"resultType":"vector","result":[]}}', NoData),
        (b'{"status":"success","data":{"resultType":"string","result":[1,"5"]}}', NoData),
        (b'{"status":"success","data":{"resultType":"vector","result":[{},{}]}}', ManySeries),
    ],
)
async def test_what_is_no_single_value_keeps_its_kind(
    prometheus: Prometheus, body: bytes, error: type[Exception]
) -> None:
    async with RawServer(saying(body)) as server:
        with pytest.raises(error):
            await prometheus.query(Source(server.url), "up")
