"""What built-in kinds and their fields are for, as `kubectl explain` tells it.

The texts are read out of the source of the installed `kubernetes` package, a type at a time and only when
they are asked for: importing its models would cost two seconds and sixty megabytes. Called by `openapi.py`.
"""

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_TYPE = re.compile(r'^class \w+\(.*\):\n    """\n    (.*)', re.MULTILINE)
_FIELD = re.compile(r"^    (\w+): (.+?) = Field\((.*)\)$", re.MULTILINE)
_ALIAS = re.compile(r'serialization_alias="(\w+)"')
_TEXT = re.compile(r'description=("(?:[^"\\]|\\.)*")')
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Described:
    """A type: what it is, what each field is, by its name on the wire, and which fields it needs."""

    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@cache
def of(definition: str) -> Described:
    """What is known of a type, `V1Deployment` for example; nothing where the package does not say."""
    source = _models() / f"{_WORDS.sub('_', definition).lower()}.py"
    if not source.is_file():
        return Described()
    text = source.read_text()
    about = _TYPE.search(text)
    fields, required = {}, []
    for name, kind, options in _FIELD.findall(text):
        alias, told = _ALIAS.search(options), _TEXT.search(options)
        wire = alias[1] if alias else name
        fields[wire] = ast.literal_eval(told[1]) if told else ""
        if not kind.startswith("Optional["):
            required.append(wire)
    return Described(about[1].strip() if about else "", fields, tuple(required))


@cache
def _models() -> Path:
    package = find_spec("kubernetes")
    assert package is not None and package.origin is not None, "it is a pinned dependency"
    return Path(package.origin).parent / "client/models"
