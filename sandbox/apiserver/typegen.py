"""Writes `builtin_types.json` and `builtin_numbers.json`: what the server knows of the shape of built-in
kinds.

Run by hand when the pinned `kubernetes` package changes; FOLDER has the `generated.proto` files of that
release (the Go modules k8s.io/api, apimachinery and apiextensions-apiserver, below `k8s.io`):

    python -m sandbox.apiserver.typegen FOLDER

The server reads the files instead of importing the package's models, which would cost two seconds and sixty
megabytes at every start. Types: `{"V1Lease": {"metadata": "V1ObjectMeta", …}}`, where a type is a scalar
(`str int bool float datetime bytes object`), another type, `List[...]` or `Dict[str, ...]`; `object` is an
int-or-string or free-form. Numbers: `{"V1Lease": {"1": "metadata", …}}`, where an object stands for a message
whose fields JSON shows inline.
"""

import re
import sys
from pathlib import Path
from typing import Any

import orjson
from kubernetes.client import models

from sandbox.apiserver.resources import BUILTINS

FOLDER = Path(__file__).parent
# Kinds that clients send but that are no resources.
EXTRA = {
    "V1Scale": "k8s.io.api.autoscaling.v1.Scale",
    "V1DeleteOptions": "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "AuthenticationV1TokenRequest": "k8s.io.api.authentication.v1.TokenRequest",
    "V1Binding": "k8s.io.api.core.v1.Binding",
}
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(
    r"^  (?:optional |repeated |required )?(map<string, [\w.]+>|[\w.]+) (\w+) = (\d+);", re.MULTILINE
)
Table = dict[str, dict[str, Any]]


def collect_types() -> dict[str, dict[str, str]]:
    """Every type that a built-in resource reaches."""
    table: dict[str, dict[str, str]] = {}
    pending = [*EXTRA, *(resource.definition for resource in BUILTINS)]
    while pending:
        name = pending.pop()
        if name in table:
            continue
        model = getattr(models, name)
        table[name] = {
            wire: model.openapi_types[attribute] for attribute, wire in model.attribute_map.items()
        }
        pending += [
            t for spec in table[name].values() for t in re.findall(r"\w+", spec) if hasattr(models, t)
        ]
    return dict(sorted(table.items()))


def read_messages(protos: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Full message name -> its fields as (type, name, number)."""
    messages = {}
    for file in protos.rglob("generated.proto"):
        text = file.read_text()
        package = re.findall(r"^package ([\w.]+);", text, re.MULTILINE)[0]
        for name, body in _MESSAGE.findall(text):
            messages[f"{package}.{name}"] = [
                (_absolute(kind, package), field, number) for kind, field, number in _FIELD.findall(body)
            ]
    return messages


def _absolute(kind: str, package: str) -> str:
    kind = re.sub(r"map<string, ([\w.]+)>", r"\1", kind)
    return kind[1:] if kind.startswith(".") else f"{package}.{kind}"


def collect_numbers(
    types: dict[str, dict[str, str]], messages: dict[str, list[tuple[str, str, str]]]
) -> Table:
    """Field numbers of the same types, found by walking messages and models together."""
    table: Table = {}
    pending = [*EXTRA.items(), *((r.definition, _message_name(r.group, r.version, r.kind)) for r in BUILTINS)]
    while pending:
        definition, message = pending.pop()
        if definition not in table and definition in types and message in messages:
            table[definition] = {}
            _number(definition, message, table[definition], (types, messages, pending))
    return dict(sorted(table.items()))


def _number(definition: str, message: str, into: dict[str, Any], context: tuple[Any, Any, Any]) -> None:
    types, messages, pending = context
    # A few message fields are spelled in another case than their JSON: uID, Webhooks.
    spelling = {name.lower(): name for name in types[definition]}
    for kind, name, number in messages[message]:
        wire = spelling.get(name.lower())
        if wire is not None:
            expression = types[definition][wire]
            into[number] = wire
            pending += [(model, kind) for model in re.findall(r"\w+", expression) if model in types]
        elif kind in messages:
            into[number] = {}
            _number(definition, kind, into[number], context)


def _message_name(group: str, version: str, kind: str) -> str:
    if group == "apiextensions.k8s.io":
        return f"k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.{version}.{kind}"
    return f"k8s.io.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"


def render(table: Table) -> bytes:
    """One line per type, so that a diff of the file reads well."""
    rows = [f'"{name}": {orjson.dumps(fields).decode()}' for name, fields in table.items()]
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def main(protos: Path) -> None:
    types = collect_types()
    numbers = collect_numbers(types, read_messages(protos))
    (FOLDER / "builtin_types.json").write_bytes(render(types))
    (FOLDER / "builtin_numbers.json").write_bytes(render(numbers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
