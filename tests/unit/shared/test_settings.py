"""Flags as Flagger's users write them, and what they are told when one is wrong."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from shared.errors import ConfigError
from shared.settings import REQUIRED, environment, flag, load


class Provider(StrEnum):
    TRAEFIK = "traefik"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Settings:
    metrics_server: str = flag("http://prometheus:9090", "Prometheus URL", env="METRICS_SERVER")
    control_loop_interval: timedelta = flag(timedelta(seconds=10), "interval")
    selector_labels: tuple[str, ...] = flag(("app", "name"), "labels")
    enable_leader_election: bool = flag(default=False, meaning="run several replicas", env="LEADER_ELECTION")
    mesh_provider: Provider = flag(Provider.TRAEFIK, "router")
    port: int = flag(8080, "port")
    kubeconfig: Path | None = flag(None, "kubeconfig file")
    ratio: float = flag(0.5, "100% of something", name="the-ratio")


@dataclass(frozen=True, slots=True)
class Strict:
    token_file: str = flag(REQUIRED, "file with the token", env="TOKEN_FILE")


def settings(*arguments: str, **environ: str) -> Settings:
    return load(Settings, arguments, prog="test", environ=environ)


def test_without_flags_all_is_default() -> None:
    assert settings() == Settings()


@pytest.mark.parametrize(
    "arguments",
    [["-metrics-server", "x"], ["--metrics-server", "x"], ["-metrics-server=x"], ["--metrics-server=x"]],
)
def test_a_flag_has_one_dash_or_two_and_its_value_after_a_space_or_an_equals_sign(
    arguments: list[str],
) -> None:
    assert settings(*arguments).metrics_server == "x"


def test_values_become_what_the_field_is() -> None:
    read = settings(
        *("-control-loop-interval=1m30s", "-selector-labels=a, b,", "-enable-leader-election"),
        *("-mesh-provider=other", "-port", "0", "-kubeconfig=/x", "-the-ratio=0.25"),
    )
    assert read == Settings(
        control_loop_interval=timedelta(seconds=90),
        selector_labels=("a", "b"),
        enable_leader_election=True,
        mesh_provider=Provider.OTHER,
        port=0,
        kubeconfig=Path("/x"),
        ratio=0.25,
    )


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("1", True), ("F", False)])
def test_a_switch_can_be_spelled_out(text: str, value: bool) -> None:  # noqa: FBT001 - a table
    assert settings(f"-enable-leader-election={text}").enable_leader_election is value


def test_the_environment_counts_where_the_flag_is_not_given() -> None:
    assert settings(METRICS_SERVER="env").metrics_server == "env"
    assert settings("-metrics-server=flag", METRICS_SERVER="env").metrics_server == "flag"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["-metric-server=x"],
            "unknown flag '--metric-server=x', did you mean --metrics-server.*--help lists",
        ),
        (["-zzz"], "unknown flag '--zzz'; --help lists all flags"),
        (["stray"], "unknown flag 'stray'"),
        (["-port"], "-port.*expected one argument"),
        (["-port=x"], "-port: 'x' is not a whole number"),
        (["-the-ratio=x"], "-the-ratio: 'x' is not a number"),
        (["-control-loop-interval=10"], "-control-loop-interval: '10' is not a duration such as 30s"),
        (["-enable-leader-election=maybe"], "-enable-leader-election: 'maybe' is not true or false"),
        (["-mesh-provider=istio"], "-mesh-provider: 'istio' is not one of traefik, other"),
        (["-metrics"], "unknown flag '--metrics'"),
    ],
)
def test_a_wrong_flag_says_what_is_wrong_and_what_to_do(arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings(*arguments)


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"\$LEADER_ELECTION: 'maybe' is not true or false"):
        settings(LEADER_ELECTION="maybe")


def test_a_required_flag_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"--token-file or \$TOKEN_FILE must be set: file with the token"):
        load(Strict, [], prog="test", environ={})
    assert load(Strict, ["-token-file=x"], prog="test", environ={}).token_file == "x"


def test_help_lists_flags_with_defaults_and_variables(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        settings("-help")
    printed = " ".join(capsys.readouterr().out.split())
    for part in (
        "-metrics-server",
        "default http://prometheus:9090, $METRICS_SERVER",
        "default 10s",
        "100% of",
    ):
        assert part in printed


def test_a_variable_that_is_not_set_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINFEATHER_TEST", raising=False)
    assert environment("PINFEATHER_TEST") == ""
    monkeypatch.setenv("PINFEATHER_TEST", "x")
    assert environment("PINFEATHER_TEST") == "x"
