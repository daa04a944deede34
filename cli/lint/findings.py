"""What the rules say of objects in files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from admission import check
from admission.answer import Severity, Violation
from admission.request import Operation
from admission.rules import KINDS
from admission.rules.rule import Change
from cli.lint.files import Manifest, Unreadable
from shared.resources import Resource
from shared.types.meta import Json

REFUSED, UNREADABLE = 1, 2
"""Exit statuses."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation and where it is."""

    manifest: Manifest
    violation: Violation

    @property
    def line(self) -> int:
        """Counted from 1."""
        return self.manifest.line(self.violation.problem.field)

    @property
    def is_error(self) -> bool:
        """Whether admission would refuse the object."""
        return self.violation.severity is Severity.DENY

    @property
    def subject(self) -> str:
        """The object, as `Canary test/podinfo`."""
        obj = self.manifest.obj
        metadata = obj.get("metadata")
        named = metadata if isinstance(metadata, dict) else {}
        return f"{obj['kind']} {named.get('namespace', '')}/{named.get('name', '')}"


@dataclass(frozen=True, slots=True)
class Report:
    """All that is to be said."""

    findings: tuple[Finding, ...]
    unreadable: tuple[Unreadable, ...]
    objects: int
    """How many were read, of any kind."""

    @property
    def errors(self) -> int:
        """Findings that admission would refuse."""
        return sum(finding.is_error for finding in self.findings)

    def status(self, *, strict: bool) -> int:
        """The exit status; `strict` counts warnings."""
        if self.unreadable:
            return UNREADABLE
        return REFUSED if self.errors or (strict and self.findings) else 0


class Surroundings:
    """A Lookup of the objects that were given. There may be others."""

    complete = False

    def __init__(self, objects: Iterable[Manifest]) -> None:
        self._objects = [each.obj for each in objects if isinstance(each.obj.get("metadata"), dict)]

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """An object, of whatever version; None where it was not given."""
        found = (obj for obj in self.list(resource, namespace) if obj["metadata"].get("name") == name)
        return next(found, None)

    def list(self, resource: Resource, namespace: str) -> Sequence[Json]:
        """The objects of a kind in a namespace."""
        return [
            obj
            for obj in self._objects
            if _is(obj, resource) and namespace in ("", obj["metadata"].get("namespace"))
        ]

    def allowed(self, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        """True: nobody asks."""
        return True


def find(objects: Sequence[Manifest]) -> tuple[Finding, ...]:
    """Everything that the rules have against the objects, in the order of the files."""
    around = Surroundings(objects)
    found = list[Finding]()
    for manifest in objects:
        kind = next((kind for kind in KINDS if _is(manifest.obj, kind.resource)), None)
        if kind is None:
            continue
        written: Change[Any] = Change(Operation.CREATE, None, None, manifest.obj, None)
        violations = check.check(check.read(kind, written), around)
        found += sorted((Finding(manifest, each) for each in violations), key=lambda each: each.line)
    return tuple(found)


def _is(obj: Json, resource: Resource) -> bool:
    group, _, _ = str(obj.get("apiVersion", "")).rpartition("/")
    return group == resource.group and obj.get("kind") == resource.kind
