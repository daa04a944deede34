"""Hooks: one webhook of a Canary, called over HTTP, answered by yes or by why not.

`controller.rounds` calls it. The only module of the controller that is an HTTP client by itself.

    Webhook ─► payload ─► POST ─► 2xx ─► yes
                  ▲         ├───► 429, 5xx, no connection ─► again, as `retries` allows
                  └─────────┘     anything else ─► no

The receiver is not trusted: its answer is a status code. No byte of a body reaches a message, redirects are
not followed, and a token goes to the origin that it was given for and to no other.
"""

import asyncio
import hashlib
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
import orjson
from yarl import URL

from controller.bulkhead import Bulkhead
from controller.hook_tokens import load_tokens
from controller.observation import Failure
from shared.names import FIELD_MANAGER
from shared.types.canary import Canary, HookType, Phase, Webhook
from shared.types.meta import Json

MAX_READ = 1024
"""Bytes of an answer that are read, so that the connection can be used again. They are not looked at."""
_PER_ORIGIN = 32
_CONNECTIONS = 512
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds between attempts
_RETRIED = {429, *range(500, 600)} - {501}  # 501: it never will
_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)
_ALWAYS_PROGRESSING = frozenset(
    (HookType.PRE_ROLLOUT, HookType.ROLLOUT, HookType.CONFIRM_TRAFFIC_INCREASE, HookType.CONFIRM_PROMOTION)
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes, or the failure and its text. `retry_after` is what the receiver asked for, in seconds."""

    failure: Failure | None = None
    message: str = ""
    again: bool = False
    retry_after: float | None = None


class Hooks:
    """Calls the hooks of every Canary, over connections that are shared. To be used with `async with`.

    Raises:
        ConfigError: the file of tokens is unusable.
    """

    def __init__(
        self,
        tokens_file: str = "",
        event_webhook: str = "",
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.event_webhook = event_webhook
        """URL that is told every event of Canaries without an event hook of their own; empty: none."""
        self._tokens: Mapping[str, str] = load_tokens(tokens_file)
        self._pause = pause
        self._bulkhead = Bulkhead(_PER_ORIGIN)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": FIELD_MANAGER, "Content-Type": "application/json"},
            auto_decompress=False,
            trust_env=True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, hook: Webhook, canary: Canary, about: Mapping[str, str] | None = None) -> Answer:
        """Call one hook, with its retries. `about` is metadata of ours, which wins over the hook's."""
        url = URL(hook.url)
        if url.host is None or url.scheme not in ("http", "https"):
            return Answer(Failure.UNAVAILABLE, "the url must be absolute and http or https")
        body = orjson.dumps(payload(hook, canary, about or {}))
        async with self._bulkhead.slot(str(url.origin())):
            wait = _FIRST_WAIT
            for _ in range(hook.retries):
                answer = await self._attempt(url, body, hook)
                if not answer.again:
                    return answer
                asked = wait if answer.retry_after is None else answer.retry_after
                await self._pause(min(asked, _LONGEST_WAIT))
                wait *= 2
            return await self._attempt(url, body, hook)

    async def _attempt(self, url: URL, body: bytes, hook: Webhook) -> Answer:
        assert self._session is not None  # entered before it is handed to anyone
        origin, timeout = str(url.origin()), hook.timeout.total_seconds()
        token = self._tokens.get(origin)
        try:
            async with self._session.post(
                url,
                data=body,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                allow_redirects=False,
                ssl=not hook.disable_tls,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                await _skim(response)
                return _answer(response, origin)
        except TimeoutError:
            return Answer(Failure.UNAVAILABLE, f"no answer from {origin}/ within {timeout:g}s", again=True)
        except aiohttp.InvalidURL:
            return Answer(Failure.UNAVAILABLE, "the url is not valid")
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            return Answer(Failure.UNAVAILABLE, f"no answer from {origin}/: {_cause(error)}", again=True)


def payload(hook: Webhook, canary: Canary, about: Mapping[str, str]) -> Json:
    """What a hook is sent, as Flagger sends it."""
    return {
        "name": canary.metadata.name,
        "namespace": canary.metadata.namespace,
        "phase": _phase(hook.type, canary),
        "checksum": checksum(canary),
        "metadata": {**hook.metadata, **about},
    }


def checksum(canary: Canary) -> str:
    """Stands for revision and configuration: tells a new rollout from a repeated call."""
    status = canary.status
    content = orjson.dumps(
        [status.tracked_configs or {}, status.last_applied_spec or ""], option=orjson.OPT_SORT_KEYS
    )
    return hashlib.sha256(content).hexdigest()[:16]


def _phase(kind: HookType, canary: Canary) -> Phase:
    if kind in _ALWAYS_PROGRESSING:
        return Phase.PROGRESSING
    if kind is HookType.POST_ROLLOUT:
        # Called as the last thing before the phase changes.
        return Phase.SUCCEEDED if canary.status.phase is Phase.FINALISING else Phase.FAILED
    return canary.status.phase


async def _skim(response: aiohttp.ClientResponse) -> None:
    """Read what a well-behaved receiver says, and hang up on one that says more."""
    read = 0
    while read < MAX_READ and (chunk := await response.content.read(MAX_READ - read)):
        read += len(chunk)
    if not response.content.at_eof():
        response.close()


def _answer(response: aiohttp.ClientResponse, origin: str) -> Answer:
    status = response.status
    if status in _SUCCESS:
        return Answer()
    hint = " (redirects are not followed)" if status in _REDIRECT else ""
    return Answer(
        Failure.REFUSED,
        f"status {status} from {origin}/{hint}",
        again=status in _RETRIED,
        retry_after=_seconds(response.headers.get("Retry-After", "")),
    )


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None


def _cause(error: Exception) -> str:
    """The operating system's word for it; the texts of aiohttp may quote the receiver."""
    if isinstance(error, OSError) and error.errno:
        # Names that do not resolve come with a negative number and its text.
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    return type(error).__name__
