"""Settings of a process: one frozen dataclass, filled from flags in Flagger's style and from the environment.

Each process declares its own dataclass with `flag` fields; `load` fills it. The only module that reads the
environment.

    @dataclass(frozen=True, slots=True)
    class Settings:
        metrics_server: str = flag("http://prometheus:9090", "Prometheus URL")
        enable_leader_election: bool = flag(default=False, meaning="run replicas")

    settings = load(Settings, sys.argv[1:], prog="controller")   # -metrics-server URL or --metrics-server=URL
"""

import argparse
import dataclasses
import difflib
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum
from typing import Any, NoReturn, TypeVar

from shared import duration
from shared.errors import ConfigError

S = TypeVar("S")

REQUIRED: Any = dataclasses.MISSING
"""As the default of a flag: it must be given."""


def environment(name: str) -> str:
    """One variable of the environment; empty if it is not set."""
    return os.environ.get(name, "")


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with some variables set: for a process that it starts."""
    return {**os.environ, **changes}


def flag(default: Any, meaning: str, *, name: str = "", env: str = "") -> Any:
    """A field that is a flag. Its name is the field's with dashes, unless given; `env` is used where the
    flag is not.
    """
    return dataclasses.field(default=default, metadata={"name": name, "env": env, "help": meaning})


def load(cls: type[S], arguments: Sequence[str], *, prog: str, environ: Mapping[str, str] | None = None) -> S:
    """The settings: each from its flag, else its environment variable, else its default. `--help` prints and
    exits.

    Raises:
        ConfigError: a flag is unknown, missing, or its value cannot be read.
    """
    environ = os.environ if environ is None else environ
    kinds = typing.get_type_hints(cls)
    parser = _Parser(prog=prog, allow_abbrev=False, add_help=False)
    parser.add_argument("--help", "--h", action="help", help="print this and exit")
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # the caller's class is a dataclass; TypeVars cannot say so
    for field in fields:
        name, env = _name(field), field.metadata["env"]
        absent = field.default is REQUIRED
        notes = (
            ["required"]
            if absent
            else []
            if field.default in ("", None, ())
            else [f"default {_text(field.default)}"]
        )
        notes += [f"${env}"] if env else []
        parser.add_argument(
            f"--{name}",
            dest=field.name,
            # A boolean flag alone means true, as in Go.
            nargs="?" if kinds[field.name] is bool else None,
            const="true" if kinds[field.name] is bool else None,
            metavar="",
            help=(field.metadata["help"] + (f" ({', '.join(notes)})" if notes else "")).replace("%", "%%"),
        )
    given = vars(parser.parse(arguments))
    values = {}
    for field in fields:
        text, source = given[field.name], f"--{_name(field)}"
        if text is None and field.metadata["env"]:
            text, source = environ.get(field.metadata["env"]), f"${field.metadata['env']}"
        if text is not None:
            values[field.name] = _read(text, kinds[field.name], source)
        elif field.default is REQUIRED:
            ways = [f"--{_name(field)}", *([f"${field.metadata['env']}"] if field.metadata["env"] else [])]
            raise ConfigError(f"{' or '.join(ways)} must be set: {field.metadata['help']}")
    return cls(**values)


class _Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that the process reports all its errors in one way."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; --help lists all flags")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The flags; unlike parse_args, it suggests what an unknown one may have meant."""
        # One dash means two, as in Go; left alone, argparse would take -metrics for -metrics-server.
        doubled = [re.sub("^-(?=[a-z])", "--", argument) for argument in arguments]
        known, unknown = self.parse_known_args(doubled)
        if unknown:
            near = difflib.get_close_matches(unknown[0].split("=")[0], list(self._option_string_actions), n=1)
            self.error(f"unknown flag {unknown[0]!r}" + (f", did you mean {near[0]}?" if near else ""))
        return known


def _name(field: "dataclasses.Field[Any]") -> str:
    return field.metadata["name"] or field.name.replace("_", "-")


def _text(value: Any) -> str:
    if isinstance(value, timedelta):
        return duration.render(value)
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(text: str, kind: Any, source: str) -> Any:
    """The text as a value of the field's type."""
    if isinstance(kind, types.UnionType):  # X | None
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    try:
        if kind is bool:
            return {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}[
                text.strip().lower()
            ]
        if kind is timedelta:
            return duration.parse(text)
        if typing.get_origin(kind) is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return kind(text)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{source}: {text!r} is not {_wanted(kind)}") from error


def _wanted(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(member.value) for member in kind)}"
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        timedelta: "a duration such as 30s or 1m30s",
    }
    return words.get(kind, f"a {getattr(kind, '__name__', kind)}")
