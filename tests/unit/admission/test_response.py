import base64

import orjson
import pytest

from admission.answer import ALLOWED, Answer, PatchOp, Severity, Violation
from admission.request import read
from admission.response import LONGEST_WARNING, LONGEST_WARNINGS, render
from shared.errors import Problem, ProblemReason
from tests.wire_reviews import Json, review

STEP = Violation(
    "V08",
    Problem(
        "spec.analysis.stepWeight",
        ProblemReason.INVALID,
        "Invalid value: 120: must be between 1 and 100",
    ),
)
TARGET = Violation("V01", Problem("spec.targetRef", ProblemReason.REQUIRED, "Required value"))
CANARY = review("CREATE", plural="canaries")


def response(answer: Answer, asked: Json = CANARY) -> Json:
    whole = orjson.loads(render(read(orjson.dumps(asked)), answer))
    assert whole.keys() == {"apiVersion", "kind", "response"}
    found: Json = whole["response"]
    assert found["uid"] == asked["request"]["uid"]
    return found


def test_what_is_allowed_without_more_has_nothing_more() -> None:
    assert response(ALLOWED) == {"uid": CANARY["request"]["uid"], "allowed": True}


def test_one_violation_reads_as_kubernetes_writes_it() -> None:
    status = response(Answer((STEP,)))["status"]
    assert status == {
        "code": 422,
        "reason": "Invalid",
        "message": 'Canary.flagger.app "podinfo" is invalid: spec.analysis.stepWeight: Invalid value: 120: '
        "must be between 1 and 100 (V08)",
        "details": {
            "name": "podinfo",
            "group": "flagger.app",
            "kind": "Canary",
            "causes": [
                {
                    "reason": "FieldValueInvalid",
                    "message": "Invalid value: 120: must be between 1 and 100 (V08)",
                    "field": "spec.analysis.stepWeight",
                }
            ],
        },
    }


def test_all_violations_are_in_the_message_and_each_is_a_cause() -> None:
    status = response(Answer((STEP, TARGET)))["status"]
    assert status["message"].endswith("(V08), spec.targetRef: Required value (V01)]")
    assert [cause["field"] for cause in status["details"]["causes"]] == [
        "spec.analysis.stepWeight",
        "spec.targetRef",
    ]


def test_a_refused_delete_is_forbidden_as_the_object_is_not_to_blame() -> None:
    problem = Problem("", ProblemReason.FORBIDDEN, "Forbidden: delete the Canary")
    asked = review("DELETE", old={})
    status = response(Answer((Violation("U08", problem),)), asked)["status"]
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert status["message"].startswith('deployments.apps "podinfo" is forbidden: <object>: Forbidden: ')


def test_core_kinds_have_no_group() -> None:
    status = response(Answer((STEP,)), review(plural="services"))["status"]
    assert status["message"].startswith('Service "podinfo" is invalid: ')


def test_a_violation_that_only_warns_is_a_warning() -> None:
    warned = response(Answer((Violation("V06", STEP.problem, Severity.WARN),), warnings=("Be careful",)))
    assert warned["allowed"] is True
    assert warned["warnings"] == ["Be careful", f"{STEP.problem} (V06)"]


def test_a_refusal_keeps_its_warnings_and_has_no_patch() -> None:
    patch = (PatchOp("add", "/spec/paused", value=True),)
    refused = response(Answer((STEP,), ("Be careful",), patch))
    assert refused["warnings"] == ["Be careful"]
    assert "patch" not in refused


def test_a_patch_is_base64_and_a_removal_has_no_value() -> None:
    patch = (PatchOp("add", "/spec/paused", value=None), PatchOp("remove", "/spec/paused"))
    patched = response(Answer(patch=patch))
    assert patched["patchType"] == "JSONPatch"
    assert orjson.loads(base64.b64decode(patched["patch"])) == [
        {"op": "add", "path": "/spec/paused", "value": None},
        {"op": "remove", "path": "/spec/paused"},
    ]


@pytest.mark.parametrize(
    ("warning", "shown"),
    [
        ("one\ntwo\x00three\r\n", "one two three "),
        ("ä" * LONGEST_WARNING, "ä" * LONGEST_WARNING),
        ("ä" * (LONGEST_WARNING + 1), "ä" * (LONGEST_WARNING - 1) + "…"),
    ],
)
def test_warnings_are_short_lines(warning: str, shown: str) -> None:
    assert response(Answer(warnings=(warning,)))["warnings"] == [shown]


def test_warnings_that_the_api_server_would_drop_are_left_out() -> None:
    many = tuple(f"{number:04d}" + "x" * 196 for number in range(30))
    shown = response(Answer(warnings=many))["warnings"]
    assert shown == list(many[: LONGEST_WARNINGS // 200])


def test_the_same_warning_is_said_once() -> None:
    assert response(Answer(warnings=("a", "a")))["warnings"] == ["a"]
