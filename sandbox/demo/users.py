"""The demo's users: about 20 requests a second, whatever else goes on, each answer counted.

Run by `play`. An open load: a slow answer does not hold back the next request.
"""

import asyncio
import json

import aiohttp

from sandbox.demo.scenarios import APP_URL
from sandbox.demo.show import Kind, Show

PERIOD = 0.05
PATIENCE = 5.0
"""Seconds after which a user gives up."""
FIRST_ANSWER = 0.1
VERSION_HEADER = "X-Podinfo-Version"


class Users:
    """Users behind one HTTP proxy, where the application's name works."""

    def __init__(self, proxy_url: str, show: Show) -> None:
        self._proxy = proxy_url
        self._show = show
        self._admitted = asyncio.Event()
        self._arrived = asyncio.Event()

    async def admit(self) -> None:
        """Let them in; returns once the application has answered one."""
        self._admitted.set()
        await self._arrived.wait()

    async def run(self) -> None:
        """Once admitted, ask until cancelled; what is under way then is not counted."""
        await self._admitted.wait()
        clock = asyncio.get_running_loop().time
        # A connection each, so that a failure is never that of an idle one which was closed meanwhile.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), timeout=aiohttp.ClientTimeout(total=PATIENCE)
        )
        session._retry_connection = False  # aiohttp would ask again without telling, and hide a failure
        async with session, asyncio.TaskGroup() as requests:
            await self._wait_for_app(session)
            self._arrived.set()
            self._show.tell(
                Kind.NOTE, f"Users arrive: {1 / PERIOD:.0f} requests a second to {APP_URL}/ from now on."
            )
            due = clock()
            while True:
                requests.create_task(self._ask(session))
                due += PERIOD
                await asyncio.sleep(due - clock())

    async def _wait_for_app(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with session.get(APP_URL, proxy=self._proxy) as answer:
                    if answer.ok:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass  # not there yet, which is what is waited for
            await asyncio.sleep(FIRST_ANSWER)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        try:
            async with session.get(APP_URL, proxy=self._proxy) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            self._show.user_unanswered()
            return
        self._show.user_answered(answer.status, answer.headers.get(VERSION_HEADER) or version(body))


def version(body: bytes) -> str:
    """The version that podinfo tells in its answer; empty where the answer is none of podinfo's."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    return str(told.get("version", "")) if isinstance(told, dict) else ""
