"""A JSON merge patch applied, after the pseudo-code in section 2 of RFC 7386: the oracle for our patches."""

from typing import Any


def merged(target: Any, patch: Any) -> Any:
    """The target after the patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
