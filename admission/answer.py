"""What a handler answers: values, made into a response by `response` alone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from shared.errors import Problem
from shared.types.meta import Json


class Severity(StrEnum):
    """What follows from a violation."""

    DENY = "deny"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that an object breaks."""

    rule: str
    """The rule's id, as `V08`."""
    problem: Problem
    severity: Severity = Severity.DENY


@dataclass(frozen=True, slots=True)
class PatchOp:
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["add", "replace", "remove"]
    path: str
    """JSON Pointer, escaped."""
    value: Json | list[object] | str | int | bool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Allowed unless a violation denies. Warnings are whole sentences for the person at the terminal."""

    violations: tuple[Violation, ...] = ()
    warnings: tuple[str, ...] = ()
    patch: tuple[PatchOp, ...] = ()

    @property
    def allowed(self) -> bool:
        return all(violation.severity is not Severity.DENY for violation in self.violations)


ALLOWED = Answer()
