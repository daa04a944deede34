"""The report holds what was seen, and says whether all went well."""

import json

from sandbox.demo.report import explain, report
from sandbox.demo.scenarios import PROMOTION, ROLLBACK
from sandbox.demo.show import Show
from shared.types.status import Phase
from tests.unit.sandbox.demo.acts import NOON, show_of


def _ended(show: Show, problem: str = "") -> None:
    act = show.begin(PROMOTION)
    show.see_route(10)
    show.see_canary(Phase.PROGRESSING, 10)
    show.see_event("Normal", "Advance podinfo.test canary weight 10")
    show.user_answered(200, "4.0.6")
    show.see_canary(Phase.SUCCEEDED, 0)
    act.problem = problem
    act.ended = show.clock()


def test_a_report_has_each_scenario_with_what_was_seen_in_it() -> None:
    show = show_of(PROMOTION)
    _ended(show)
    found = json.loads(json.dumps(report(show, NOON, {"kubectl": "v1.37.1"}, "")))
    (scenario,) = found.pop("scenarios")
    started, _ = found.pop("started"), found.pop("seconds")
    assert started == "2026-11-22T12:00:00.000Z"
    assert found == {"ok": True, "versions": {"kubectl": "v1.37.1"}, "problem": ""}
    assert [each["phase"] for each in scenario.pop("phases")] == ["Progressing", "Succeeded"]
    assert [each["weight"] for each in scenario.pop("weights")] == [10, 0]
    ((at, kind, message),) = (each.values() for each in scenario.pop("events"))
    assert at.startswith("2026-11-22T12:00:") and at.endswith("Z")
    assert (kind, message) == ("Normal", "Advance podinfo.test canary weight 10")
    assert scenario.pop("requests") == {
        "total": 1,
        "failed": 0,
        "early": 0,
        "by_status": {"200": 1},
        "by_version": {"4.0.6": 1},
    }
    assert scenario.pop("seconds") > 0
    assert scenario == {
        "name": "promotion",
        "ok": True,
        "expected": "Succeeded",
        "ended": "Succeeded",
        "problem": "",
    }


def test_a_story_that_was_not_played_to_its_end_is_not_ok() -> None:
    show = show_of(PROMOTION, ROLLBACK)
    _ended(show)
    assert report(show, NOON, {}, "")["ok"] is False


def test_a_scenario_that_was_broken_off_is_not_ok() -> None:
    show = show_of(PROMOTION)
    show.begin(PROMOTION)
    found = report(show, NOON, {}, "interrupted")
    assert (found["ok"], found["problem"], found["scenarios"][0]["ok"]) == (False, "interrupted", False)


def test_a_scenario_with_a_problem_makes_the_whole_not_ok() -> None:
    show = show_of(PROMOTION)
    _ended(show, "users are on another version")
    found = report(show, NOON, {}, "")
    assert (found["ok"], found["scenarios"][0]["ok"]) == (False, False)


def test_an_explanation_has_the_problems_the_last_events_and_the_logs() -> None:
    show = show_of(PROMOTION)
    _ended(show, "this\nthat")
    assert list(explain(show.acts[0], "/logs")) == [
        "The scenario promotion did not end as it should.",
        "  - this",
        "  - that",
        "The last events:",
        "  12:00:05 Normal  Advance podinfo.test canary weight 10",
        "The logs are in /logs",
    ]
