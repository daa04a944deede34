"""A verdict changes after so many of the same answers in a row."""

from sandbox.kubelet.probes import Tally


def verdicts(tally: Tally, answers: str) -> str:
    return "".join("+" if tally.count(success=each == "+") else "-" for each in answers)


def test_a_passing_probe_fails_after_three_failures_in_a_row() -> None:
    assert verdicts(Tally(1, 3, passed=True), "--+---+") == "+++++-+"


def test_a_failed_probe_passes_after_enough_successes() -> None:
    assert verdicts(Tally(2, 3, passed=False), "+-++") == "---+"
