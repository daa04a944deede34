"""A bare client of an API server, for tests that look at what exactly it answers."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from multidict import CIMultiDictProxy
from yarl import URL

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"


class ApiClient:
    """Sends requests as they are given. Checking certificates is left to the product's own client."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def exchange(self, request: Json, agent: str = "Python/3") -> tuple[int, Any, list[str]]:
        """Status, body and warnings for a request in the form of the recordings."""
        code, text, headers = await self.exchange_whole(request, agent)
        is_json = text and headers.get("Content-Type") == "application/json"
        return code, json.loads(text) if is_json else text, headers.getall("Warning", [])

    async def exchange_whole(
        self, request: Json, agent: str = "Python/3"
    ) -> tuple[int, str, CIMultiDictProxy[str]]:
        """Status, text and all headers."""
        body = request["body"]
        data = body if isinstance(body, str | bytes | io.BytesIO) or body is None else json.dumps(body)
        headers = {**request["headers"], "User-Agent": agent}
        url = URL(self.url + request["path"], encoded=True)
        async with self._session.request(request["method"], url, data=data, headers=headers) as response:
            return response.status, await response.text(), response.headers

    async def send(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        request = {"method": method, "path": path, "headers": {"Content-Type": kind}, "body": body}
        code, answer, _ = await self.exchange(request)
        return code, answer

    async def done(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Json:
        """The answer of a request that has to succeed."""
        code, answer = await self.send(method, path, body, kind)
        assert code in (200, 201), answer
        assert isinstance(answer, dict)
        return answer

    async def watch(self, path: str, **query: str) -> AsyncIterator[Json]:
        """Events of a watch until the server ends it."""
        params = {"watch": "1", "timeoutSeconds": "20", **query}
        async with self._session.get(self.url + path, params=params) as response:
            async for line in response.content:
                yield json.loads(line)


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[ApiClient]:
    """A client for the server and the token of a kubeconfig."""
    config = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield ApiClient(session, config["clusters"][0]["cluster"]["server"])
