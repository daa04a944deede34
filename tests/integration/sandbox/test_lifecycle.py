"""`pinfeather sandbox` as a user runs it: real processes, and nothing left of them."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from sandbox.processes import belongs, of_run
from sandbox.state import Folder, Stage, State
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
BARE = ("--without", "admission,controller,loadtester,prometheus,traefik")
"""A cluster with nothing in it starts in a second."""


@dataclass
class Sandbox:
    """The command line, pointed at one state folder."""

    folder: Folder

    async def start(self, action: str, *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli",
            "sandbox",
            action,
            f"--state-dir={self.folder.root}",
            *options,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, action: str, *options: str) -> tuple[int, str]:
        process = await self.start(action, *options)
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    def state(self) -> State:
        state = self.folder.read()
        assert state is not None
        return state

    def nothing_left(self, state: State) -> bool:
        return not of_run(state.id)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = Sandbox(Folder(tmp_path / "state"))
    yield made
    await made.run("down")


async def get(url: str, kubeconfig: Path) -> int:
    """kubectl's exit code for a simple question."""
    kubectl = Path(sys.executable).parent / "kubectl"
    process = await asyncio.create_subprocess_exec(
        kubectl, f"--kubeconfig={kubeconfig}", "get", url, stdout=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def load(state: State) -> None:
    """Have the load tester run a command of ten minutes."""
    body = {"name": "x", "namespace": "test", "metadata": {"cmd": "sleep 600"}}
    async with (
        aiohttp.ClientSession() as session,
        session.post("http://flagger-loadtester.test/", json=body, proxy=state.proxy_url) as response,
    ):
        assert response.status == 202, await response.text()


async def test_up_serves_kubectl_and_down_leaves_nothing(sandbox: Sandbox) -> None:
    code, output = await sandbox.run("up", *BARE)
    assert code == 0, output
    assert f"export KUBECONFIG={sandbox.folder.kubeconfig}" in output
    state = sandbox.state()
    assert state.stage is Stage.READY
    assert f"export http_proxy={state.proxy_url}" in output
    assert await get("nodes", sandbox.folder.kubeconfig) == 0
    code, output = await sandbox.run("status")
    assert code == 0
    assert state.api_url in output
    assert "API server listens" in (await sandbox.run("logs"))[1]

    code, output = await sandbox.run("down")
    assert code == 0
    assert output.endswith("the sandbox is down\n")
    assert sandbox.nothing_left(state)
    assert [entry.name for entry in sandbox.folder.root.iterdir()] == ["lock"]
    assert await sandbox.run("down") == (0, "no sandbox is running\n")
    assert (await sandbox.run("status"))[0] == 1
    assert "no sandbox was started" in (await sandbox.run("logs"))[1]


async def test_up_again_finds_it_running(sandbox: Sandbox) -> None:
    await sandbox.run("up", *BARE)
    state = sandbox.state()
    began = time.monotonic()
    code, output = await sandbox.run("up", *BARE)
    assert time.monotonic() - began < 2.0  # half a second on an idle machine
    assert code == 0
    assert f"a sandbox is running already (process {state.pid})" in output
    assert "export KUBECONFIG=" in output
    assert sandbox.state() == state

    code, output = await sandbox.run("up")
    assert code == 1
    assert "running with other options" in output
    assert f"--without {BARE[1]}" in output


async def test_two_at_once_make_one_sandbox(sandbox: Sandbox) -> None:
    results = await asyncio.gather(sandbox.run("up", *BARE), sandbox.run("up", *BARE))
    assert [code for code, _ in results] == [0, 0]
    assert sum("is running already" in output for _, output in results) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_up_that_is_interrupted_leaves_nothing(sandbox: Sandbox, number: signal.Signals) -> None:
    process = await sandbox.start("up")
    await eventually(lambda: sandbox.folder.state.exists() and sandbox.state().steps)
    state = sandbox.state()
    process.send_signal(number)
    output, _ = await process.communicate()
    assert process.returncode == 130, output.decode()
    assert sandbox.nothing_left(state)
    assert [entry.name for entry in sandbox.folder.root.iterdir()] == ["lock"]


async def test_nothing_outlives_a_killed_daemon(sandbox: Sandbox) -> None:
    await sandbox.run("up", "--without", "admission,controller,prometheus")
    state = sandbox.state()
    await load(state)
    # the daemon, its guardian, Traefik, the load tester, its command
    await eventually(lambda: len(of_run(state.id)) >= 5)
    os.kill(state.pid, signal.SIGKILL)
    await eventually(lambda: sandbox.nothing_left(state))

    code, output = await sandbox.run("status")
    assert code == 1
    assert "ended without `down`" in output
    code, output = await sandbox.run("up", *BARE)
    assert code == 0, output
    assert "clearing what an unfinished sandbox left behind" in output
    assert sandbox.state().id != state.id


async def test_a_state_whose_process_id_is_anothers_is_stale(sandbox: Sandbox) -> None:
    """Process ids are used again: the one in the file may be anybody's, who must not be harmed."""
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    sandbox.folder.root.mkdir()
    (sandbox.folder.root / "lock").touch()
    sandbox.folder.write(State(id="0123456789abcdef", pid=bystander.pid, stage=Stage.READY))
    assert not belongs(bystander.pid, "0123456789abcdef")
    assert (await sandbox.run("status"))[0] == 1
    assert (await sandbox.run("down"))[0] == 0
    assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()


async def test_a_port_in_use_is_said_and_nothing_stays(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = await sandbox.run("up", "--port", str(port))
    assert code == 1
    assert f"port {port} is in use by another process" in output
    state = sandbox.state()
    assert state.stage is Stage.FAILED
    assert sandbox.nothing_left(state)
    assert (await sandbox.run("up", *BARE))[0] == 0


async def test_a_folder_with_other_files_is_left_alone(sandbox: Sandbox) -> None:
    sandbox.folder.root.mkdir()
    precious = sandbox.folder.root / "thesis.tex"
    precious.touch()
    code, output = await sandbox.run("up", *BARE)
    assert code == 1
    assert "holds files that are not a sandbox's" in output
    assert (await sandbox.run("down"))[0] == 1
    assert precious.exists()
    precious.unlink()


async def test_an_unknown_addon_is_refused_with_those_there_are(sandbox: Sandbox) -> None:
    code, output = await sandbox.run("up", "--without", "istio")
    assert code == 1
    assert f"--without istio: the addons are {BARE[1].replace(',', ', ')}" in output


async def test_names_work_for_tools_that_are_given_the_printed_variables(sandbox: Sandbox) -> None:
    """Every addon is ready, hey reaches Traefik by its in-cluster name, and Prometheus scrapes it."""
    code, output = await sandbox.run("up", "--without", "controller")
    assert code == 0, output
    exports = [line.strip() for line in output.splitlines() if line.strip().startswith("export ")]
    targets = "http://flagger-prometheus.traefik:9090/api/v1/targets"
    script = "; ".join(
        (
            *exports,
            "hey -n 5 -c 1 -host app.example.com http://traefik.traefik | grep -F '[404]'",
            "curl -sf http://flagger-loadtester.test/healthz",
            f'until curl -sf {targets} | grep -q \'"health":"up"\'',
            "do sleep 0.1; done",
        )
    )
    process = await asyncio.create_subprocess_exec("bash", "-ec", script, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    assert process.returncode == 0
    assert told.split() == [b"[404]", b"5", b"responses", b"OK"]


async def test_a_controller_that_is_left_out_can_be_started_by_hand(sandbox: Sandbox) -> None:
    """Webhooks and rights tell it by its user name, so it is given that."""
    assert (await sandbox.run("up", *BARE))[0] == 0
    kubeconfig = sandbox.folder.root / "kubeconfigs" / "traefik.pinfeather-controller"
    kubectl = Path(sys.executable).parent / "kubectl"
    user = "system:serviceaccount:traefik:pinfeather-controller"
    for told, asked in (
        (user, ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]),
        ("yes", ["auth", "can-i", "patch", "canaries", "--subresource=status", "-A"]),
    ):
        process = await asyncio.create_subprocess_exec(
            kubectl, f"--kubeconfig={kubeconfig}", *asked, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert said.decode().strip() == told
