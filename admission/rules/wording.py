"""Problems in the words of Kubernetes: `Invalid value: 120: ...`, `Forbidden: ...`. Used by every rule.

Each says at its end what to do. Apart so that all rules quote values and spell the phrases alike.
"""

import json
from collections.abc import Iterable

from shared.errors import Problem, ProblemReason
from shared.types.problems import LONGEST_VALUE


def invalid(field: str, value: object, why: str) -> Problem:
    """The value is of the right type and does not do."""
    return Problem(field, ProblemReason.INVALID, f"Invalid value: {quoted(value)}: {why}")


def required(field: str, why: str) -> Problem:
    """There is no value."""
    return Problem(field, ProblemReason.REQUIRED, f"Required value: {why}")


def forbidden(field: str, why: str) -> Problem:
    """The field, or its change, is not allowed here."""
    return Problem(field, ProblemReason.FORBIDDEN, f"Forbidden: {why}")


def unsupported(field: str, value: str, supported: Iterable[str]) -> Problem:
    """The value is none of those that there are."""
    choices = ", ".join(f'"{each}"' for each in sorted(supported))
    message = f"Unsupported value: {quoted(value)}: supported values: {choices}"
    return Problem(field, ProblemReason.UNSUPPORTED, message)


def duplicate(field: str, value: object, why: str) -> Problem:
    """The value is there already."""
    return Problem(field, ProblemReason.DUPLICATE, f"Duplicate value: {quoted(value)}: {why}")


def not_found(field: str, value: object, why: str) -> Problem:
    """What the value names does not exist."""
    return Problem(field, ProblemReason.NOT_FOUND, f"Not found: {quoted(value)}: {why}")


def quoted(value: object) -> str:
    """The value as JSON, cut."""
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}..."
