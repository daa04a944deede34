"""What podinfo answers to which path."""

import json
from typing import Any

import pytest

from sandbox.podinfo.faults import Faults
from sandbox.podinfo.http import BadRequest, parse_head, render
from sandbox.podinfo.routes import App, Request, Response


async def ask(path: str, faults: Faults | None = None, method: str = "GET") -> tuple[int, Any]:
    app = App("6.0.1", "podinfo-1", faults or Faults())
    response = await app.answer(Request(method, path, b""))
    return response.status, json.loads(response.body)


async def test_the_front_page_tells_version_and_pod() -> None:
    expected = {"hostname": "podinfo-1", "version": "6.0.1", "message": "greetings from podinfo"}
    assert await ask("/") == (200, expected)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/version", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/token", 200),
        ("/delay/0", 200),
        ("/status/200", 200),
        ("/status/404", 404),
        ("/status/500", 500),
        ("/status/100", 400),
        ("/status/600", 400),
        ("/status/x", 400),
        ("/delay/-1", 400),
        ("/delay/61", 400),
        ("/delay/x", 400),
        ("/nothing", 404),
    ],
)
async def test_paths_answer_with_their_status(path: str, status: int) -> None:
    assert (await ask(path))[0] == status


async def test_a_token_is_given_to_posts() -> None:
    assert "token" in (await ask("/token", method="POST"))[1]


@pytest.mark.parametrize(("faults", "status"), [(Faults(error=100), 500), (Faults(notfound=100), 404)])
async def test_faults_spare_the_probes(faults: Faults, status: int) -> None:
    assert (await ask("/", faults))[0] == status
    assert (await ask("/healthz", faults))[0] == (await ask("/readyz", faults))[0] == 200


async def test_an_unready_release_is_alive() -> None:
    assert (await ask("/readyz", Faults(unready=True)))[0] == 503
    assert (await ask("/healthz", Faults(unready=True)))[0] == 200


def test_a_head_is_parsed() -> None:
    head = parse_head(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Two:  2 \r\n\r\n")
    assert (head.method, head.target, head.headers) == ("GET", "/a?b=c", {"host": "x", "x-two": "2"})


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [("1.1", "", True), ("1.1", "close", False), ("1.0", "", False), ("1.0", "Keep-Alive", True)],
)
def test_connections_are_kept_as_the_version_says(version: str, connection: str, kept: bool) -> None:  # noqa: FBT001 - a test's parameter
    head = parse_head(f"GET / HTTP/{version}\r\nConnection: {connection}\r\n\r\n".encode())
    assert head.keep_alive is kept


@pytest.mark.parametrize(
    "raw", [b"GET /\r\n\r\n", b"GET / FTP/1\r\n\r\n", b"GET / HTTP/1.1\r\nno-colon\r\n\r\n"]
)
def test_a_head_that_makes_no_sense_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_head(raw)


def test_an_answer_to_head_has_the_length_but_not_the_body() -> None:
    rendered = render(Response(200, b"hello"), head_only=True, keep_alive=True)
    assert b"Content-Length: 5\r\n" in rendered
    assert rendered.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_name_no_length(status: int) -> None:
    rendered = render(Response(status, b"hello"), head_only=False, keep_alive=True)
    assert b"Content-Length" not in rendered
    assert rendered.endswith(b"\r\n\r\n")
