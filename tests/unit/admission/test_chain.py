"""Which rules are asked of which request, and what an update is never refused for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from admission import chain
from admission.answer import Answer
from admission.lookup import Lookup
from admission.request import Operation, Request, User
from admission.rules.rule import Change, Options
from shared.resources import CANARIES, PODS, Resource
from shared.types.meta import Json
from tests.unit.admission.rule_cases import Around, canary, deployment, rules_of

CONTROLLER = Options().controller
WRONG = {"spec.provider": "nginx", "spec.analysis.mirror": True}
"""Breaks P19 and P02."""


class Gatherer:
    """Gives what it was told, and counts how often it was asked."""

    def __init__(self, *objects: Json) -> None:
        self._objects = objects
        self.asked = 0

    async def gather(self, request: Request, change: Change[Any]) -> Lookup:
        self.asked += 1
        return Around(self._objects, complete=False)


def request(
    new: Json | None,
    old: Json | None = None,
    *,
    subresource: str = "",
    user: str = "kim",
    resource: Resource = CANARIES,
) -> Request:
    operation = Operation.CREATE if old is None else Operation.UPDATE
    return Request(
        uid="1",
        operation=Operation.DELETE if new is None else operation,
        resource=resource,
        subresource=subresource,
        namespace="test",
        name="podinfo",
        user=User(user),
        dry_run=False,
        received=datetime(2026, 11, 22, tzinfo=UTC),
        new=new,
        old=old,
    )


async def review(new: Json | None, old: Json | None = None, **parts: Any) -> Answer:
    gatherer = Gatherer(deployment()) if new is None else Gatherer()
    return await chain.review(request(new, old, **parts), gatherer)


async def test_a_wrong_canary_is_refused_with_everything_that_is_wrong() -> None:
    answer = await review(canary(WRONG))
    assert not answer.allowed
    assert sorted(rules_of(answer.violations)) == ["P02", "P19"]


async def test_a_good_canary_is_let_through_without_a_word() -> None:
    assert await review(canary()) == Answer()


@pytest.mark.parametrize(
    "edit",
    [
        {"metadata.annotations": {"a": "b"}},
        {"metadata.labels": {"a": "b"}},
        {"metadata.finalizers": ["finalizer.flagger.app"]},
        {"metadata.ownerReferences": []},
        {},
    ],
)
async def test_a_change_of_metadata_is_never_refused_and_asks_nobody(edit: dict[str, Any]) -> None:
    gatherer = Gatherer()
    answer = await chain.review(request(canary({**WRONG, **edit}), canary(WRONG)), gatherer)
    assert answer == Answer()
    assert gatherer.asked == 0


async def test_a_wrong_canary_can_be_suspended() -> None:
    answer = await review(canary({**WRONG, "spec.suspend": True}), canary(WRONG))
    assert answer.allowed
    running = {**WRONG, "status": {"phase": "Progressing", "canaryWeight": 30}}
    answer = await review(canary({**running, "spec.suspend": True}), canary(running))
    assert answer.allowed
    assert rules_of(answer.violations) == ["U11"]


async def test_a_canary_that_is_being_deleted_may_be_as_it_likes() -> None:
    leaving = canary({**WRONG, "metadata.deletionTimestamp": "2026-11-22T20:00:00Z"})
    assert await review(leaving, canary()) == Answer()


async def test_what_was_wrong_before_an_update_is_a_warning() -> None:
    answer = await review(canary({**WRONG, "spec.analysis.threshold": 11}), canary(WRONG))
    assert answer.allowed
    assert sorted(rules_of(answer.violations)) == ["P02", "P19"]


async def test_what_an_update_breaks_is_refused_beside_what_was_wrong_before() -> None:
    before = canary({"spec.provider": "nginx"})
    answer = await review(canary(WRONG), before)
    refused = [each.rule for each in answer.violations if each.severity.value == "deny"]
    assert refused == ["P02"]


async def test_something_else_wrong_in_the_same_field_is_refused() -> None:
    answer = await review(canary({"spec.provider": "istio"}), canary({"spec.provider": "nginx"}))
    assert not answer.allowed


async def test_an_update_that_mends_one_of_two_mistakes_goes_through() -> None:
    assert (await review(canary({"spec.provider": "nginx"}), canary(WRONG))).allowed


async def test_what_the_schema_had_against_the_old_one_is_excused_too() -> None:
    before = canary({"spec.analysis.stepWeight": 120})
    answer = await review(canary({"spec.analysis.stepWeight": 120, "spec.analysis.threshold": 2}), before)
    assert answer.allowed
    assert rules_of(answer.violations) == ["V08"]


async def test_what_an_update_does_is_refused_however_wrong_the_old_one_was() -> None:
    before = canary(WRONG)
    after = canary({**WRONG, "spec.targetRef.name": "shop", "spec.service.name": "podinfo"})
    answer = await review(after, before)
    assert [each.rule for each in answer.violations if each.severity.value == "deny"] == ["U01"]


async def test_a_delete_is_asked_about_by_nothing_but_the_rules_for_deletes() -> None:
    answer = await review(None, canary(WRONG))
    assert rules_of(answer.violations) == ["U07"]


async def test_the_status_is_the_controllers() -> None:
    after = canary({"status.phase": "Promoting"})
    answer = await review(after, canary(), subresource="status")
    says = (
        f"status: Forbidden: is written by the controller alone, {CONTROLLER}; change the spec, or the "
        "workload"
    )
    assert [(each.rule, str(each.problem)) for each in answer.violations] == [("U09", says)]
    assert not answer.allowed
    assert await review(after, canary(), subresource="status", user=CONTROLLER) == Answer()


async def test_a_status_of_a_canary_that_is_wrong_can_be_written() -> None:
    wrong = canary(WRONG)
    assert await review(wrong, wrong, subresource="status", user=CONTROLLER) == Answer()


async def test_other_kinds_pass() -> None:
    assert await review({"metadata": {}}, resource=PODS) == Answer()


@pytest.mark.parametrize("spec", [None, 5, [], {}])
async def test_a_spec_that_is_none_is_refused_and_not_a_crash(spec: object) -> None:
    assert not (await review({**canary(), "spec": spec})).allowed
    assert not (await review({**canary(), "spec": spec}, canary())).allowed
