"""The demo, played for real at its quick pace, ends as it tells.

No request of a user fails, and none comes to a revision before its turn.
"""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.state import STATE_FILE
from shared.types.meta import Json

ROOT = Path(__file__).parents[2]
STEPS = [10, 20, 30, 40, 50]
PROMOTED = (
    "New revision detected! Scaling up podinfo.test",
    "Starting canary analysis for podinfo.test",
    "Pre-rollout check acceptance-test passed",
    *(f"Advance podinfo.test canary weight {weight}" for weight in STEPS),
    "Copying podinfo.test template spec to podinfo-primary.test",
    "Routing all traffic to primary",
    "Promotion completed! Scaling down podinfo.test",
)
ROLLED_BACK = (
    "Rolling back podinfo.test failed checks threshold reached 4",
    "Canary failed! Scaling down podinfo.test",
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


async def test_the_demo_ends_as_the_guide_tells(sandbox_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    code, output = await _pinfeather(
        "demo", "--fast", "--plain", f"--json={file}", f"--state-dir={sandbox_folder}"
    )
    report = json.loads(file.read_text())
    assert (code, report["ok"], report["problem"]) == (0, True, ""), output
    assert report["versions"].keys() == {"kubectl", "prometheus", "python", "traefik"}
    refusal, bootstrap, promotion, hold, hand_edits, rollback, custom_metric = report["scenarios"]
    _check_users(report["scenarios"])
    assert bootstrap["ended"] == "Initialized"
    _check_promotion(promotion)
    _check_hold(hold, output)
    assert (refusal["ended"], hand_edits["ended"]) == ("", "")
    _check_refusals(output)
    _check_rollback(rollback, "Halt podinfo.test advancement success rate ")
    _check_rollback(custom_metric, "Halt podinfo.test advancement 404s percentage ")
    assert "\x1b" not in output, "plain output has no colour"
    code, output = await _pinfeather("sandbox", "status", f"--state-dir={sandbox_folder}")
    assert (code, output) == (1, "no sandbox is running\n")


async def test_an_interrupted_demo_leaves_nothing_behind(sandbox_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    demo = await _start("demo", "--fast", f"--json={file}", f"--state-dir={sandbox_folder}")
    assert demo.stdout is not None
    async with asyncio.timeout(60):
        await demo.stdout.readuntil(b"Advance podinfo.test canary weight")
    run_id = _state(sandbox_folder)["id"]
    demo.send_signal(signal.SIGINT)
    output, _ = await demo.communicate()
    assert demo.returncode == 130, output.decode()
    assert processes.of_run(run_id) == []
    assert _files(sandbox_folder) <= {"lock"}
    report = json.loads(file.read_text())
    assert (report["ok"], report["problem"]) == (False, "it was interrupted")
    assert [each["ok"] for each in report["scenarios"]] == [True, True, False]


def _check_users(scenarios: list[Json]) -> None:
    assert {each["requests"]["failed"] for each in scenarios} == {0}
    assert {each["requests"]["early"] for each in scenarios} == {0}
    assert all(each["requests"]["by_status"].keys() <= {"200"} for each in scenarios)
    assert all(each["requests"]["total"] > 100 for each in scenarios if each["weights"])


def _check_promotion(scenario: Json) -> None:
    assert scenario["ended"] == "Succeeded"
    assert _weights(scenario) == [*STEPS, 0]
    assert [message for message in _messages(scenario) if message in PROMOTED] == list(PROMOTED)
    assert scenario["requests"]["by_version"].keys() == {"4.0.5", "4.0.6"}


def _check_hold(scenario: Json, output: str) -> None:
    """The revision that came in mid-analysis: held, and not one request to it before its turn."""
    assert scenario["ended"] == "Succeeded"
    assert _weights(scenario) == [*STEPS[:2], 0, *STEPS, 0]
    assert [message for message in _messages(scenario) if message in PROMOTED][-len(PROMOTED) + 1 :] == list(
        PROMOTED[1:]
    )
    assert "New revision detected! Restarting analysis for podinfo.test" in _messages(scenario)
    assert scenario["requests"]["by_version"].keys() == {"4.0.6", "4.0.7", "4.0.8"}
    assert "! Warning: Canary test/podinfo holds the new template of podinfo" in output
    assert re.search(r"i The turn of 4\.0\.8: of \d+ requests so far, it has answered 0\.", output)


def _check_refusals(output: str) -> None:
    assert 'x The Canary "podinfo" is invalid:' in output
    assert len(re.findall(r"x \* spec\.\S+: .* \([A-Z]\d\d\)", output)) == 6, "all that is wrong is told"
    assert re.search("x error: .*podinfo-primary is written by Canary test/podinfo alone", output)
    assert "! Warning: Canary test/backend: replicas 2 goes to backend-primary" in output
    sizes = dict(re.findall(r"  (backend\S*) +(\d/\d)", output))
    assert sizes == {"backend": "0/0", "backend-primary": "2/2"}


def _check_rollback(scenario: Json, halt: str) -> None:
    assert scenario["ended"] == "Failed"
    *climb, last = _weights(scenario)
    assert climb and climb == STEPS[: len(climb)] and last == 0
    messages = _messages(scenario)
    assert any(message.startswith(halt) for message in messages)
    assert tuple(messages[-2:]) == ROLLED_BACK
    versions: dict[str, int] = scenario["requests"]["by_version"]
    assert versions["4.0.8"] > scenario["requests"]["total"] / 2


def _weights(scenario: Json) -> list[int]:
    return [each["weight"] for each in scenario["weights"]]


def _messages(scenario: Json) -> list[str]:
    return [each["message"] for each in scenario["events"]]


def _state(folder: Path) -> Json:
    found: Json = json.loads((folder / STATE_FILE).read_text())
    return found


def _files(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def _pinfeather(*arguments: str) -> tuple[int | None, str]:
    process = await _start(*arguments)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.fixture
async def sandbox_folder(tmp_path: Path) -> AsyncIterator[Path]:
    """The state folder of a sandbox that is down afterwards, however the test went."""
    folder = tmp_path / "sandbox"
    yield folder
    await _pinfeather("sandbox", "down", f"--state-dir={folder}")
