"""What a real kube-apiserver asks about a Canary is answered as it should be."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from admission import chain
from admission.lookup import Lookup
from admission.request import Request, parse
from admission.rules.rule import Change, Options
from tests.unit.admission.rule_cases import Around, rules_of

REVIEWS = Path(__file__).parents[3] / "../shared/recordings/admission-reviews"


class Gatherer:
    """Knows of nothing else."""

    async def gather(self, request: Request, change: Change[Any]) -> Lookup:
        return Around(complete=False)


def recorded(number: str) -> Request:
    found = sorted(REVIEWS.glob(f"{number}-*.json"))
    if not found:
        pytest.skip(f"no recordings at {REVIEWS}")
    return parse(found[0].read_bytes(), datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("number", "allowed", "rules"),
    [
        ("02", True, {"M14"}),
        ("06", True, set()),
        ("08", False, {"U09"}),
        ("28", True, {"U07"}),
    ],
    ids=["created", "suspended", "its status written by a person", "deleted in mid-rollout"],
)
async def test_a_recorded_review_is_answered(number: str, allowed: bool, rules: set[str]) -> None:  # noqa: FBT001 - the expectation
    answer = await chain.review(recorded(number), Gatherer())
    assert answer.allowed is allowed
    assert set(rules_of(answer.violations)) == rules


async def test_the_recorded_status_is_let_through_when_the_controller_writes_it() -> None:
    request = recorded("08")
    answer = await chain.review(request, Gatherer(), Options(controller=request.user.name))
    assert answer.allowed
