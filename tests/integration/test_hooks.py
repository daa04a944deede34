"""Hooks against receivers that answer, hang, lie and redirect."""

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from certs.authority import Subject, issue, make_authority
from controller.hooks import Answer, Hooks
from controller.observation import Failure
from shared.types.canary import Canary, Phase
from tests.builders import canary
from tests.integration.raw_http import Behaviour, Call, RawServer, hang, saying


def with_hook(url: str, phase: Phase = Phase.PROGRESSING, **hook: Any) -> Canary:
    described = {"name": "check", "type": "rollout", "url": url, "timeout": "300ms"} | hook
    return canary(phase, analysis={"webhooks": [described]})


async def call(
    url: str,
    *,
    tokens_file: str = "",
    phase: Phase = Phase.PROGRESSING,
    waits: list[float] | None = None,
    **hook: Any,
) -> Answer:
    """Call a hook; how long to wait between attempts is noted, not waited."""

    async def pause(seconds: float) -> None:
        assert waits is not None, "no retry was asked for"
        waits.append(seconds)

    of = with_hook(url, phase, **hook)
    async with Hooks(tokens_file, pause=pause) as hooks:
        return await hooks.call(of.spec.analysis.webhooks[0], of)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that nobody trusts."""
    now = datetime.now(tz=UTC)
    authority = make_authority("nobody's", now=now, lifetime=timedelta(days=1))
    pair = issue(authority, Subject("127.0.0.1", ("127.0.0.1",)), now=now, lifetime=timedelta(days=1))
    file = tmp_path / "pair.pem"
    file.write_bytes(pair.key + pair.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_hook_is_posted_what_flagger_posts() -> None:
    async with RawServer(saying()) as server:
        metadata = {"type": "cmd", "cmd": "hey"}
        assert await call(f"{server.url}/check?x=1", metadata=metadata) == Answer()
        (asked,) = server.calls
        assert asked.head.startswith("POST /check?x=1 HTTP/1.1\r\n")
        assert asked.header("Content-Type") == "application/json"
        body = orjson.loads(asked.body)
        assert len(body.pop("checksum")) == 16
        assert body == {"name": "podinfo", "namespace": "test", "phase": "Progressing", "metadata": metadata}


@pytest.mark.parametrize(
    ("kind", "phase", "told"),
    [
        ("pre-rollout", Phase.WAITING_PROMOTION, "Progressing"),
        ("confirm-rollout", Phase.SUCCEEDED, "Succeeded"),
        ("rollback", Phase.WAITING_PROMOTION, "WaitingPromotion"),
        ("post-rollout", Phase.FINALISING, "Succeeded"),
        ("post-rollout", Phase.PROGRESSING, "Failed"),
    ],
)
async def test_the_phase_is_the_one_that_the_hook_is_about(kind: str, phase: Phase, told: str) -> None:
    async with RawServer(saying()) as server:
        await call(server.url, type=kind, phase=phase)
        assert orjson.loads(server.calls[0].body)["phase"] == told


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
async def test_any_success_is_a_yes(status: int) -> None:
    async with RawServer(saying(status=status)) as server:
        assert await call(server.url) == Answer()


@pytest.mark.parametrize("status", [400, 403, 404, 500, 501, 503])
async def test_any_error_is_a_no_without_its_text(status: int) -> None:
    async with RawServer(saying(b"secret", status=status)) as server:
        answer = await call(f"{server.url}/path?token=s3cr3t")
        assert (answer.failure, answer.message) == (Failure.REFUSED, f"status {status} from {server.url}/")


async def test_redirects_are_not_followed() -> None:
    async with (
        RawServer(saying()) as other,
        RawServer(saying(status=307, headers=f"Location: {other.url}/\r\n")) as server,
    ):
        answer = await call(server.url)
        assert answer.message == f"status 307 from {server.url}/ (redirects are not followed)"
        assert other.calls == []


async def half_a_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-")
    await hang(call)


async def half_a_body(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsecret")
    await hang(call)


@pytest.mark.parametrize("behave", [hang, half_a_head, half_a_body])
async def test_a_receiver_that_hangs_is_given_the_hooks_timeout(behave: Behaviour) -> None:
    async with RawServer(behave) as server:
        began = time.monotonic()
        answer = await call(server.url)
        assert time.monotonic() - began < 1
        assert (answer.failure, answer.message) == (
            Failure.UNAVAILABLE,
            f"no answer from {server.url}/ within 0.3s",
        )


async def hang_up(call: Call) -> None:
    call.close()


async def cut_short(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsecret")
    call.close()


async def no_http(call: Call) -> None:
    await call.send(b"secret\r\n\r\n")
    call.close()


@pytest.mark.parametrize("behave", [hang_up, cut_short, no_http])
async def test_a_receiver_that_breaks_off_has_not_said_yes(behave: Behaviour) -> None:
    async with RawServer(behave) as server:
        answer = await call(server.url)
        assert answer.failure is Failure.UNAVAILABLE
        assert answer.message.startswith(f"no answer from {server.url}/: ")
        assert "secret" not in answer.message


async def test_a_receiver_that_is_not_there_is_named_with_the_reason() -> None:
    async with RawServer(hang) as server:
        pass
    answer = await call(server.url)
    assert answer.message == f"no answer from {server.url}/: Connection refused"


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless(call: Call) -> None:
        nonlocal sent
        await call.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += 65536
            await call.send(b" " * 65536)

    async with RawServer(endless) as server:
        assert await call(server.url) == Answer()
    assert sent < 32 << 20


async def test_retries_are_made_while_the_receiver_may_recover() -> None:
    waits: list[float] = []
    statuses = iter([500, 429, 200])

    async def behave(call: Call) -> None:
        await call.answer(status=next(statuses))

    async with RawServer(behave) as server:
        assert await call(server.url, retries=5, waits=waits) == Answer()
        assert len(server.calls) == 3
    assert waits == [1.0, 2.0]


async def test_retries_end() -> None:
    async with RawServer(saying(status=503)) as server:
        assert (await call(server.url, retries=2, waits=[])).message == f"status 503 from {server.url}/"
        assert len(server.calls) == 3


@pytest.mark.parametrize("status", [400, 403, 501, 302])
async def test_a_final_answer_is_not_asked_for_again(status: int) -> None:
    async with RawServer(saying(status=status)) as server:
        assert (await call(server.url, retries=2)).failure is Failure.REFUSED
        assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("asked", "waited"), [("3", 3.0), ("0", 0.0), ("3600", 30.0), ("soon", 1.0), ("-1", 1.0)]
)
async def test_the_receiver_may_say_when_to_come_back(asked: str, waited: float) -> None:
    waits: list[float] = []
    async with RawServer(saying(status=503, headers=f"Retry-After: {asked}\r\n")) as server:
        await call(server.url, retries=1, waits=waits)
    assert waits == [waited]


async def test_a_token_goes_to_its_origin_and_nowhere_else(tmp_path: Path) -> None:
    async with RawServer(saying()) as ours, RawServer(saying()) as theirs:
        file = tmp_path / "tokens"
        file.write_bytes(orjson.dumps({ours.url: "s3cr3t"}))
        for url in (f"{ours.url}/a", theirs.url, ours.url.replace("127.0.0.1", "localhost")):
            await call(url, tokens_file=str(file))
        assert [one.header("Authorization") for one in ours.calls] == ["Bearer s3cr3t", None]
        assert [one.header("Authorization") for one in theirs.calls] == [None]


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with RawServer(saying()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "localhost")
        assert await call("http://flagger-loadtester.test/") == Answer()
        assert proxy.calls[0].target == "http://flagger-loadtester.test/"


async def test_a_receiver_that_hangs_holds_up_only_its_own_callers() -> None:
    async with RawServer(hang) as slow, RawServer(saying()) as well, Hooks() as hooks:
        stuck_of, well_of = with_hook(slow.url), with_hook(well.url)
        stuck = [
            asyncio.create_task(hooks.call(stuck_of.spec.analysis.webhooks[0], stuck_of)) for _ in range(100)
        ]
        await asyncio.sleep(0)
        began = time.monotonic()
        assert await hooks.call(well_of.spec.analysis.webhooks[0], well_of) == Answer()
        assert time.monotonic() - began < 0.2
        await slow.asked(32)
        assert len(slow.calls) == 32
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


@pytest.mark.parametrize(("disable_tls", "failure"), [("false", Failure.UNAVAILABLE), ("true", None)])
async def test_certificates_are_verified_unless_the_hook_says_not_to(
    tls: ssl.SSLContext, disable_tls: str, failure: Failure | None
) -> None:
    async with RawServer(saying(), tls=tls) as server:
        assert (await call(server.url, disableTLS=disable_tls == "true")).failure is failure
