"""Label and field selectors of lists, watches and collections of deletes.

`Selection` is parsed once per request and asked per object.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sandbox.apiserver import label_selectors
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.status import bad_request

Requirement = Callable[[Json], bool]

_COMMA_NOT_ESCAPED = re.compile(r"(?<!\\),")
_FIELD_TERM = re.compile(r"([^=!]*)(==|!=|=)(.*)", re.DOTALL)

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
    requirements = [_of_object(requirement) for requirement in _parse_labels(labels)]
    only = ""
    known = ("metadata.name", "metadata.namespace", *resource.selectable_fields)
    for path, value, negated in _field_terms(fields):
        if path not in (*known, *_FIELDS.get((resource.group, resource.plural), ())):
            raise bad_request(_unknown_field(resource, path))
        requirements.append(_field_requirement(path, value, negated=negated))
        if path == "metadata.name" and not negated:
            only = value
    return Selection(tuple(requirements), only)


_parse_labels = lru_cache(maxsize=512)(label_selectors.parse)


def _of_object(requirement: label_selectors.Requirement) -> Requirement:
    return lambda obj: requirement(obj["metadata"].get("labels", {}))


def _field_terms(text: str) -> Iterator[tuple[str, str, bool]]:
    """Path, value and whether it is negated; a backslash escapes a comma, an equals sign and itself."""
    for term in _COMMA_NOT_ESCAPED.split(text):
        if not term:
            continue
        found = _FIELD_TERM.fullmatch(term)
        if not found:
            raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
        path, operator, value = found.groups()
        if wrong := re.search(r"\\(?![\\,=]).?|(?<!\\)=", value.replace("\\\\", "")):
            what = (
                "unescaped character in value: 61"
                if wrong[0] == "="
                else f"invalid escape sequence: {wrong[0]}"
            )
            raise bad_request(f"invalid field selector: {what}")
        if path or value:
            yield path, re.sub(r"\\(.)", r"\1", value), operator == "!="


def _unknown_field(resource: ResourceType, path: str) -> str:
    known = resource.custom or (resource.group, resource.plural) in _FIELDS
    return f"field label not supported: {path}" if known else f'"{path}" {_ONLY_METADATA}'


def _field_requirement(path: str, wanted: str, *, negated: bool) -> Requirement:
    names = ("source", "component") if path == "source" else tuple(path.split("."))

    def requirement(obj: Json) -> bool:
        value: Any = obj
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return (text == wanted) != negated

    return requirement


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
