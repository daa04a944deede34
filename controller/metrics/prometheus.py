"""Prometheus, through prometheus-api-client: one value or a typed error, within five seconds.

`controller.metrics.measure` calls it. The only module that knows `requests`, which the client is built on
and which blocks: queries run on threads of their own.

    query ─► the same query asked within a second? ─► its answer
      └────► slot of the address ─► thread ─► client ─► _Door ─► HTTP

A server is not trusted with more than a number: an answer is bounded in size and time, redirects and
cookies are not followed, and no byte of a body but Prometheus' own `error` reaches a message.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from cachetools import LRUCache, TTLCache
from prometheus_api_client import PrometheusConnect
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url, urldefragauth

from controller.bulkhead import Bulkhead
from controller.metrics.answer import check_response, single_value
from controller.metrics.source import Source
from shared.errors import MetricsUnavailable

DEADLINE = 5.0
"""Seconds for one query, waiting for its turn included."""
SHARED_FOR = 1.0
"""Seconds for which the answer to a query is good for everybody who asks the same."""
MAX_BODY = 1 << 20
"""Bytes of an answer. One value takes 200; a query that returns more is a mistake."""
_CHUNK = 1 << 16
_PER_ADDRESS = 8
_THREADS = 64
_CLIENTS = 64
_SHARED_QUERIES = 4096

# Whoever sets insecureSkipVerify asked for it; a warning per query tells them nothing.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

Question = tuple[Source, str]


class Prometheus:
    """Asks any number of Prometheus servers. `deadline` is in seconds."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="prometheus")
        self._clients: LRUCache[Source, Any] = LRUCache(_CLIENTS)
        self._bulkhead = Bulkhead(_PER_ADDRESS)
        self._answers: TTLCache[Question, float] = TTLCache(_SHARED_QUERIES, ttl=SHARED_FOR)
        self._asking: dict[Question, asyncio.Task[float]] = {}

    async def query(self, source: Source, query: str) -> float:
        """The value of an instant query.

        Raises:
            NoData: no sample, a stale one, NaN, infinite, or no number at all.
            ManySeries: more than one series.
            MetricsUnavailable: not reached, not answered in time, or refused; the text says by whom and why.
        """
        question = (source, query)
        if (answer := self._answers.get(question)) is not None:
            return answer
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.create_task(self._ask(source, query))
            task.add_done_callback(lambda done: self._answered(question, done))
        try:
            # Shielded: the task holds its slot until the thread is free, however long that takes, and others
            # may be waiting for the same answer.
            async with asyncio.timeout(self._deadline):
                return await asyncio.shield(task)
        except TimeoutError as late:
            raise _late(source, self._deadline) from late

    async def close(self) -> None:
        """Stop asking and close the connections."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()

    def _answered(self, question: Question, task: asyncio.Task[float]) -> None:
        del self._asking[question]
        if not task.cancelled() and task.exception() is None:
            self._answers[question] = task.result()

    async def _ask(self, source: Source, query: str) -> float:
        client = self._clients.get(source)
        if client is None:
            client = self._clients[source] = _client(source, self._deadline)
        loop = asyncio.get_running_loop()
        slot = self._bulkhead.slot(source.origin)
        try:
            async with asyncio.timeout(self._deadline):
                await slot.acquire()
        except TimeoutError as late:  # by now nobody waits for the answer
            raise _late(source, self._deadline) from late
        try:
            result = await loop.run_in_executor(self._pool, client.custom_query, query)
        finally:
            slot.release()
        return single_value(result, time.time())


class _Door(requests.Session):
    """A session that bounds what comes back and turns every bad answer into an error of ours."""

    def __init__(self, source: Source, deadline: float) -> None:
        super().__init__()
        self._source = source
        self._deadline = deadline
        self.verify = not source.insecure_skip_verify
        self.auth = _auth(source)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update({"User-Agent": "pinfeather", "Accept-Encoding": "identity"})

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        ends = time.monotonic() + self._deadline
        try:
            # A redirect could lead anywhere, with our credentials.
            response = super().request(*args, **{**kwargs, "allow_redirects": False, "stream": True})
            with response:
                body = self._read(response, ends)
        except requests.Timeout as late:
            raise _late(self._source, self._deadline) from late
        except requests.RequestException as error:
            raise _unavailable(self._source, _cause(error)) from error
        response._content = body  # what `requests` itself would have read, without a bound
        check_response(self._source.origin, response.status_code, body)
        return response

    def _read(self, response: requests.Response, ends: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY:
                raise _unavailable(self._source, f"the answer is larger than {MAX_BODY} bytes")
            if time.monotonic() > ends:
                raise _late(self._source, self._deadline)
        return bytes(body)


def _client(source: Source, deadline: float) -> Any:
    headers = dict(source.headers)
    if token := source.credential("token"):
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        headers["Authorization"] = f"Bearer {token}"
    address = urldefragauth(source.address).rstrip("/")
    # Without retries: a round asks again soon, and a retry would only hold a slot for longer.
    return PrometheusConnect(
        url=address, headers=headers, session=_Door(source, deadline), timeout=deadline, retry=0
    )


def _auth(source: Source) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Basic auth from the secret or the URL; else nothing, not even what ~/.netrc would give."""
    user, password = source.credential("username"), source.credential("password")
    if source.credential("token"):
        return _nothing
    if not user:
        user, password = get_auth_from_url(source.address)
    return HTTPBasicAuth(user, password) if user else _nothing


def _nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _cause(error: BaseException) -> str:
    """The innermost operating system's word for it; the texts of `requests` quote the URL with the query."""
    found = type(error).__name__
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            found = seen.strerror
        seen = seen.__cause__ or seen.__context__
    return found


def _late(source: Source, deadline: float) -> MetricsUnavailable:
    return _unavailable(source, f"no answer within {deadline:g}s")


def _unavailable(source: Source, reason: str) -> MetricsUnavailable:
    return MetricsUnavailable(f"{source.origin}: {reason}")
