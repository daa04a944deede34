"""Carries the story out, scenario by scenario, in a sandbox that is up. Called by `command`.

steps ──► shell      then: wait for the Canary to come to rest, let the last news arrive, judge
"""

import asyncio
import contextlib
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sandbox.demo import gauges, watch
from sandbox.demo.judge import judge
from sandbox.demo.pace import Pace
from sandbox.demo.scenarios import (
    CLEAN_UP,
    TURN,
    Admit,
    Climb,
    Load,
    Quicken,
    Run,
    Say,
    Scenario,
    Settle,
    Step,
    Turn,
)
from sandbox.demo.screen import Screen
from sandbox.demo.shell import CommandFailed, Shell
from sandbox.demo.show import Act, Kind, Show
from sandbox.demo.stage import Stage
from sandbox.demo.users import Users
from sandbox.demo.view import users_text
from shared.cluster import Cluster
from shared.errors import AppError
from shared.types.status import Phase

PREPARATION = 60.0
"""Seconds for what comes before the first scenario."""
WARNED = "Warning: "
"""How kubectl begins a line that came with the API server's answer."""
AFTERMATH = 5.0
"""Seconds that the last events and answers may take to arrive when a scenario has come to its end."""


async def play(stage: Stage, pace: Pace, show: Show, screen: Screen) -> None:
    """Play the story, up to the first scenario that does not end as it should. How it went is in the show.

    Raises:
        ExceptionGroup: of AppErrors, where the sandbox cannot be talked to.
    """
    async with await Cluster.connect(stage.folder.kubeconfig) as cluster, asyncio.TaskGroup() as group:
        watching, users = asyncio.Event(), Users(stage.proxy_url, show)
        activities = (
            screen.run(show),
            watch.follow(cluster, show, watching),
            users.run(),
            gauges.follow(stage.proxy_url, pace.window, show),
        )
        companions = [group.create_task(each) for each in activities]
        try:
            player = Player(Shell(stage.environment), pace, show, users)
            await player.prepare(watching)
            for scenario in show.story:
                act = await player.perform(scenario)
                if act.problem:
                    return
        finally:
            for task in companions:
                task.cancel()


@dataclass(frozen=True, slots=True)
class Player:
    """Performs scenarios, one after the other."""

    shell: Shell
    pace: Pace
    show: Show
    users: Users

    async def prepare(self, watching: asyncio.Event) -> None:
        """Once the cluster is seen, take away what an earlier demo has left.

        Raises:
            AppError: that took too long.
        """
        try:
            async with asyncio.timeout(PREPARATION):
                await watching.wait()
                if self.show.phase is not Phase.NONE:
                    self.show.tell(Kind.NOTE, "There is a podinfo from before: starting over.")
                    for command in CLEAN_UP:
                        await self._run(Run(command))
                    await self.show.until(lambda: self.show.phase is Phase.NONE)
        except TimeoutError as error:
            doing = "taking away the podinfo from before" if watching.is_set() else "reading the cluster"
            raise AppError(f"{doing} took longer than {PREPARATION:.0f} s") from error

    async def perform(self, scenario: Scenario) -> Act:
        """Play one scenario and judge it; its `problem` says how it failed."""
        act = self.show.begin(scenario)
        troubles: list[str] = []
        try:
            async with asyncio.timeout(self.pace.patience):
                await self._until_rest(act)
            await self._aftermath(act)
        except* TimeoutError:
            troubles.append(f"it was not over after {self.pace.patience} s")
        except* CommandFailed as failures:
            troubles += map(str, failures.exceptions)
        act.problem = "\n".join((*troubles, *judge(act, self.pace)))
        act.ended = self.show.clock()
        if act.users.total:
            self.show.tell(Kind.USERS, users_text(act.users))
        return act

    async def _until_rest(self, act: Act) -> None:
        """Take the steps, then wait until the Canary rests. Loads end with that."""
        async with asyncio.TaskGroup() as group:
            loads: list[asyncio.Task[None]] = []
            try:
                for step in act.scenario.steps:
                    if isinstance(step, Load):
                        loads.append(group.create_task(self._load(step)))
                    else:
                        await self._take(step)
                if act.scenario.ends is not None:
                    await self.show.until(lambda: act.at_rest)
            finally:
                for load in loads:
                    load.cancel()

    async def _take(self, step: Step) -> None:
        match step:
            case Say(text):
                self.show.tell(Kind.NOTE, text)
            case Run():
                await self._run(step)
            case Climb(steps):
                await self.show.until(lambda: self.show.weight >= steps * self.pace.step)
            case Turn(version):
                await self._turn(version)
            case Admit():
                await self.users.admit()
            case Quicken(metrics):
                if command := self.pace.quicken(metrics):
                    await self._run(Run(command))
            case Settle():
                window = self.pace.window
                self.show.tell(
                    Kind.NOTE, f"Waiting {window} s: metrics still count the last release's errors."
                )
                await asyncio.sleep(window)

    async def _turn(self, version: str) -> None:
        act = self.show.act
        assert act is not None, "a step is part of an act"
        await self.show.until(lambda: not act.is_early(version))
        text = TURN.format(version=version, total=act.users.total, had=act.users.by_version[version])
        self.show.tell(Kind.NOTE, text)

    async def _run(self, step: Run) -> None:
        self.show.tell(Kind.COMMAND, step.command)
        run = self.shell.refused if step.refused else self.shell.run
        lines = await run(step.command)
        said = Kind.REFUSAL if step.refused else Kind.OUTPUT
        for line in lines:
            self.show.tell(Kind.WARNING if line.startswith(WARNED) else said, line)
        for text in step.says:
            if not any(fnmatchcase(line, text) for line in lines):
                missing = (f"$ {step.command}", f'should have said "{text}", and said:', *lines)
                raise CommandFailed("\n".join(missing))

    async def _load(self, load: Load) -> None:
        """Run a load for as long as its scenario goes on; its own output is of no interest."""
        await self.show.until(lambda: self.show.weight >= load.after_steps * self.pace.step)
        while True:
            self.show.tell(Kind.COMMAND, load.command)
            await self.shell.run(load.command)

    async def _aftermath(self, act: Act) -> None:
        """Give the last events and answers time to arrive; no more than they need."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AFTERMATH):
                await self.show.until(lambda: not judge(act, self.pace))
