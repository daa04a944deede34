"""A Prometheus that says what it is told to: every canary does well, but for those that are made to fail."""

import time
from collections import defaultdict

from aiohttp import web

from benchmarks.objects import app_in

_GOOD_RATE, _BAD_RATE, _DURATION = "100", "50", "20"


class ScriptedPrometheus:
    """Answers instant queries of the builtin metrics."""

    def __init__(self) -> None:
        self.url = ""
        self.failing: set[str] = set()
        """Applications whose success rate is bad from now on."""
        self.bad_answers: defaultdict[str, list[float]] = defaultdict(list)
        """When each application's bad rate was told, in Unix time."""
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        query = request.query.get("query", "")
        app = app_in(query)
        value = _DURATION
        if "requests_total" in query:
            value = _BAD_RATE if app in self.failing else _GOOD_RATE
        sample = {"metric": {}, "value": [time.time(), value]}
        body = {"status": "success", "data": {"resultType": "vector", "result": [sample]}}
        response = web.json_response(body)
        if value == _BAD_RATE:
            self.bad_answers[app].append(time.time())
        return response
