"""What a rule is. The tables of rules are in the package's `__init__`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from admission.answer import Severity, Violation
from admission.lookup import Lookup
from admission.request import Operation, User
from shared.errors import Problem
from shared.types.meta import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A create, update or delete of one object, parsed; an old side that cannot be read is None."""

    operation: Operation
    new: T | None
    old: T | None
    raw_new: Json | None
    raw_old: Json | None
    user: User | None = None
    """None where a file is checked and nobody asks."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """One rule. What its check yields are violations of it; the check's docstring is its documentation."""

    id: str
    severity: Severity
    check: Callable[[Change[T], Lookup], Iterable[Problem]]

    def violations(self, change: Change[T], lookup: Lookup) -> Iterable[Violation]:
        """What the change breaks."""
        return (Violation(self.id, problem, self.severity) for problem in self.check(change, lookup))
