"""All rules against one change: every violation at once, and what was wrong before excused. Pure.

    JSON of both sides ──read──► Reading ──check, with a Lookup──► Violations

`chain` calls it for requests, `pinfeather lint` for files.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from admission.answer import Severity, Violation
from admission.lookup import Lookup
from admission.request import Operation
from admission.rules import KINDS
from admission.rules.rule import Change, Kind, Stage
from admission.rules.schema import rule_of
from shared.errors import InvalidSpec, Problem
from shared.names import BREAK_GLASS_ANNOTATION
from shared.resources import Resource
from shared.types.meta import Json


@dataclass(frozen=True, slots=True)
class Reading:
    """A change, and what the schema has against the object as it will be."""

    kind: Kind[Any]
    change: Change[Any]
    problems: tuple[Problem, ...] = ()


def kind_of(resource: Resource) -> Kind[Any] | None:
    """What objects of the resource have to keep; None where there are no rules."""
    found = (kind for kind in KINDS if kind.resource.group == resource.group)
    return next((kind for kind in found if kind.resource.plural == resource.plural), None)


def read(kind: Kind[Any], change: Change[Any]) -> Reading:
    """The change with both sides parsed."""
    new, problems = _parsed(kind, change.raw_new)
    old, _ = _parsed(kind, change.raw_old)
    return Reading(kind, replace(change, new=new, old=old), problems)


def check(reading: Reading, lookup: Lookup) -> tuple[Violation, ...]:
    """Every violation, in the order of the rules. An update is refused for nothing that was so before."""
    found = tuple(_violations(reading, lookup))
    if reading.change.operation is Operation.UPDATE and any(map(_denies, found)):
        before = _before(reading)
        excused = {_key(each) for each in _violations(before, lookup, _OF_THE_OBJECT)}
        return tuple(_softened(each) if _key(each) in excused else each for each in found)
    return found


def effects(reading: Reading, lookup: Lookup) -> tuple[Violation, ...]:
    """What a change of `suspend` alone does: worth a warning, and never refused."""
    return tuple(_softened(each) for each in _violations(reading, lookup, (Stage.CHANGE,)))


def check_status(reading: Reading, lookup: Lookup) -> tuple[Violation, ...]:
    """What is wrong with a write of the status."""
    return tuple(_violations(reading, lookup, (Stage.STATUS,)))


_OF_THE_OBJECT = (Stage.WRITTEN, Stage.SPEC)
_ON_WRITES = (*_OF_THE_OBJECT, Stage.CHANGE)


def _violations(
    reading: Reading, lookup: Lookup, stages: tuple[Stage, ...] | None = None
) -> Iterator[Violation]:
    kind, change = reading.kind, reading.change
    deletes = change.operation is Operation.DELETE
    if stages is None:
        stages = (Stage.DELETE,) if deletes else _ON_WRITES
    for problem in reading.problems:
        yield Violation(rule_of(kind.resource, problem), problem)
    readable = (change.old if deletes else change.new) is not None
    broken = _glass_broken(change)
    for rule in kind.rules:
        if rule.stage in stages and (readable or rule.stage in (Stage.WRITTEN, Stage.STATUS)):
            severity = Severity.WARN if broken and rule.breakable else rule.severity
            for problem in rule.check(change, lookup):
                yield Violation(rule.id, problem, severity)


def _before(reading: Reading) -> Reading:
    """The object before the update, as if it were written once more."""
    change = reading.change
    _, problems = _parsed(reading.kind, change.raw_old)
    return replace(reading, change=replace(change, new=change.old, raw_new=change.raw_old), problems=problems)


def _parsed(kind: Kind[Any], raw: Json | None) -> tuple[Any, tuple[Problem, ...]]:
    if raw is None:
        return None, ()
    try:
        return kind.parse(raw), ()
    except InvalidSpec as error:
        return None, error.problems


def _glass_broken(change: Change[Any]) -> bool:
    sides = (change.raw_new, change.raw_old)
    return any(
        BREAK_GLASS_ANNOTATION in ((side.get("metadata") or {}).get("annotations") or {})
        for side in sides
        if side is not None
    )


def _denies(violation: Violation) -> bool:
    return violation.severity is Severity.DENY


def _softened(violation: Violation) -> Violation:
    return replace(violation, severity=Severity.WARN)


def _key(violation: Violation) -> tuple[str, str, str]:
    return violation.rule, violation.problem.field, violation.problem.message
