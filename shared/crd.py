"""The CustomResourceDefinitions, generated from the models: `python -m shared.crd [--check] DIR`.

Run by people after a change of the models, and with --check by CI. The models are the one place where a field
is described: its type, bounds, default and explanation all come from there.

    model ──pydantic──► JSON schema ──structural──► what the API server takes ──► one YAML file for each kind
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import yaml
from pydantic.json_schema import GenerateJsonSchema

from shared.duration import render
from shared.resources import ALERT_PROVIDERS, CANARIES, METRIC_TEMPLATES, Resource
from shared.types.alert import AlertProvider
from shared.types.canary import Canary
from shared.types.meta import Json, Wire
from shared.types.metric import MetricTemplate

_KEPT = frozenset(
    {
        *("type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"),
        *("minItems", "maxItems", "maxProperties", "required"),
        *("x-kubernetes-int-or-string", "x-kubernetes-validations"),
    }
)
"""Keys that mean the same in both kinds of schema."""
_TRANSLATED = frozenset({"description", "const", "default", "properties", "items", "additionalProperties"})
_DROPPED = frozenset({"title", "propertyNames", "$defs"})
"""Keys that a structural schema may not have."""


@dataclass(frozen=True, slots=True)
class Column:
    """What `kubectl get` shows; `wide` only with -o wide."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def render(self) -> Json:
        """The entry of `additionalPrinterColumns`."""
        priority = {"priority": 1} if self.wide else {}
        return {"name": self.name, "type": self.type, "jsonPath": self.path, **priority}


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind of ours."""

    resource: Resource
    model: type[Wire]
    columns: tuple[Column, ...]


DEFINITIONS = (
    Definition(
        CANARIES,
        Canary,
        (
            Column("Status", ".status.phase"),
            Column("Weight", ".status.canaryWeight"),
            Column("Suspended", ".spec.suspend", "boolean", wide=True),
            Column("FailedChecks", ".status.failedChecks", wide=True),
            Column("Interval", ".spec.analysis.interval", wide=True),
            Column("Mirror", ".spec.analysis.mirror", "boolean", wide=True),
            Column("StepWeight", ".spec.analysis.stepWeight", wide=True),
            Column("StepWeights", ".spec.analysis.stepWeights", wide=True),
            Column("MaxWeight", ".spec.analysis.maxWeight", wide=True),
            Column("LastTransitionTime", ".status.lastTransitionTime"),
        ),
    ),
    Definition(METRIC_TEMPLATES, MetricTemplate, (Column("Provider", ".spec.provider.type"),)),
    Definition(ALERT_PROVIDERS, AlertProvider, (Column("Type", ".spec.type"),)),
)


def crds() -> Iterator[Json]:
    """Every CustomResourceDefinition of ours, ready to apply."""
    for definition in DEFINITIONS:
        resource = definition.resource
        version = {
            "name": resource.version,
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "additionalPrinterColumns": [column.render() for column in definition.columns],
            "schema": {"openAPIV3Schema": schema(definition.model)},
        }
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{resource.plural}.{resource.group}"},
            "spec": {
                "group": resource.group,
                "names": {
                    "kind": resource.kind,
                    "listKind": f"{resource.kind}List",
                    "plural": resource.plural,
                    "singular": resource.kind.lower(),
                    "categories": ["all"],
                },
                "scope": "Namespaced",
                "versions": [version],
            },
        }


def schema(model: type[Wire]) -> Json:
    """The structural schema of a kind."""
    generated = model.model_json_schema(schema_generator=_Generator)
    whole = structural(generated, generated.get("$defs", {}))
    properties = {
        **whole["properties"],
        "apiVersion": {"type": "string", "description": "Version of the schema that the object follows."},
        "kind": {"type": "string", "description": "Kind of the object."},
        "metadata": {"type": "object"},  # the API server has its own, and allows nothing else here
    }
    return {**whole, "properties": properties, "required": ["spec"]}


def structural(node: Json, definitions: Json) -> Json:
    """One node of pydantic's schema as the API server takes it, with all below it.

    Raises:
        ValueError: the node says something that nobody decided how to translate.
    """
    node = _resolved(node, definitions)
    if unknown := node.keys() - _KEPT - _TRANSLATED - _DROPPED:
        raise ValueError(f"{sorted(unknown)} in {node} have no counterpart in a structural schema")
    rendered: Json = {}
    if "description" in node:
        rendered["description"] = " ".join(node["description"].split())
    rendered |= {key: node[key] for key in node if key in _KEPT}
    if "const" in node:
        rendered["enum"] = [node["const"]]
    # a zero is what a missing field means anyway, and an object would be written into every object
    if node.get("default") and not isinstance(node["default"], dict):
        rendered["default"] = node["default"]
    if "properties" in node:
        rendered["properties"] = {
            name: structural(child, definitions) for name, child in node["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if node.get(key) is True:
            rendered["x-kubernetes-preserve-unknown-fields"] = True
        elif key in node:
            rendered[key] = structural(node[key], definitions)
    return rendered


def _resolved(node: Json, definitions: Json) -> Json:
    """The node without `$ref` and without the choice of null; what the field itself says wins."""
    if "anyOf" in node:
        (choice,) = (choice for choice in node["anyOf"] if choice != {"type": "null"})
        return _resolved({**choice, **_without(node, "anyOf")}, definitions)
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        return _resolved({**definitions[name], **_without(node, "$ref")}, definitions)
    return node


def _without(node: Json, key: str) -> Json:
    return {name: value for name, value in node.items() if name != key}


class _Generator(GenerateJsonSchema):
    """Durations in schemas are Go's, not ISO 8601's."""

    def encode_default(self, dft: Any) -> Any:
        return render(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def files() -> dict[str, str]:
    """The YAML of every definition, by file name."""
    rendered = {}
    for crd in crds():
        plain = orjson.loads(orjson.dumps(crd))
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
        rendered[f"{crd['spec']['names']['plural']}.yaml"] = f"# Generated by `python -m shared.crd`.\n{text}"
    return rendered


def stale(folder: Path) -> list[str]:
    """Names of the files that are missing, or not as the models have them."""
    return [
        name
        for name, text in files().items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    ]


def main() -> int:
    """Write the files, or with --check only say which are out of date; 1 if any is."""
    parser = argparse.ArgumentParser(prog="python -m shared.crd", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is out of date")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.check:
        outdated = stale(options.folder)
        for name in outdated:
            sys.stderr.write(
                f"{options.folder / name} is out of date: run python -m shared.crd {options.folder}\n"
            )
        return 1 if outdated else 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (options.folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
