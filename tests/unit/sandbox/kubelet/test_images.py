"""An image becomes a command line."""

import sys

import pytest

from sandbox.kubelet.images import ImageUnavailable, Recipe, command_line, split

RECIPES = {
    "app": Recipe((sys.executable, "-m", "app", "--tag={tag}"), "app"),
    "missing": Recipe(("no-such-program",), "missing", "apt-get install it"),
}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("stefanprodan/podinfo:6.0.1", ("stefanprodan/podinfo", "6.0.1")),
        ("ghcr.io/stefanprodan/podinfo:6.0.1", ("stefanprodan/podinfo", "6.0.1")),
        ("docker.io/library/traefik", ("traefik", "latest")),
        ("localhost:5000/app:1", ("app", "1")),
        ("app:1@sha256:abc", ("app", "1")),
    ],
)
def test_an_image_is_a_repository_and_a_tag(image: str, expected: tuple[str, str]) -> None:
    assert split(image) == expected


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        pytest.param([], ["--x"], [sys.executable, "-m", "app", "--tag=2", "--x"], id="entrypoint-and-args"),
        pytest.param(
            ["./app", "--y"], ["--x"], [sys.executable, "-m", "app", "--tag=2", "--y", "--x"], id="own-name"
        ),
        pytest.param(["sh", "-c", "true"], [], ["sh", "-c", "true"], id="another-program"),
    ],
)
def test_a_command_adds_to_the_entrypoint_or_replaces_it(
    command: list[str], arguments: list[str], expected: list[str]
) -> None:
    assert command_line("app:2", command, arguments, RECIPES) == expected


def test_an_unknown_image_names_those_that_are_known() -> None:
    with pytest.raises(ImageUnavailable, match="which knows: app, missing"):
        command_line("other:1", [], [], RECIPES)


def test_a_missing_program_says_how_to_get_it() -> None:
    with pytest.raises(ImageUnavailable, match="no-such-program, which is not installed: apt-get install it"):
        command_line("missing:1", [], [], RECIPES)
