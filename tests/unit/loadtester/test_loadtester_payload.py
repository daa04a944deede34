import json
from typing import Any

import pytest

from loadtester.payload import TaskType, parse_payload, parse_task, split_command
from shared.errors import InvalidSpec


def body(**overrides: Any) -> bytes:
    content = {"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "1"}
    return json.dumps(content | overrides).encode()


def test_a_command_without_a_type_runs_in_the_background_without_a_shell() -> None:
    task = parse_task(
        parse_payload(body(metadata={"cmd": "hey -z 10m -host 'app.example.com' http://traefik.traefik"}))
    )

    assert task.type is TaskType.CMD
    assert task.argv == ("hey", "-z", "10m", "-host", "app.example.com", "http://traefik.traefik")
    assert task.canary == "podinfo.test"
    assert not task.log_output
    assert not task.return_output


def test_a_bash_command_is_left_to_bash() -> None:
    task = parse_task(
        parse_payload(
            body(
                metadata={
                    "type": "bash",
                    "cmd": "curl x | grep y",
                    "logCmdOutput": "true",
                    "returnCmdOutput": "true",
                }
            )
        )
    )

    assert task.argv == ("bash", "-c", "curl x | grep y")
    assert task.log_output
    assert task.return_output


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "metadata is missing"),
        ({}, "metadata is missing"),
        ({"type": "bash"}, "metadata.cmd is missing"),
        ({"type": "cmd", "cmd": "  "}, "metadata.cmd is missing"),
        ({"type": "helm", "cmd": "test x"}, "'helm' is unknown: this load tester knows cmd, bash"),
        ({"cmd": "echo 'open"}, "cannot be split"),
    ],
)
def test_a_task_that_cannot_run_is_refused_with_the_reason(metadata: Any, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        parse_task(parse_payload(body(metadata=metadata)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "body: "),
        (b"[]", "body: "),
        (b'{"name": "podinfo"}', "namespace: Field required"),
        (body(metadata={"cmd": 5}), "metadata.cmd: Input should be a valid string"),
        (body(name=""), "name: "),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused_with_its_fields(content: bytes, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        parse_payload(content)


@pytest.mark.parametrize(
    "command", ["a | b", "a; b", "a > f", "a < f", "a && b", "$(a)", "`a`", 'echo "$HOME"', "a\nb"]
)
def test_what_needs_a_shell_is_refused_and_told_to_use_bash(command: str) -> None:
    with pytest.raises(InvalidSpec, match=r"use metadata\.type bash"):
        split_command(command)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo 'a | b' '$HOME'", ("echo", "a | b", "$HOME")),
        ('curl "http://x/?a=1&b=2"', ("curl", "http://x/?a=1&b=2")),
        (r"echo a\|b", ("echo", "a|b")),
        (r'echo "a\"|b"', ("echo", 'a"|b')),
        ("curl http://x/?a=1", ("curl", "http://x/?a=1")),
    ],
)
def test_quoted_characters_are_no_shell(command: str, words: tuple[str, ...]) -> None:
    assert split_command(command) == words
