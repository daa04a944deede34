"""The show keeps what happens, each thing in the scenario in which it was seen."""

import asyncio

import pytest

from sandbox.demo.scenarios import BOOTSTRAP, PROMOTION
from sandbox.demo.show import NO_ANSWER, Kind, Line
from sandbox.demo.watch import (
    EventSeen,
    canary_listener,
    event_listener,
    project_canary,
    project_event,
    project_route,
    route_listener,
)
from shared.types.meta import Json
from shared.types.status import Phase
from tests.unit.sandbox.demo.acts import show_of


def test_only_changes_of_phase_and_weight_are_kept() -> None:
    show = show_of(PROMOTION)
    act = show.begin(PROMOTION)
    for phase, weight in ((Phase.PROGRESSING, 0), (Phase.PROGRESSING, 10), (Phase.PROGRESSING, 10)):
        show.see_canary(phase, weight)
    assert [each.phase for each in act.phases] == [Phase.PROGRESSING]
    assert [each.weight for each in act.weights] == [10]
    assert not act.at_rest


def test_a_phase_from_before_does_not_end_the_next_scenario() -> None:
    show = show_of(BOOTSTRAP, PROMOTION)
    assert not show.begin(BOOTSTRAP).at_rest
    show.see_canary(Phase.INITIALIZED, 0)
    assert show.acts[0].at_rest
    assert not show.begin(PROMOTION).at_rest


def test_each_line_of_an_event_is_an_event() -> None:
    show = show_of(PROMOTION)
    act = show.begin(PROMOTION)
    show.see_event("Warning", "Rolling back\nCanary failed!")
    assert [each.message for each in act.events] == ["Rolling back", "Canary failed!"]
    assert [line.text for line in show.feed if line.kind is Kind.WARNING] == [
        "Rolling back",
        "Canary failed!",
    ]


def test_lines_are_handed_on_as_they_come() -> None:
    lines: list[Line] = []
    show = show_of(PROMOTION)
    show.on_line = lines.append
    show.tell(Kind.NOTE, "hear, hear")
    assert [(line.kind, line.text) for line in lines] == [(Kind.NOTE, "hear, hear")]


def test_users_are_counted_by_status_and_version() -> None:
    show = show_of(PROMOTION)
    users = show.begin(PROMOTION).users
    show.user_answered(200, "4.0.5")
    show.user_answered(200, "4.0.6")
    show.user_answered(500, "")
    show.user_unanswered()
    assert (users.total, users.failed) == (4, 2)
    assert users.by_status == {"200": 2, "500": 1, NO_ANSWER: 1}
    assert users.by_version == {"4.0.5": 1, "4.0.6": 1}


async def test_until_returns_once_its_fact_holds() -> None:
    show = show_of(PROMOTION)
    ten = asyncio.create_task(show.until(lambda: show.weight >= 10))
    twenty = asyncio.create_task(show.until(lambda: show.weight >= 20))
    await asyncio.sleep(0)
    show.see_canary(Phase.PROGRESSING, 10)
    await ten
    assert not twenty.done()
    show.see_canary(Phase.PROGRESSING, 20)
    await twenty


def test_a_canary_without_status_has_no_phase() -> None:
    seen = project_canary({"metadata": {}, "status": {}})
    assert (seen.phase, seen.weight) == (Phase.NONE, 0)


def _event(count: int, name: str = "podinfo") -> EventSeen:
    involved = {"kind": "Canary", "name": name}
    return project_event({"involvedObject": involved, "type": "Normal", "message": "Advance", "count": count})


@pytest.mark.parametrize(
    ("services", "share"),
    [
        ([{"name": "podinfo-primary", "weight": 80}, {"name": "podinfo-canary", "weight": 20}], 20),
        ([{"name": "podinfo-primary", "weight": 100}], 0),
        ([{"name": "podinfo-canary"}], 1),
    ],
)
def test_the_canarys_share_is_read_from_the_route(services: list[Json], share: int) -> None:
    assert project_route({"spec": {"weighted": {"services": services}}}) == share


def test_the_share_is_that_of_the_route_named_as_the_application() -> None:
    show = show_of(PROMOTION)
    act = show.begin(PROMOTION)
    changed = route_listener(show)
    changed(("test", "backend"), None, 10)
    assert (show.share, act.climbs) == (0, 0)
    changed(("test", "podinfo"), 0, 10)
    changed(("test", "podinfo"), 10, 20)
    assert (show.share, act.climbs) == (20, 1)
    changed(("test", "podinfo"), 20, None)
    assert show.share == 0


def test_an_event_that_is_counted_up_is_told_again() -> None:
    show = show_of(PROMOTION)
    act = show.begin(PROMOTION)
    changed = event_listener(show)
    changed(("test", "a"), None, _event(1))
    changed(("test", "a"), _event(1), _event(1))
    changed(("test", "a"), _event(1), _event(2))
    changed(("test", "a"), _event(2), None)
    assert [each.message for each in act.events] == ["Advance", "Advance"]


def test_events_of_others_are_not_told() -> None:
    show = show_of(PROMOTION)
    act = show.begin(PROMOTION)
    event_listener(show)(("test", "a"), None, _event(1, "other"))
    assert act.events == []


def test_a_canary_that_is_deleted_has_no_phase() -> None:
    show = show_of(PROMOTION)
    changed = canary_listener(show)
    seen = project_canary({"status": {"phase": "Progressing", "canaryWeight": 20}})
    changed(("test", "podinfo"), None, seen)
    assert (show.phase, show.weight) == (Phase.PROGRESSING, 20)
    changed(("test", "other"), seen, None)
    assert show.phase is Phase.PROGRESSING
    changed(("test", "podinfo"), seen, None)
    assert (show.phase, show.weight) == (Phase.NONE, 0)
