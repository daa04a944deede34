"""The demo's users come when they are let in, and count what they get."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from sandbox.demo.scenarios import PROMOTION
from sandbox.demo.show import NO_ANSWER, Show
from sandbox.demo.users import Users

ANSWERS = ("404 early", "200 4.0.5", "200 4.0.6", "500", "hang up")


@pytest.fixture
async def proxy() -> AsyncIterator[str]:
    """A proxy that answers each request with the next of ANSWERS, and then all is well."""
    asked = iter(ANSWERS)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.host == "app.example.com"
        words = next(asked, "200 4.0.6").split()
        if words[0] == "hang":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response({"version": words[1]} if len(words) > 1 else {}, status=int(words[0]))

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_users_come_with_the_first_good_answer_and_count_each_after_it(proxy: str) -> None:
    show = Show((PROMOTION,))
    seen = show.begin(PROMOTION).users
    users = Users(proxy, show)
    coming = asyncio.create_task(users.run())
    await users.admit()
    assert seen.total == 0, "the question whether anyone is there is no user's"
    await show.until(lambda: seen.total >= 5)
    coming.cancel()
    assert seen.failed == 2
    assert seen.by_status == {"200": seen.total - 2, "500": 1, NO_ANSWER: 1}
    assert seen.by_version == {"4.0.6": seen.total - 2}


async def test_nobody_asks_before_users_are_admitted(proxy: str) -> None:
    show = Show((PROMOTION,))
    seen = show.begin(PROMOTION).users
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Users(proxy, show).run()
    assert seen.total == 0
