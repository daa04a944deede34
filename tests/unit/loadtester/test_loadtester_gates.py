from pathlib import Path

import pytest

from loadtester.gates import Gates
from shared.errors import ConfigError


def test_gates_are_closed_until_opened() -> None:
    gates = Gates(None)
    assert not gates.is_open("podinfo.test")
    gates.open("podinfo.test")
    assert gates.is_open("podinfo.test")
    assert not gates.is_open("rollback.podinfo.test")
    gates.close("podinfo.test")
    gates.close("podinfo.test")
    assert not gates.is_open("podinfo.test")


def test_open_gates_survive_a_restart_when_there_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gates.json"
    gates = Gates(file)
    gates.open("a.test")
    gates.open("b.test")
    gates.close("a.test")

    again = Gates(file)
    assert again.is_open("b.test")
    assert not again.is_open("a.test")


@pytest.mark.parametrize("content", ["{", "{}", "3"])
def test_a_broken_gates_file_stops_the_start_and_says_what_to_do(tmp_path: Path, content: str) -> None:
    file = tmp_path / "gates.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="delete it"):
        Gates(file)


def test_a_gate_that_cannot_be_kept_is_not_moved(tmp_path: Path) -> None:
    gates = Gates(tmp_path / "absent" / "gates.json")
    with pytest.raises(ConfigError, match="cannot write"):
        gates.open("a.test")
    assert not gates.is_open("a.test")
