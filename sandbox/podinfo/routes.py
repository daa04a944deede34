"""Which path is answered how. Called by `sandbox.podinfo.http` for each request; knows no connections."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from http import HTTPStatus

from sandbox.podinfo.faults import Faults, Share

_HEALTH_PATHS = ("/healthz", "/readyz")
_LONGEST_DELAY = 60.0
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599
_TOKEN_LIFETIME = 60


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as far as an answer depends on it. `path` comes without its query."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """A status code and a JSON body."""

    status: int
    body: bytes


def _json(code: int, /, **values: object) -> Response:
    return Response(code, json.dumps(values, separators=(",", ":")).encode() + b"\n")


@dataclass(slots=True)
class App:
    """The application of one version. `hostname` is the pod's name."""

    version: str
    hostname: str
    faults: Faults = field(default_factory=Faults)
    _errors: Share = field(init=False)
    _missing: Share = field(init=False)

    def __post_init__(self) -> None:
        self._errors = Share(self.faults.error)
        self._missing = Share(self.faults.notfound)

    async def answer(self, request: Request) -> Response:
        """The answer to a request, after the faults had their say. It takes its time."""
        if request.path in _HEALTH_PATHS:
            if request.path == "/readyz" and self.faults.unready:
                return _json(503, status="unready")
            return _json(200, status="OK")
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        if self._errors.strikes():
            return _json(500, code=500, message="this release fails on purpose")
        if self._missing.strikes():
            return _json(404, code=404, message="this release loses pages on purpose")
        return await self._route(request)

    async def _route(self, request: Request) -> Response:
        match request.path.strip("/").split("/"):
            case [""]:
                return _json(
                    200, hostname=self.hostname, version=self.version, message="greetings from podinfo"
                )
            case ["version"]:
                return _json(200, version=self.version, commit="sandbox")
            case ["token"]:
                return self._token(request)
            case ["status", code]:
                return self._status(code)
            case ["delay", seconds]:
                return await self._delay(seconds)
            case _:
                return _json(404, code=404, message=f"no such path: {request.path}")

    def _token(self, request: Request) -> Response:
        # Not a credential: acceptance tests only look for the word "token" in the answer.
        token = f"{self.hostname}.{len(request.body)}.{time.time_ns():x}"
        return _json(200, token=token, expires_in=_TOKEN_LIFETIME)

    def _status(self, text: str) -> Response:
        if not text.isdecimal() or not _LOWEST_STATUS <= int(text) <= _HIGHEST_STATUS:
            return _json(400, code=400, message=f"/status/{text}: must be a number from 200 to 599")
        status = int(text)
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "status"
        return _json(status, code=status, message=phrase)

    async def _delay(self, text: str) -> Response:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= _LONGEST_DELAY:
            return _json(
                400, code=400, message=f"/delay/{text}: must be seconds from 0 to {_LONGEST_DELAY:.0f}"
            )
        await asyncio.sleep(seconds)
        return _json(200, delay=seconds)
