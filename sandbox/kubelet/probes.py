"""Probes: real requests to a container, and what a row of answers means.

`Tally` is pure. `ask` is one probe; `watch` asks for ever and tells changes. Run by `container`.
Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from shared.types.meta import Json

EAGER_SECONDS = 0.05
"""The first pause of an eager probe; doubled until the probe's own period."""

_USER_AGENT = "kube-probe/1.36"
_SUCCESS = range(200, 400)

Exec = Callable[[list[str]], Awaitable[int]]
"""Runs a command beside the container; returns its exit code."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a container's probes go."""

    ip: str
    ports: dict[str, int]
    session: aiohttp.ClientSession
    execute: Exec

    def port(self, value: int | str) -> int:
        """The number of a port that may be given by name. Raises ValueError if the container has no such
        port."""
        if isinstance(value, int):
            return value
        if value not in self.ports:
            raise ValueError(f'the container has no port named "{value}"')
        return self.ports[value]


@dataclass(slots=True)
class Tally:
    """Turns answers into a verdict: it changes after so many of the same in a row."""

    successes_needed: int
    failures_needed: int
    passed: bool
    _streak: int = 0

    def count(self, *, success: bool) -> bool:
        """Take one more answer; the verdict after it."""
        if success == self.passed:
            self._streak = 0
            return self.passed
        self._streak += 1
        if self._streak >= (self.successes_needed if success else self.failures_needed):
            self.passed, self._streak = success, 0
        return self.passed


async def ask(probe: Json, target: Target) -> str:
    """One probe: empty on success, else why it failed."""
    try:
        async with asyncio.timeout(probe.get("timeoutSeconds", 1)):
            if "httpGet" in probe:
                return await _get(probe["httpGet"], target)
            if "tcpSocket" in probe:
                return await _connect(probe["tcpSocket"], target)
            if "exec" in probe:
                code = await target.execute(probe["exec"]["command"])
                return f"command exited with code {code}" if code else ""
    except TimeoutError:
        return "no answer in time"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return str(error)
    return "the sandbox has no such kind of probe"


async def _get(request: Json, target: Target) -> str:
    scheme = request.get("scheme", "HTTP").lower()
    host, port = request.get("host") or target.ip, target.port(request["port"])
    headers = {"User-Agent": _USER_AGENT} | {
        each["name"]: each["value"] for each in request.get("httpHeaders") or ()
    }
    url = f"{scheme}://{host}:{port}/{request.get('path', '/').removeprefix('/')}"
    # ssl=False: a kubelet does not verify certificates either; the probe asks whether anything answers.
    async with target.session.get(url, headers=headers, allow_redirects=False, ssl=False) as response:
        return "" if response.status in _SUCCESS else f"HTTP probe failed with statuscode: {response.status}"


async def _connect(request: Json, target: Target) -> str:
    _, writer = await asyncio.open_connection(request.get("host") or target.ip, target.port(request["port"]))
    writer.close()
    return ""


async def watch(probe: Json, target: Target, tell: Callable[[bool, str], None], *, eager: bool) -> None:
    """Ask for ever; `tell(verdict, why)` at each change of the verdict.

    An eager probe (readiness, startup) starts from failed and asks more often until it first passes, so that
    a pod that is ready is used at once. What it asks in addition can only pass, never fail. Others start from
    passed.
    """
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    period = float(probe.get("periodSeconds", 10))
    tally = Tally(probe.get("successThreshold", 1), probe.get("failureThreshold", 3), passed=not eager)
    pause = EAGER_SECONDS if eager else period
    # A startup probe that never passes has failed: its tally has to see that although it never stood at
    # passed.
    failures, counted = 0, time.monotonic() if eager else float("-inf")
    while True:
        why = await ask(probe, target)
        due = time.monotonic() - counted >= period - EAGER_SECONDS
        if due or not why:
            counted = time.monotonic()
            failures = failures + 1 if why else 0
            before, verdict = tally.passed, tally.count(success=not why)
            if verdict != before or failures == tally.failures_needed:
                tell(verdict, why)
        if not why:
            pause = period
        await asyncio.sleep(min(pause, period))
        pause *= 2
