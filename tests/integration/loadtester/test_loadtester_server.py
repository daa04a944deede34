"""The load tester as a process of its own, asked over HTTP as a controller asks it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.waiting import eventually, is_alive, numbers_in

ROOT = Path(__file__).parents[3]


@dataclass
class LoadTester:
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    logs: list[dict[str, Any]] = field(default_factory=list)

    async def read_logs(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.logs.append(json.loads(line))

    async def logged(self, message: str, **fields: Any) -> dict[str, Any]:
        """The first line with this message, waited for."""
        found: list[dict[str, Any]] = []

        def seen() -> bool:
            found[:] = [
                line for line in self.logs if line["msg"] == message and fields.items() <= line.items()
            ]
            return bool(found)

        await eventually(seen)
        return found[0]

    async def post(self, path: str, token: str = "", **content: Any) -> tuple[int, str]:
        payload = {"name": "podinfo", "namespace": "test", "phase": "Progressing"} | content
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.post(path, json=payload, headers=headers) as response:
            return response.status, await response.text()

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@contextlib.asynccontextmanager
async def load_tester(*flags: str) -> AsyncIterator[LoadTester]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtester", "-port", "0", *flags, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    session = aiohttp.ClientSession()
    tester = LoadTester(process, session)
    reading = asyncio.create_task(tester.read_logs())
    try:
        port = (await tester.logged("load tester started"))["port"]
        await session.close()
        tester.session = aiohttp.ClientSession(f"http://127.0.0.1:{port}")
        yield tester
    finally:
        await tester.session.close()
        if process.returncode is None:
            await tester.stop()
        await reading


async def test_bash_is_answered_with_how_it_ended() -> None:
    async with load_tester() as tester:
        assert await tester.post("/", metadata={"type": "bash", "cmd": "echo hi | grep hi"}) == (200, "")
        shown = {"type": "bash", "cmd": "echo hi | tr h H", "returnCmdOutput": "true"}
        assert await tester.post("/", metadata=shown) == (200, "Hi\n")

        status, text = await tester.post("/", metadata={"type": "bash", "cmd": "echo the reason >&2; exit 4"})
        assert status == 500
        assert text == "the command exited with code 4\nthe reason\n"


async def test_bash_that_takes_too_long_fails_and_says_so() -> None:
    async with load_tester("-timeout", "300ms") as tester:
        status, text = await tester.post("/", metadata={"type": "bash", "cmd": "echo slow; sleep 30"})
        assert status == 500
        assert text == "the command did not end within 0:00:00.300000\nslow\n"


async def test_a_command_ends_when_its_caller_hangs_up(tmp_path: Path) -> None:
    async with load_tester() as tester:
        command = f"echo $$ > {tmp_path}/pid; sleep 60"
        asking = asyncio.create_task(tester.post("/", metadata={"type": "bash", "cmd": command}))
        await eventually(lambda: numbers_in(tmp_path / "pid"))
        asking.cancel()
        (pid,) = numbers_in(tmp_path / "pid")
        await eventually(lambda: not is_alive(pid))


async def test_a_load_is_accepted_at_once_and_not_doubled(tmp_path: Path) -> None:
    async with load_tester() as tester:
        load = {"cmd": f"sh -c 'echo $$ >> {tmp_path}/pids; exec sleep 60'", "type": "cmd"}
        assert await tester.post("/", metadata=load) == (202, "started\n")
        await eventually(lambda: numbers_in(tmp_path / "pids"))
        assert await tester.post("/", metadata=load) == (202, "already running\n")
        assert await tester.post("/", metadata=load, name="other") == (202, "started\n")

        await eventually(lambda: len(numbers_in(tmp_path / "pids")) >= 2)
        assert await tester.stop() == 0
        pids = numbers_in(tmp_path / "pids")
        assert len(pids) == 2
        await eventually(lambda: not any(map(is_alive, pids)))


async def test_a_command_may_run_again_once_it_has_ended() -> None:
    async with load_tester() as tester:
        task = {"cmd": "echo once more", "logCmdOutput": "true"}
        assert await tester.post("/", metadata=task) == (202, "started\n")
        ended = await tester.logged("command ended")
        assert ended["output"] == "once more\n"
        assert ended["canary"] == "podinfo.test"
        assert await tester.post("/", metadata=task) == (202, "started\n")


async def test_output_stays_out_of_the_logs_unless_asked_for() -> None:
    async with load_tester() as tester:
        assert (await tester.post("/", metadata={"cmd": "echo quiet"}))[0] == 202
        assert "output" not in await tester.logged("command ended")


async def test_a_load_that_cannot_start_is_logged_and_counted() -> None:
    async with load_tester() as tester:
        assert (await tester.post("/", metadata={"cmd": "no-such-program"}))[0] == 202
        assert "no-such-program" in (await tester.logged("command not started"))["error"]
        async with tester.session.get("/metrics") as response:
            counted = 'loadtester_commands_total{outcome="not_started",type="cmd"} 1.0'
            assert counted in await response.text()


async def test_what_cannot_run_is_a_bad_request() -> None:
    async with load_tester() as tester:
        for metadata, word in (
            (None, "metadata is missing"),
            ({"type": "concord", "cmd": "x"}, "cmd, bash"),
            ({"cmd": "a | b"}, "use metadata.type bash"),
        ):
            status, text = await tester.post("/", metadata=metadata)
            assert status == 400
            assert word in text


async def test_too_many_synchronous_commands_are_told_to_come_again() -> None:
    async with load_tester() as tester:
        waiting = [
            asyncio.create_task(tester.post("/", metadata={"type": "bash", "cmd": "sleep 60"}))
            for _ in range(17)
        ]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert next(iter(done)).result()[0] == 429
        for task in waiting:
            task.cancel()


async def test_gates_are_opened_closed_and_checked() -> None:
    async with load_tester() as tester:
        assert (await tester.post("/gate/approve"))[0] == 200
        assert (await tester.post("/gate/halt"))[0] == 403
        for gate in ("/gate", "/rollback"):
            assert await tester.post(f"{gate}/check") == (403, "Forbidden")
            assert (await tester.post(f"{gate}/open"))[0] == 202
            assert await tester.post(f"{gate}/check") == (200, "Approved")
            assert await tester.post(f"{gate}/check", name="other") == (403, "Forbidden")
            assert (await tester.post(f"{gate}/close"))[0] == 202
            assert await tester.post(f"{gate}/check") == (403, "Forbidden")


async def test_a_token_decides_over_the_body(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text('{"s3cret": ["test"]}')
    async with load_tester("-tokens-file", str(tokens)) as tester:
        command = {"type": "bash", "cmd": "true"}
        assert (await tester.post("/", metadata=command))[0] == 401
        assert (await tester.post("/", token="wrong", metadata=command))[0] == 401
        assert (await tester.post("/", token="s3cret", metadata=command, namespace="prod"))[0] == 403
        assert (await tester.post("/", token="s3cret", metadata=command))[0] == 200
        assert (await tester.post("/gate/open", token="s3cret", namespace="prod"))[0] == 403
        assert (await tester.post("/gate/open", token="s3cret"))[0] == 202
        async with tester.session.get("/healthz") as response:
            assert response.status == 200
        assert not any("s3cret" in json.dumps(line) for line in tester.logs)


async def test_namespaces_outside_the_pattern_are_refused() -> None:
    async with load_tester("--namespace-regexp=^test$") as tester:
        assert (await tester.post("/", metadata={"type": "bash", "cmd": "true"}))[0] == 200
        assert (await tester.post("/", metadata={"type": "bash", "cmd": "true"}, namespace="prod"))[0] == 403


async def test_wrong_settings_end_the_start_with_a_sentence() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtester",
        "-tokens-file=/nowhere/at/all",
        cwd=ROOT,
        env=dict(os.environ),
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert stderr.decode().startswith("loadtester: cannot read the tokens file /nowhere/at/all")
