"""What pydantic finds wrong, in the words of Kubernetes.

Used by every parse of a wire model, and wherever problems are shown one by one. Apart because it alone knows
the codes of pydantic's errors.

    spec.analysis.stepWeight: Invalid value: 120: must be between 1 and 100
"""

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.errors import InvalidSpec, Problem, ProblemReason
from shared.types.meta import Json

M = TypeVar("M", bound=BaseModel)

LONGEST_VALUE = 128
"""Characters shown of a value that is wrong."""

_TYPES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "finite_number": "must be a number",
}


def parse(model: type[M], obj: Json) -> M:
    """The model that a JSON object is.

    Raises:
        InvalidSpec: with every problem, in the order of the model's fields.
    """
    try:
        return model.model_validate(obj)
    except ValidationError as error:
        problems = problems_of(error)
        raise InvalidSpec("; ".join(map(str, problems)), problems) from error


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Every problem that a validation found."""
    found = error.errors(include_url=False)
    # pydantic counts only the valid entries of a list: one bad entry makes it "too short" as well
    parents = {details["loc"][:-1] for details in found}
    return tuple(
        _problem(details)
        for details in found
        if not (details["type"] == "too_short" and details["loc"] in parents)
    )


def _problem(details: ErrorDetails) -> Problem:
    field = _path(details["loc"])
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "missing":
            return Problem(field, ProblemReason.REQUIRED, "Required value")
        case "enum" | "literal_error":
            return Problem(field, ProblemReason.UNSUPPORTED, _unsupported(value, context["expected"]))
        case "string_too_long":
            message = f"Too long: may not be more than {context['max_length']} characters"
            return Problem(field, ProblemReason.TOO_LONG, message)
        case "too_long":
            message = f"Too many: {len(value)}: must have at most {context['max_length']} items"
            return Problem(field, ProblemReason.TOO_MANY, message)
        case "string_too_short" | "too_short":
            return Problem(field, ProblemReason.REQUIRED, "Required value: must not be empty")
        case kind if kind in _TYPES:
            return Problem(field, ProblemReason.WRONG_TYPE, f"Invalid value: {_shown(value)}: {_TYPES[kind]}")
        case _:
            return Problem(field, ProblemReason.INVALID, f"Invalid value: {_shown(value)}: {details['msg']}")


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _unsupported(value: object, expected: str) -> str:
    # pydantic has the choices as text only: "'a', 'b' or 'c'"
    choices = sorted(choice for choice in re.findall(r"'([^']*)'", expected) if choice)
    supported = ", ".join(f'"{choice}"' for choice in choices)
    return f"Unsupported value: {_shown(value)}: supported values: {supported}"


def _shown(value: Any) -> str:
    """The value as JSON, cut; of an object or a list only the word, as it is too long to help."""
    if isinstance(value, dict | BaseModel):
        return '"object"'
    if isinstance(value, list | tuple):
        return '"array"'
    shown = json.dumps(value, default=str, ensure_ascii=False)  # orjson refuses whole numbers of over 64 bits
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}..."
