"""What the columns of all kinds are made with: see `columns.py`."""

from collections.abc import Callable, Iterable
from typing import Any

from sandbox.apiserver.ages import age
from sandbox.apiserver.resources import Json

Cells = Callable[[Json], list[Any]]
Columns = tuple[tuple[str, str, int], ...]

NONE = "<none>"


def columns(plain: str, wide: str = "") -> Columns:
    """From `Name Ready:integer` (type string unless said); underscores are spaces."""
    parsed = []
    for priority, words in enumerate((plain, wide)):
        for word in words.split():
            name, _, kind = word.partition(":")
            parsed.append((name.replace("_", " "), kind or "string", priority))
    return tuple(parsed)


def name(obj: Json) -> str:
    return str(obj["metadata"]["name"])


def age_of(obj: Json) -> str:
    return age(obj["metadata"].get("creationTimestamp"))


def names(items: Iterable[Json], key: str) -> str:
    return ",".join(str(item.get(key, "")) for item in items)
