"""Warnings as headers: each once, and altogether not so long that a client refuses the answer.

Called by `server.py` when an answer is sent.
"""

import unicodedata
from collections.abc import Iterable

_TOTAL = 4 * 1024
_EACH = 256
"""Characters: beyond the total every text is cut to so many, and at the second time the rest is left out."""


def headers(texts: Iterable[str]) -> list[str]:
    """The values of the Warning headers."""
    unique = [text for text in dict.fromkeys(texts) if text and _is_printable(text)]
    if sum(map(len, unique)) > _TOTAL:
        unique = _shortened(unique)
    return [f"299 - {_quoted(text)}" for text in unique]


def _shortened(texts: list[str]) -> list[str]:
    kept: list[str] = []
    written = 0
    for text in texts:
        if written >= _TOTAL:
            break
        kept.append(text[:_EACH])
        written += len(kept[-1])
    return kept


def _is_printable(text: str) -> bool:
    return not any(unicodedata.category(character) == "Cc" for character in text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
