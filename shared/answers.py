"""What the API server's bytes mean: answers and watch lines become JSON or one of our errors.

Used by shared/cluster.py alone, which is where bytes come from. Apart because reading must be safe against
anything: huge bodies, half lines, answers of proxies that are not JSON.
"""

from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus

import aiohttp
import orjson

from shared import errors
from shared.types.meta import Json

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer or one watch line. The API server stores at most 1.5 MiB an object; a page has 500."""
LONGEST_MESSAGE = 512
"""Characters kept of what the server says is wrong: it goes into logs, events and conditions."""
DEFAULT_REST = 1.0
"""Seconds of rest after a 429 that names none."""


async def read_body(content: aiohttp.StreamReader) -> bytes:
    """The whole body.

    Raises:
        ClusterUnavailable: it is larger than any honest answer.
    """
    parts, size = [], 0
    async for part in content.iter_any():
        size += len(part)
        if size > LARGEST_ANSWER:
            raise errors.ClusterUnavailable(f"the answer is larger than {LARGEST_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


async def lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    """Complete lines of any length up to the limit. A half line at the end of the stream is dropped."""
    held: list[bytes] = []
    size = 0
    async for part in content.iter_any():
        *complete, rest = part.split(b"\n")
        for line in complete:
            whole = b"".join((*held, line))
            held, size = [], 0
            if whole.strip():
                yield whole
        size += len(rest)
        if size > LARGEST_ANSWER:
            raise errors.ClusterUnavailable(f"a watch line is larger than {LARGEST_ANSWER} bytes")
        held.append(rest)


def read_event(line: bytes, what: str) -> tuple[str, Json]:
    """One watch line as (type, object).

    Raises:
        Gone: the line cannot be read, so the place in the stream is lost; or it says 410.
        ClusterError: the line is another error of the server's.
    """
    try:
        event = orjson.loads(line)
        kind, body = event["type"], event["object"]
    except (ValueError, TypeError, KeyError) as error:
        raise errors.Gone(f"{what}: the watch sent a line that is no event") from error
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise errors.Gone(f"{what}: the watch sent a line that is no event")
    if kind == "ERROR":
        code = body.get("code")
        raise refusal(code if isinstance(code, int) else 500, body, what)
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get(
        "resourceVersion" if kind == "BOOKMARK" else "name"
    ):
        raise errors.Gone(f"{what}: the watch sent an object without metadata")
    return kind, body


def parse(body: bytes, what: str) -> Json:
    """A JSON object.

    Raises:
        ClusterUnavailable: it is something else, so whoever answered is not an API server.
    """
    try:
        parsed = orjson.loads(body)
    except ValueError as error:
        raise errors.ClusterUnavailable(f"{what}: the answer is not JSON") from error
    if not isinstance(parsed, dict):
        raise errors.ClusterUnavailable(f"{what}: the answer is not a JSON object")
    return parsed


def status_of(body: bytes) -> Json:
    """The Status object of a refused request; of any other text, a Status with it as message."""
    try:
        parsed = orjson.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return {"message": body[:LONGEST_MESSAGE].decode(errors="replace")}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of the Retry-After header; dates, which API servers do not send, count as none."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else None


def refusal(code: int, status: Json, what: str, rest: float | None = None) -> errors.ClusterError:
    """The error for an HTTP status, by status code alone (409 also by reason: the code has two meanings)."""
    said = " ".join(str(status.get("message") or status.get("reason") or "no reason given").split())
    message = f"{what}: {said[:LONGEST_MESSAGE]} (status {code})"
    match code:
        case 401 | 403:
            return errors.Forbidden(message)
        case 404:
            return errors.NotFound(message)
        case 409 if status.get("reason") == "AlreadyExists":
            return errors.AlreadyExists(message)
        case 409:
            return errors.Conflict(message)
        case 410:
            return errors.Gone(message)
        case 400 | 405 | 406 | 413 | 415 | 422:
            return errors.Invalid(message)
        case 429:
            return errors.Throttled(message, DEFAULT_REST if rest is None else rest)
        case _ if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return errors.ClusterUnavailable(message)
        case _:
            return errors.ClusterError(message)
