"""What a rule is. The tables of rules are in the package's `__init__`.

The docstring of a check is the rule's documentation, of which `docs/rules.md` is made: the first paragraph
says what has to hold, the next why, and an indented block at the end is a violation, word for word (its lines
are joined).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from admission.answer import Severity
from admission.lookup import Lookup
from admission.request import Operation, User
from shared.errors import Problem
from shared.names import SELECTOR_LABELS
from shared.resources import Resource
from shared.types.meta import Json

T = TypeVar("T")


class Stage(StrEnum):
    """What a rule is about, which decides when it is asked."""

    WRITTEN = "written"
    """The JSON as it is written, on create and update, readable or not."""
    SPEC = "spec"
    """What the object says, on create and update. What the object before the update broke in the same way is
    no reason to refuse."""
    CHANGE = "change"
    """What a create or update does, given what was there and who asks: being wrong before is no excuse."""
    STATUS = "status"
    """A write of the status."""
    DELETE = "delete"
    """A delete; `old` is what goes."""


@dataclass(frozen=True, slots=True)
class Options:
    """What admission was told, as far as rules care. The controller has to be told the same."""

    provider: str = "traefik"
    """Provider of Canaries that name none."""
    controller: str = "system:serviceaccount:pinfeather-system:pinfeather-controller"
    """User name of the controller."""
    selector_labels: tuple[str, ...] = SELECTOR_LABELS
    """Labels by which a target's pods may be told from others."""


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A create, update or delete of one object, parsed; a side that cannot be read is None."""

    operation: Operation
    new: T | None
    old: T | None
    raw_new: Json | None
    raw_old: Json | None
    user: User | None = None
    """None where a file is checked and nobody asks."""
    options: Options = Options()

    @property
    def subject(self) -> T:
        """The object as it will be, or on DELETE as it was. SPEC, CHANGE and DELETE can rely on one."""
        found = self.old if self.operation is Operation.DELETE else self.new
        if found is None:
            raise ValueError("the object cannot be read")
        return found


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """One rule. What its check yields are violations of it."""

    id: str
    severity: Severity
    check: Callable[[Change[T], Lookup], Iterable[Problem]]
    stage: Stage = Stage.SPEC
    breakable: bool = False
    """Whether the break-glass annotation turns a refusal into a warning. Never for what a user may not do."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What objects of one kind have to keep."""

    resource: Resource
    parse: Callable[[Json], T]
    """The object that JSON is; raises InvalidSpec with every problem of the schema."""
    rules: tuple[Rule[T], ...]
