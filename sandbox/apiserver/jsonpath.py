"""The part of Kubernetes' JSONPath that printer columns use: `.a.b`, `['x']`, `[0]`, `[*]`,
`[?(@.type=="Ready")]`.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.?(?P<name>[A-Za-z0-9_\-]+)
      | \[\s*'(?P<quoted>[^']*)'\s*\] | \[\s*(?P<index>-?\d+)\s*\] | \.?(?P<all>\[\*\]|\*)
      | \[\?\(\s*@\.(?P<key>[\w.\-/]+)\s*(?P<operator>==|!=)\s*["']?(?P<value>[^"')]*)["']?\s*\)\]""",
    re.VERBOSE,
)
Step = dict[str, str | None]


@lru_cache(maxsize=512)
def _parse(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$").replace("\\.", "\0")
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            return ()
        steps.append(found.groupdict())
        position = found.end()
    return tuple(steps)


def find(obj: Any, path: str) -> list[Any]:
    """Every value at `path`; nothing where the path is missing or cannot be read."""
    values: Iterable[Any] = [obj]
    steps = _parse(path)
    for step in steps:
        values = [found for value in values for found in _advance(value, step)]
    return list(values) if steps else []


def _advance(value: Any, step: Step) -> Iterator[Any]:
    name = step["name"] or step["quoted"]
    if name is not None:
        name = name.replace("\0", ".")
        if isinstance(value, dict) and name in value:
            yield value[name]
    elif step["index"] is not None:
        if isinstance(value, list) and -len(value) <= int(step["index"]) < len(value):
            yield value[int(step["index"])]
    elif step["all"]:
        yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    elif isinstance(value, list):
        for item in value:
            actual = item
            for part in (step["key"] or "").split("."):
                actual = actual.get(part) if isinstance(actual, dict) else None
            if (str(actual) == step["value"]) == (step["operator"] == "=="):
                yield item
