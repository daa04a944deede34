"""What Prometheus and podinfo answer is read with suspicion."""

import pytest

from sandbox.demo.gauges import values
from sandbox.demo.users import version


def _vector(*pairs: tuple[str, str]) -> object:
    result = [{"metric": {"service": service}, "value": [0, value]} for service, value in pairs]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def test_values_are_named_by_workload() -> None:
    answer = _vector(
        ("test-podinfo-primary-80@kubernetescrd", "100"), ("test-podinfo-canary-80@kubernetescrd", "61.5")
    )
    assert values(answer) == {"primary": 100.0, "canary": 61.5}


def test_what_is_not_a_number_is_no_value() -> None:
    assert values(_vector(("test-podinfo-canary-80@kubernetescrd", "NaN"))) == {}


@pytest.mark.parametrize("answer", [None, {}, {"status": "error"}, {"data": {"result": [{"metric": {}}]}}])
def test_an_answer_that_is_no_vector_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="not a vector"):
        values(answer)


@pytest.mark.parametrize(
    ("body", "told"),
    [(b'{"version":"4.0.6"}', "4.0.6"), (b"{}", ""), (b"[]", ""), (b"404 page not found", ""), (b"\xff", "")],
)
def test_the_version_is_told_by_podinfo_alone(body: bytes, told: str) -> None:
    assert version(body) == told
