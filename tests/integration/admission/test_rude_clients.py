"""Clients that are slow, many, broken or hostile: others are answered all the same."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from admission import server as http
from shared.cluster import Cluster
from tests.integration.admission.webhooks import Webhooks, knows, webhooks
from tests.integration.scripted import Server
from tests.wire_reviews import review

HEAD = b"POST /validate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
REVIEW = orjson.dumps(review("DELETE", old={}))


def whole(body: bytes, *headers: bytes) -> bytes:
    """A request with a body."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return HEAD + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def statuses(asked: Webhooks, sent: bytes) -> list[int]:
    """Of all answers to these bytes, until the server hangs up."""
    reader, writer = await asked.connect()
    writer.write(sent)
    received = await reader.read()
    writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


@pytest.fixture
async def narrow(cluster: Cluster, server: Server, tmp_path: Path) -> AsyncIterator[Webhooks]:
    """Webhooks that take three connections at a time, which may be silent for a moment."""
    knows(server)
    async with webhooks(cluster, tmp_path, most=3, silent=0.05) as running:
        yield running


async def test_requests_in_a_row_without_waiting_are_all_answered(asked: Webhooks) -> None:
    last = whole(REVIEW, b"Connection: close")
    assert await statuses(asked, whole(REVIEW) * 4 + last) == [200] * 5


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 9" + b"9" * 30 + b"\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        whole(REVIEW, b"Content-Encoding: gzip"),
        b"GET /validate HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_webhook_call_is_refused_and_the_connection_closed(
    asked: Webhooks, sent: bytes
) -> None:
    answers = await statuses(asked, sent)
    assert len(answers) == 1
    assert 400 <= answers[0] < 500
    assert (await asked.ask(REVIEW))[0] == 200


async def test_a_silent_connection_is_cut_and_a_busy_one_is_not(narrow: Webhooks) -> None:
    reader, writer = await narrow.connect()
    assert await reader.read() == b""
    writer.close()
    reader, writer = await narrow.connect()
    writer.write(b"POST /val")
    assert await reader.read() == b""
    writer.close()
    assert (await narrow.ask(REVIEW))[0] == 200
    await asyncio.sleep(0.1)
    assert (await narrow.ask(REVIEW))[0] == 200
    assert len(narrow.session.connector._conns) == 1  # type: ignore[union-attr] # the same one, all the time


async def test_a_body_that_does_not_come_ends_with_a_timeout(
    asked: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.05)
    assert await statuses(asked, HEAD + b"Content-Length: 100\r\n\r\n{") == [408]


async def test_a_client_that_hangs_up_in_the_middle_of_a_body_is_no_bug(asked: Webhooks) -> None:
    reader, writer = await asked.connect()
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()
    assert (await asked.ask(REVIEW))[0] == 200
    assert 'outcome="error"' not in asked.metrics()
    assert reader is not None


async def test_more_connections_than_allowed_wait_for_their_turn(narrow: Webhooks) -> None:
    answers = await asyncio.gather(
        *(statuses(narrow, whole(REVIEW, b"Connection: close")) for _ in range(12))
    )
    assert answers == [[200]] * 12


async def test_silent_connections_over_the_cap_do_not_keep_others_out(narrow: Webhooks) -> None:
    silent = [asyncio.open_connection("127.0.0.1", narrow.port) for _ in range(9)]
    writers = [writer for _, writer in await asyncio.gather(*silent)]
    for writer in writers:
        writer.transport.abort()
    assert (await narrow.ask(REVIEW))[0] == 200


async def test_who_speaks_no_tls_or_an_old_one_gets_no_further(asked: Webhooks) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", asked.port)
    writer.write(whole(REVIEW))
    assert not (await reader.read()).startswith(b"HTTP")
    writer.close()
    assert (await asked.ask(REVIEW))[0] == 200


async def test_two_hundred_connections_at_once_are_all_answered(asked: Webhooks) -> None:
    sent = whole(REVIEW, b"Connection: close")
    answers = await asyncio.gather(*(statuses(asked, sent) for _ in range(200)))
    assert answers == [[200]] * 200


async def test_who_leaves_sends_clients_away_but_answers_them(asked: Webhooks) -> None:
    assert (await asked.ask(REVIEW))[0] == 200
    await asked.listener.leave(0)
    # The answer to a request on a kept connection, and to one on a new connection, says to go elsewhere.
    for _ in range(2):
        async with asked.session.post(
            asked.url + "/validate", data=REVIEW, headers={"Content-Type": "application/json"}
        ) as response:
            assert response.status == 200
            assert response.headers["Connection"] == "close"


async def test_a_request_under_way_is_finished_before_the_end(asked: Webhooks) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def meanwhile() -> None:
        began.set()
        await go_on.wait()

    asked.gatherer.meanwhile = meanwhile
    answer = asyncio.create_task(asked.ask(review("CREATE", plural="canaries")))
    await began.wait()
    stopping = asyncio.create_task(asked.listener.stop())
    await asyncio.sleep(0)
    go_on.set()
    assert (await answer)[0] == 200
    await stopping
