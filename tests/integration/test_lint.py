"""`pinfeather lint` as CI calls it: what it prints and its exit status."""

import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from cli.__main__ import main

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "manifests/examples"
GUIDE = ROOT / "../shared/seed/traefik-canary-deployments.md"

CANARY = (EXAMPLES / "guide/podinfo-canary.yaml").read_text("utf-8")
WRONG = CANARY.replace("stepWeight: 5", "stepWeight: 120").replace("provider: traefik", "provider: nginx")
MIRRORED = CANARY.replace("stepWeight: 5", "stepWeight: 5\n    mirror: true")
UNWISE = CANARY.replace("maxWeight: 50", "maxWeight: 100")


@dataclass(frozen=True)
class Done:
    """How a run ended."""

    returncode: int
    stdout: str
    stderr: str


class Lint(Protocol):
    """Runs `pinfeather lint`."""

    def __call__(self, *arguments: str, stdin: str = "") -> Done: ...


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lint:
    """The command, in this process."""

    def run(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr("sys.argv", ["pinfeather", "lint", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            status = main()
        except SystemExit as wrong:
            status = int(str(wrong.code))
        written = capsys.readouterr()
        return Done(status, written.out, written.err)

    return run


@pytest.mark.parametrize(("text", "status"), [(CANARY, 0), (MIRRORED, 1), ("kind: [", 2)])
def test_the_process_ends_with_the_status(text: str, status: int) -> None:
    command = [sys.executable, "-m", "cli", "lint", "-"]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, cwd=ROOT, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (status, "")


def test_the_examples_pass(lint: Lint) -> None:
    done = lint(str(EXAMPLES))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+ objects, 0 errors, 0 warnings\n", done.stdout)


def test_the_guide_passes(lint: Lint) -> None:
    if not GUIDE.is_file():
        pytest.skip(f"{GUIDE} is not there")
    blocks = re.findall(r"```yaml\n(apiVersion.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    done = lint("-", stdin="\n---\n".join(blocks))
    assert done.returncode == 0, done.stdout
    assert f"{len(blocks)} objects, 0 errors" in done.stdout


def test_what_is_refused_is_said_with_file_line_and_rule_and_fails(lint: Lint, tmp_path: Path) -> None:
    file = tmp_path / "canary.yaml"
    file.write_text(MIRRORED)
    line = MIRRORED.splitlines().index("    mirror: true") + 1
    done = lint(str(file))
    assert done.returncode == 1
    assert done.stdout == (
        f"{file}:{line}: error: Canary test/podinfo: spec.analysis.mirror: Forbidden: this version does "
        "not do "
        "mirroring; remove it to roll out by weight (P02)\n1 object, 1 error, 0 warnings\n"
    )


def test_what_the_schema_refuses_is_found_too(lint: Lint) -> None:
    done = lint("-", stdin=WRONG)
    assert done.returncode == 1
    assert "spec.analysis.stepWeight: Invalid value: 120: must be between 1 and 100 (V08)" in done.stdout


def test_warnings_fail_only_when_asked_to(lint: Lint) -> None:
    assert lint("-", stdin=UNWISE).returncode == 0
    assert lint("--strict", "-", stdin=UNWISE).returncode == 1
    assert lint("--strict", "-", stdin=CANARY).returncode == 0


def test_programs_read_json(lint: Lint) -> None:
    done = lint("--format", "json", "-", stdin=UNWISE)
    report = json.loads(done.stdout)
    (finding,) = report["findings"]
    assert report["objects"] == 1
    assert (finding["rule"], finding["level"], finding["field"]) == (
        "P05",
        "warning",
        "spec.analysis.maxWeight",
    )
    assert (finding["file"], finding["object"]) == ("<stdin>", "test/podinfo")
    assert finding["line"] == UNWISE.splitlines().index("    maxWeight: 100") + 1


def test_github_shows_annotations_at_the_line(lint: Lint, tmp_path: Path) -> None:
    file = tmp_path / "canary, 100%.yaml"
    file.write_text(UNWISE)
    done = lint("--format", "github", str(file))
    line = UNWISE.splitlines().index("    maxWeight: 100") + 1
    escaped = str(file).replace("%", "%25").replace(",", "%2C")
    assert done.stdout == (
        f"::warning file={escaped},line={line},title=P05::Canary test/podinfo: spec.analysis.maxWeight: "
        "Invalid "
        "value: 100: the analysis goes up to 100%25, where a failure meets every user; set 50, for instance\n"
    )


@pytest.mark.parametrize("format_", ["text", "json", "github"])
def test_what_cannot_be_read_has_a_status_of_its_own(lint: Lint, format_: str) -> None:
    done = lint("--format", format_, "-", stdin=f"{MIRRORED}---\nkind: [\n")
    assert done.returncode == 2
    assert "is no YAML" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_wrong_command_line_has_it_too(lint: Lint) -> None:
    assert lint().returncode == 2
    assert lint("nosuch.yaml").returncode == 2


def test_rules_look_at_the_other_files_given(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "canary.yaml").write_text(CANARY)
    route = (EXAMPLES / "guide/podinfo-ingressroute.yaml").read_text("utf-8")
    (tmp_path / "route.yaml").write_text(route.replace("kind: TraefikService", "kind: Service"))
    done = lint(str(tmp_path))
    assert done.returncode == 0
    assert "past the weights; set kind: TraefikService there (P12)" in done.stdout


def test_two_canaries_for_one_target_are_found_among_the_files(lint: Lint) -> None:
    other = CANARY.replace("  name: podinfo\n  namespace", "  name: other\n  namespace", 1)
    done = lint("-", stdin=f"{CANARY}---\n{other}")
    assert done.returncode == 1
    assert "(O01)" in done.stdout


def test_two_variants_of_one_canary_are_no_conflict(lint: Lint) -> None:
    assert lint("-", stdin=f"{CANARY}---\n{CANARY}").returncode == 0
