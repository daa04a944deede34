"""The demo as JSON, and as words for those who sit before it. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sandbox.demo.show import Act, Show

LAST_EVENTS = 5


def report(show: Show, started: datetime, versions: dict[str, str], problem: str) -> dict[str, Any]:
    """What `--json` writes; times are RFC 3339 in UTC, weights percent.

    `ok` is true when every scenario of the story was played and ended as it should; `problem` says why not.
    """
    now = show.clock()
    scenarios = [_scenario(act, now) for act in show.acts]
    return {
        "ok": not problem and len(scenarios) == len(show.story) and all(each["ok"] for each in scenarios),
        "started": _time(started),
        "seconds": round((now - started).total_seconds(), 1),
        "versions": versions,
        "scenarios": scenarios,
        "problem": problem,
    }


def _scenario(act: Act, now: datetime) -> dict[str, Any]:
    users = act.users
    return {
        "name": act.scenario.name,
        "ok": act.ended is not None and not act.problem,
        "expected": str(act.scenario.ends or ""),
        "ended": str(act.phase or ""),
        "seconds": round(act.seconds(now), 1),
        "phases": [{"phase": str(each.phase), "at": _time(each.at)} for each in act.phases],
        "weights": [{"weight": each.weight, "at": _time(each.at)} for each in act.weights],
        "events": [{"at": _time(each.at), "type": each.type, "message": each.message} for each in act.events],
        "requests": {
            "total": users.total,
            "failed": users.failed,
            "early": users.early,
            "by_status": dict(users.by_status),
            "by_version": dict(users.by_version),
        },
        "problem": act.problem,
    }


def explain(act: Act, logs: str) -> Iterable[str]:
    """What went wrong in a scenario, line by line: what is not as expected, the last events, the logs."""
    yield f"The scenario {act.scenario.name} did not end as it should."
    yield from (f"  - {problem}" for problem in act.problem.splitlines())
    yield "The last events:" if act.events else "There were no events."
    yield from (f"  {each.at:%H:%M:%S} {each.type:7} {each.message}" for each in act.events[-LAST_EVENTS:])
    yield f"The logs are in {logs}"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
