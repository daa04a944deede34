"""The story is the guide's: its files parse, its commands are whole, its numbers are those of the Canary."""

import shlex
from pathlib import Path

import pytest
import yaml

from sandbox.demo.pace import AS_THE_GUIDE, FAST
from sandbox.demo.scenarios import GUIDE, STORY, Load, Quicken, Run
from shared.types.canary import parse_canary
from shared.types.meta import Json
from shared.types.metric import parse_metric_template

ROOT = Path(__file__).parents[4]
SEED = ROOT.parent / "shared" / "seed" / "traefik-canary-deployments.md"
CANARIES = ("podinfo-canary.yaml", "podinfo-canary-not-found.yaml")


def _read(name: str) -> Json:
    found: Json = yaml.safe_load((ROOT / GUIDE / name).read_text())
    return found


@pytest.mark.parametrize("name", CANARIES)
def test_the_pace_of_the_guide_is_that_of_its_canaries(name: str) -> None:
    analysis = parse_canary(_read(name)).spec.analysis
    assert analysis.steps == AS_THE_GUIDE.steps
    assert {metric.interval.total_seconds() for metric in analysis.metrics} == {AS_THE_GUIDE.window}


def test_the_metric_template_parses() -> None:
    assert parse_metric_template(_read("not-found-percentage.yaml")).metadata.name == "not-found-percentage"


def test_files_that_commands_name_exist() -> None:
    words = [
        word
        for scenario in STORY
        for step in scenario.steps
        if isinstance(step, Run | Load)
        for word in shlex.split(step.command)
    ]
    files = [word for word in words if word.startswith("manifests/")]
    assert files and all((ROOT / file).exists() for file in files)


def test_each_canary_is_quickened_with_all_its_metrics() -> None:
    steps = [step for scenario in STORY for step in scenario.steps if isinstance(step, Quicken)]
    assert [step.metrics for step in steps] == [
        len(_read(name)["spec"]["analysis"]["metrics"]) for name in CANARIES
    ]


def test_the_quick_pace_changes_what_it_says() -> None:
    words = shlex.split(FAST.quicken(metrics=3))
    patch = {op["path"]: op["value"] for op in yaml.safe_load(words[-1])}
    assert patch["/spec/analysis/stepWeight"] == FAST.step
    assert [patch[f"/spec/analysis/metrics/{number}/interval"] for number in range(3)] == ["10s"] * 3


def test_the_pace_of_the_guide_changes_nothing() -> None:
    assert AS_THE_GUIDE.quicken(metrics=2) == ""


@pytest.mark.skipif(not SEED.exists(), reason="the guide is not beside the checkout")
@pytest.mark.parametrize("name", ["podinfo-ingressroute.yaml", "podinfo-canary.yaml"])
def test_manifests_are_the_guides_but_for_traefiks_group(name: str) -> None:
    text = (ROOT / GUIDE / name).read_text()
    assert text.replace("traefik.io/v1alpha1", "traefik.containo.us/v1alpha1") in SEED.read_text()


def test_each_story_fits_in_a_line_of_a_small_terminal() -> None:
    assert all(len(scenario.story) <= 76 for scenario in STORY)
