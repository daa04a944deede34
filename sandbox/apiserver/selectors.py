"""Label and field selectors of lists, watches and collections of deletes.

`Selection` is parsed once per request and asked per object.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.status import bad_request

Requirement = Callable[[Json], bool]

_SET_TERM = re.compile(r"^\s*([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)\s*$")
_EQUAL_TERM = re.compile(r"^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)\s*$")
_EXISTS_TERM = re.compile(r"^\s*(!?)\s*([^\s!=,()]+)\s*$")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")

_ONLY_METADATA = 'is not a known field selector: only "metadata.name", "metadata.namespace"'
_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork",        "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    ("", "events"): (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type",
    ),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("apps", "replicasets"): ("status.replicas",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a request is about. Without requirements: all of them."""

    requirements: tuple[Requirement, ...] = ()
    name: str = ""
    """The only name that can match, where the field selector says so."""

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def matches(self, obj: Json) -> bool:
        return all(requirement(obj) for requirement in self.requirements)


def parse(resource: ResourceType, labels: str, fields: str) -> Selection:
    """Raises an ApiError (400) where a selector cannot be read or names a field that is not selectable."""
    if not labels and not fields:
        return Selection()
    requirements: list[Requirement] = list(_parse_labels(labels))
    only = ""
    for term in filter(None, fields.split(",")):
        found = re.fullmatch(r"\s*([^=!]+?)\s*(==|=|!=)\s*(.*?)\s*", term)
        if not found:
            raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
        path, operator, value = found.groups()
        allowed = ("metadata.name", "metadata.namespace", *resource.selectable_fields)
        if path not in (*allowed, *_FIELDS.get((resource.group, resource.plural), ())):
            raise bad_request(_unknown_field(resource, labels, fields, path))
        requirements.append(_field_requirement(path, value, negated=operator == "!="))
        if path == "metadata.name" and operator != "!=":
            only = value
    return Selection(tuple(requirements), only)


def _unknown_field(resource: ResourceType, labels: str, fields: str, path: str) -> str:
    what = f'"{resource.api_version}, Resource={resource.plural}"'
    known = resource.custom or (resource.group, resource.plural) in _FIELDS
    why = f"field label not supported: {path}" if known else f'"{path}" {_ONLY_METADATA}'
    return f'Unable to find {what} that match label selector "{labels}", field selector "{fields}": {why}'


def _field_requirement(path: str, wanted: str, *, negated: bool) -> Requirement:
    names = ("source", "component") if path == "source" else tuple(path.split("."))

    def requirement(obj: Json) -> bool:
        value: Any = obj
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return (text == wanted) != negated

    return requirement


@lru_cache(maxsize=512)
def _parse_labels(text: str) -> tuple[Requirement, ...]:
    if not text.strip():
        return ()
    return tuple(_label_requirement(term) for term in _COMMA_OUTSIDE_PARENTHESES.split(text))


def _label_requirement(term: str) -> Requirement:
    if found := _SET_TERM.match(term):
        key, operator, listed = found.groups()
        return _labelled(key, {value.strip() for value in listed.split(",")}, negated=operator == "notin")
    if found := _EQUAL_TERM.match(term):
        key, operator, value = found.groups()
        return _labelled(key, {value}, negated=operator == "!=")
    if found := _EXISTS_TERM.match(term):
        absent, key = found.groups()
        return lambda obj: (key in obj["metadata"].get("labels", ())) != bool(absent)
    raise bad_request(
        f"unable to parse requirement: found '{term.strip()}', expected: a label selector requirement"
    )


def _labelled(key: str, values: set[str], *, negated: bool) -> Requirement:
    return lambda obj: (obj["metadata"].get("labels", {}).get(key) in values) != negated


def matches_selector(selector: Json, labels: Json) -> bool:
    """Whether labels satisfy a `LabelSelector` object."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_matches_expression(e, labels) for e in selector.get("matchExpressions", ()))


def _matches_expression(expression: Json, labels: Json) -> bool:
    key, values = expression["key"], expression.get("values", ())
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def selector_text(selector: Json) -> str:
    """A `LabelSelector` as the text that clients put into a query."""
    terms = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
    for expression in selector.get("matchExpressions", ()):
        key, values = expression["key"], ",".join(expression.get("values", ()))
        operator = expression["operator"]
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append(forms.get(operator, f"!{key}"))
    return ",".join(terms)
