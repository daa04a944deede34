"""One container: prepared, started, probed, started again after it ended.

Run as a task by `pod`. It changes its ContainerState and says so; `pod` publishes what became of it.

    prepare (image, configuration) ─► start, probes ─► ended ─► restart policy, back-off ─► prepare
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from sandbox.kubelet import images, probes, volumes
from sandbox.kubelet.environment import ConfigInvalid, Sources, expand, variables
from sandbox.kubelet.process import Launch, Process, Processes, StartFailed
from sandbox.kubelet.status import ContainerState, timestamp
from shared.types.meta import Json

LONGEST_BACKOFF = 300.0
_STEADY_SECONDS = 600.0
"""A container that ran for so long has not crashed in a row: its back-off starts over."""
_CONFIG_RETRY_SECONDS = 2.0
_START_ERROR_CODE = 128

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all containers of a pod share. `sources` fetches the pod's configuration as it is now."""

    pod: Json
    ip: str
    directory: Path
    given: Mapping[str, str]
    recipes: Mapping[str, images.Recipe]
    processes: Processes
    session: aiohttp.ClientSession
    sources: Callable[[], Awaitable[Sources]]
    changed: Callable[[], None]
    first_backoff: float


class ContainerRunner:
    """Keeps one container running as its pod asks."""

    def __init__(self, spec: Json, around: Surroundings, *, restart: str) -> None:
        self.state = ContainerState(spec["name"], spec["image"], _waiting("ContainerCreating"))
        self._spec = spec
        self._around = around
        self._restart = restart
        self._process: Process | None = None
        self._launch: Launch | None = None
        self._backoff = 0.0
        self._stopping = False

    async def run(self) -> None:
        """Run the container until it has ended for good."""
        while not self._stopping:
            launch = await self._prepare()
            began = time.monotonic()
            code = await self._run_once(launch)
            if self._stopping:
                return
            if self._restart == "Never" or (self._restart == "OnFailure" and code == 0):
                self.state.finished = True
                self._around.changed()
                return
            await self._wait_for_restart(time.monotonic() - began)

    async def stop(self, grace: float) -> None:
        """End the container: its preStop hook, SIGTERM, and SIGKILL when `grace` seconds are over."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        deadline = time.monotonic() + grace
        hook = (self._spec.get("lifecycle") or {}).get("preStop")
        if hook:
            await self._run_hook(hook, grace)
        await process.stop(max(deadline - time.monotonic(), 0))

    async def _prepare(self) -> Launch:
        """The program to start, as soon as image and configuration allow it."""
        pull_backoff = 0.0
        while True:
            try:
                return self._compose(await self._around.sources())
            except ConfigInvalid as error:
                self._wait_with("CreateContainerConfigError", str(error))
                await asyncio.sleep(_CONFIG_RETRY_SECONDS)
            except images.ImageUnavailable as error:
                self._wait_with("ErrImagePull", str(error))
                pull_backoff = self._next(pull_backoff)
                await asyncio.sleep(min(pull_backoff, _CONFIG_RETRY_SECONDS))
                self._wait_with("ImagePullBackOff", f"Back-off pulling: {error}")
                await asyncio.sleep(pull_backoff)

    def _compose(self, sources: Sources) -> Launch:
        around, spec = self._around, self._spec
        mounts = volumes.mounts(spec, around.pod, around.directory / "volumes")
        found = variables(spec, sources, around.given)
        # What every container is given, and the programs of images, are paths of the machine already.
        found |= {
            name: volumes.rewrite(value, mounts)
            for name, value in found.items()
            if around.given.get(name) != value
        }
        command, arguments = (
            volumes.rewrite_all(spec.get(field) or (), mounts) for field in ("command", "args")
        )
        line = images.command_line(spec["image"], command, arguments, around.recipes)
        directory = around.directory / spec["name"]
        directory.mkdir(parents=True, exist_ok=True)
        log = around.directory / f"{spec['name']}.log"
        return Launch([expand(part, found) for part in line], found, directory, log)

    async def _run_once(self, launch: Launch) -> int:
        """One life of the container; its exit code."""
        began = timestamp(datetime.now(UTC))
        state, self._launch = self.state, launch
        try:
            self._process = await self._around.processes.start(launch)
        except (StartFailed, OSError) as error:
            self._ended(began, _START_ERROR_CODE, ("StartError", str(error)))
            return _START_ERROR_CODE
        state.state, state.started = {"running": {"startedAt": began}}, "startupProbe" not in self._spec
        state.ready = state.started and "readinessProbe" not in self._spec
        self._around.changed()
        watching = asyncio.create_task(self._probe(self._process))
        try:
            code = await self._process.wait()
        finally:
            await _end(watching)
        self._ended(began, code, ("Error" if code else "Completed", ""))
        return code

    def _ended(self, began: str, code: int, why: tuple[str, str]) -> None:
        ended: Json = {
            "exitCode": code,
            "reason": why[0],
            "startedAt": began,
            "finishedAt": timestamp(datetime.now(UTC)),
        }
        if why[1]:
            ended["message"] = why[1]
        self._process = None
        self.state.state = {"terminated": ended}
        self.state.ready = self.state.started = False
        self._around.changed()

    async def _wait_for_restart(self, ran: float) -> None:
        """The first restart comes at once, the following ones after a delay that doubles."""
        if ran > _STEADY_SECONDS:
            self._backoff = 0.0
        delay, self._backoff = self._backoff, self._next(self._backoff)
        self.state.last = self.state.state
        if delay:
            where = self._around.pod["metadata"]
            self._wait_with(
                "CrashLoopBackOff",
                f"back-off {delay:.0f}s restarting failed container={self.state.name} "
                f"pod={where['name']}_{where['namespace']}({where['uid']})",
            )
            await asyncio.sleep(delay)
        self.state.restarts += 1

    def _next(self, backoff: float) -> float:
        return min(backoff * 2, LONGEST_BACKOFF) if backoff else self._around.first_backoff

    def _wait_with(self, reason: str, message: str) -> None:
        self.state.state = _waiting(reason, message)
        self._around.changed()

    async def _probe(self, process: Process) -> None:
        """Run the container's probes; readiness and liveness wait for the startup probe."""
        target = probes.Target(self._around.ip, _ports(self._spec), self._around.session, self._execute)
        startup = self._spec.get("startupProbe")
        if startup:
            await self._await_startup(startup, target, process)
        self.state.started = True
        readiness, liveness = self._spec.get("readinessProbe"), self._spec.get("livenessProbe")
        self.state.ready = readiness is None
        self._around.changed()
        async with asyncio.TaskGroup() as group:
            if readiness:
                group.create_task(probes.watch(readiness, target, self._on_readiness, eager=True))
            if liveness:
                on_liveness = self._killer("liveness", process)
                group.create_task(probes.watch(liveness, target, on_liveness, eager=False))

    async def _await_startup(self, startup: Json, target: probes.Target, process: Process) -> None:
        passed = asyncio.Event()
        kill = self._killer("startup", process)

        def tell(verdict: bool, why: str) -> None:  # noqa: FBT001 - the signature of a probe's listener
            passed.set() if verdict else kill(verdict, why)

        watching = asyncio.create_task(probes.watch(startup, target, tell, eager=True))
        try:
            await passed.wait()
        finally:
            await _end(watching)

    def _on_readiness(self, verdict: bool, why: str) -> None:  # noqa: FBT001 - the signature of a probe's listener
        if self.state.ready != verdict:
            _log.debug(
                "readiness changed", extra={"container": self.state.name, "ready": verdict, "why": why}
            )
            self.state.ready = verdict
            self._around.changed()

    def _killer(self, probe: str, process: Process) -> Callable[[bool, str], None]:
        def tell(verdict: bool, why: str) -> None:  # noqa: FBT001 - the signature of a probe's listener
            if not verdict:
                fields = {"container": self.state.name, "probe": probe, "why": why}
                _log.warning("container fails its probe and is restarted", extra=fields)
                grace = self._around.pod["spec"].get("terminationGracePeriodSeconds", 30)
                stopping.append(asyncio.create_task(process.stop(grace)))

        stopping: list[asyncio.Task[int]] = []  # tasks are kept only by who refers to them
        return tell

    async def _execute(self, command: list[str]) -> int:
        """Run a command beside the container, in its environment. Returns the exit code."""
        assert self._launch is not None, "probes and hooks run after the container has been started"
        mounts = volumes.mounts(self._spec, self._around.pod, self._around.directory / "volumes")
        rewritten = volumes.rewrite_all(command, mounts)
        launch = self._launch
        try:
            process = await self._around.processes.start(
                Launch(rewritten, launch.environment, launch.directory, launch.log)
            )
        except StartFailed:
            return _START_ERROR_CODE
        try:
            return await process.wait()
        finally:
            process.kill()  # a probe or hook that ran out of time ends here

    async def _run_hook(self, hook: Json, grace: float) -> None:
        with suppress(TimeoutError):  # a hook that takes all of the grace period leaves none for the program
            async with asyncio.timeout(grace):
                if "sleep" in hook:
                    await asyncio.sleep(hook["sleep"]["seconds"])
                elif "exec" in hook:
                    await self._execute(hook["exec"]["command"])


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end. `await task` could take a cancellation of ours for the task's."""
    task.cancel()
    await asyncio.wait({task})


def _waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def _ports(spec: Json) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in spec.get("ports") or () if each.get("name")}
