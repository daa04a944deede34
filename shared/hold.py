"""What admission and the controller tell each other about a target, in its annotations. Pure.

    kubectl set image ─► admission: Hold on a live target, Rollout on any ─► controller: moves traffic, lifts

A hold pauses the Deployment, so that its pods go on running the template of before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from shared.names import HOLD_ANNOTATION, ROLLOUT_ANNOTATION
from shared.types.meta import Json

_MOST_REPLICAS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Hold:
    """A template that waits."""

    revision: str
    """Hash of the template that waits."""
    runs: str
    """Hash of the template that the pods run meanwhile."""
    since: datetime
    """When the first template since the last release began to wait."""
    paused: bool = False
    """Whether somebody else had paused the Deployment before: then it stays so when the hold is lifted."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A change of the target's template."""

    revision: str
    """Hash of the new template."""
    user: str
    """Who asked the API server for it."""
    at: datetime
    images: dict[str, tuple[str, str]]
    """By container: the image of before and the new one, where they differ. Empty where there was none."""


def render(mark: Hold | Rollout) -> str:
    """The annotation's value; the same mark always has the same text."""
    return orjson.dumps(mark, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z).decode()


def hold_of(metadata: Json) -> Hold | None:
    """The hold of an object. An annotation that cannot be read holds all the same: it names no revision."""
    text = (metadata.get("annotations") or {}).get(HOLD_ANNOTATION)
    if text is None:
        return None
    fields = _fields(text)
    try:
        return Hold(
            str(fields["revision"]),
            str(fields["runs"]),
            _moment(fields["since"]),
            bool(fields.get("paused")),
        )
    except (KeyError, OverflowError, TypeError, ValueError):
        return Hold("", "", datetime.fromisoformat("1970-01-01T00:00:00Z"))


def rollout_of(metadata: Json) -> Rollout | None:
    """Who started the last rollout; None where nobody did or the annotation cannot be read."""
    text = (metadata.get("annotations") or {}).get(ROLLOUT_ANNOTATION)
    if text is None:
        return None
    fields = _fields(text)
    try:
        images = {str(name): (str(old), str(new)) for name, (old, new) in fields["images"].items()}
        return Rollout(str(fields["revision"]), str(fields["user"]), _moment(fields["at"]), images)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def replicas_in(text: str) -> int | None:
    """The replicas that an annotation gives; None where it is no number that the API server would take."""
    if not text.isdecimal() or len(text) > len(str(_MOST_REPLICAS)) or int(text) > _MOST_REPLICAS:
        return None
    return int(text)


def _moment(text: str) -> datetime:
    """In UTC. One without its zone is none: it cannot be compared with any other."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return found.astimezone(UTC)


def _fields(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
