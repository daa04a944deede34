from pathlib import Path

import pytest

from sandbox.state import Folder, Stage, State, default_root
from shared.errors import ConfigError


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.read() is None
    state = State("1a", 5, Stage.READY, ("one", "two"), "", "https://x", "http://y", ("controller",))
    folder.write(state)
    assert folder.read() == state


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"id": 1}', '{"stage": "x", "steps": [], "without": []}']
)
def test_a_file_that_is_no_state_is_named(tmp_path: Path, content: str) -> None:
    folder = Folder(tmp_path)
    folder.state.write_text(content)
    with pytest.raises(ConfigError, match=r"cannot read .*sandbox\.json"):
        folder.read()


def test_the_default_folder_is_the_users_state_folder() -> None:
    assert default_root("", "/home/a") == Path("/home/a/.local/state/pinfeather/sandbox")
    assert default_root("/state", "/home/a") == Path("/state/pinfeather/sandbox")
