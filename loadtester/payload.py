"""What a hook asks for: the body of `POST /`, parsed once into a Task.

Called by the server. Apart from it because parsing needs no HTTP, and every refusal here is a text for the
author of the Canary.
"""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from shared.errors import InvalidSpec

SHELL_OUTSIDE_QUOTES = frozenset("|&;<>()$`\n")
SHELL_INSIDE_DOUBLE_QUOTES = frozenset("$`")


class TaskType(StrEnum):
    """How a command is run; the value of `metadata.type`."""

    CMD = "cmd"
    BASH = "bash"


class Payload(BaseModel):
    """The body that Flagger-style controllers post to every hook."""

    name: str = Field(min_length=1, max_length=253)
    namespace: str = Field(min_length=1, max_length=63)
    phase: str = ""
    checksum: str = ""
    metadata: Annotated[dict[str, str], BeforeValidator(lambda value: {} if value is None else value)] = (
        Field(default_factory=dict)
    )

    @property
    def canary(self) -> str:
        """`name.namespace`, as it stands in logs and in gate keys."""
        return f"{self.name}.{self.namespace}"


@dataclass(frozen=True, slots=True)
class Task:
    """One command to run for one Canary."""

    canary: str
    type: TaskType
    command: str
    argv: tuple[str, ...]
    log_output: bool
    return_output: bool


def parse_payload(body: bytes) -> Payload:
    """The hook's payload. Raises InvalidSpec with every field that is wrong."""
    try:
        return Payload.model_validate_json(body)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in error.errors()
        )
        raise InvalidSpec(f"the hook's payload cannot be read: {problems}") from error


def parse_task(payload: Payload) -> Task:
    """The command that the payload's metadata names. Raises InvalidSpec, with what to write instead."""
    metadata = payload.metadata
    if not metadata:
        raise InvalidSpec(
            "metadata is missing: set metadata.cmd to the command and metadata.type to cmd or bash"
        )
    name = metadata.get("type", TaskType.CMD)
    if name not in set(TaskType):
        raise InvalidSpec(f"metadata.type {name!r} is unknown: this load tester knows {', '.join(TaskType)}")
    command = metadata.get("cmd", "").strip()
    if not command:
        raise InvalidSpec("metadata.cmd is missing: it names the command to run")
    task_type = TaskType(name)
    return Task(
        canary=payload.canary,
        type=task_type,
        command=command,
        argv=("bash", "-c", command) if task_type is TaskType.BASH else split_command(command),
        log_output=metadata.get("logCmdOutput") == "true",
        return_output=metadata.get("returnCmdOutput") == "true",
    )


def split_command(command: str) -> tuple[str, ...]:
    """The words of a command that runs without a shell.

    Raises InvalidSpec where a shell would do something with the text that running it directly cannot.
    """
    if character := shell_character(command):
        raise InvalidSpec(
            f"metadata.cmd uses {character!r}, which needs a shell, and type cmd runs without one: "
            "use metadata.type bash, or quote the character if it is meant literally"
        )
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InvalidSpec(f"metadata.cmd cannot be split into words: {error}") from error
    return tuple(words)


def shell_character(command: str) -> str | None:
    """The first character that a shell would act upon, None where there is none; quoting counts as in sh."""
    quote = ""
    escaped = False
    for character in command:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            if character == quote:
                quote = ""
            elif quote == '"' and character in SHELL_INSIDE_DOUBLE_QUOTES:
                return character
        elif character in "'\"":
            quote = character
        elif character in SHELL_OUTSIDE_QUOTES:
            return character
    return None
