"""What a real kube-apiserver answered, from the folder beside the checkout; tests without it are skipped."""

import json
from pathlib import Path
from typing import Any

import pytest

_RECORDINGS = Path(__file__).parents[2] / "shared/recordings/http"


def recorded(number: str) -> dict[str, Any]:
    """One exchange by its number: title, request, response."""
    found = sorted(_RECORDINGS.glob(f"{number}-*.json"))
    if not found:
        pytest.skip(f"no recordings at {_RECORDINGS}")
    exchange: dict[str, Any] = json.loads(found[0].read_text())
    return exchange


def stored(number: str) -> dict[str, Any]:
    """The object in an answer: as the API server keeps it, defaults filled in."""
    body: dict[str, Any] = recorded(number)["response"]["body"]
    return body
