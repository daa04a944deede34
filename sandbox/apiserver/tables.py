"""Server-side printing: what `kubectl get` shows.

A built-in kind has its columns in `_COLUMNS`, a custom kind in its definition; all other kinds show name and
age.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.apiserver import columns, jsonpath
from sandbox.apiserver.ages import age
from sandbox.apiserver.resources import Json, PrinterColumn, ResourceType
from sandbox.apiserver.status import quoted


@dataclass(frozen=True, slots=True)
class _Shape:
    """Column definitions, and the function that makes a row's cells."""

    definitions: list[Json]
    cells: Callable[[Json], list[Any]]


def table(resource: ResourceType, objects: Sequence[Json], metadata: Json, include: str) -> Json:
    """A `Table` of objects; `include` is None, Metadata or Object, as the client asks."""
    shape = _shape(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": shape.definitions,
        "rows": [{"cells": shape.cells(obj), "object": _included(obj, include)} for obj in objects],
    }


def _included(obj: Json, include: str) -> Json | None:
    if include == "Object":
        return obj
    return None if include == "None" else partial(obj)


def partial(obj: Json) -> Json:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _shape(resource: ResourceType) -> _Shape:
    if resource.custom:
        return _custom_shape(resource.columns)
    wanted, cells = columns.BUILT_IN.get((resource.group, resource.kind), columns.NAME_AND_AGE)
    return _Shape([_definition(name, kind, priority=priority) for name, kind, priority in wanted], cells)


def _definition(name: str, kind: str, *, priority: int = 0, description: str = "", form: str = "") -> Json:
    form = "name" if name == "Name" else form
    return {"name": name, "type": kind, "format": form, "description": description, "priority": priority}


def _custom_shape(printed: Sequence[PrinterColumn]) -> _Shape:
    definitions = [_definition("Name", "string")]
    for column in printed:
        text = column.description or f"Custom resource definition column (in JSONPath format): {column.path}"
        definition = _definition(
            column.name, column.type, priority=column.priority, description=text, form=column.format
        )
        definitions.append(definition)
    return _Shape(
        definitions, lambda obj: [obj["metadata"]["name"], *(_custom_cell(obj, column) for column in printed)]
    )


def _custom_cell(obj: Json, column: PrinterColumn) -> Any:
    values = jsonpath.find(obj, column.path)
    if not values or values[0] is None:
        return None
    match column.type:
        case "string":
            return ",".join(value if isinstance(value, str) else quoted(value) for value in values)
        case "date":
            return age(values[0])
        case "boolean":
            return values[0] if isinstance(values[0], bool) else None
        case _:
            return values[0] if isinstance(values[0], int | float) else None
