"""PriorityClasses, and what pods get from them."""

from typing import Any

import pytest

from tests.integration.api_client import APPLY, ApiClient, Json
from tests.integration.sandbox.people import Town

PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"


@pytest.fixture
def pods(here: Town) -> str:
    return f"/api/v1/namespaces/{here.namespace}/pods"


def pod(**spec: Any) -> Json:
    container = {"name": "web", "image": "web:1"}
    settings = {"serviceAccountName": "default", "automountServiceAccountToken": False}
    return {"metadata": {"name": "web"}, "spec": {"containers": [container], **settings, **spec}}


async def test_a_pod_has_the_priority_of_its_class(admin: ApiClient, here: Town, pods: str) -> None:
    name = f"important-{here.namespace}"
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
    made = await admin.done("PATCH", f"{PRIORITIES}/{name}?fieldManager=me", body | {"value": 7}, APPLY)
    assert made["preemptionPolicy"] == "PreemptLowerPriority"
    stored = await admin.done("POST", pods, pod(priorityClassName=name))
    assert stored["spec"]["priority"] == 7


async def test_a_pod_of_a_class_that_does_not_exist_is_refused(admin: ApiClient, pods: str) -> None:
    code, answer = await admin.send("POST", pods, pod(priorityClassName="nobody-made-it"))
    why = 'pods "web" is forbidden: no PriorityClass with name nobody-made-it was found'
    assert (code, answer["message"]) == (403, why)


async def test_one_class_at_most_is_for_all_pods_that_name_none(admin: ApiClient, here: Town) -> None:
    names = [f"{name}-{here.namespace}" for name in ("usual", "other")]
    first, second = ({"metadata": {"name": name}, "value": 3, "globalDefault": True} for name in names)
    await admin.done("POST", PRIORITIES, first)
    try:
        code, answer = await admin.send("POST", PRIORITIES, second)
        why = f"PriorityClass {names[0]} is already marked as default. Only one default can exist"
        assert (code, answer["message"].partition(" is forbidden: ")[2]) == (403, why)
    finally:
        await admin.done("DELETE", f"{PRIORITIES}/{names[0]}")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("greedy", 1_000_000_001, "maximum allowed value of a user defined priority is 1000000000"),
        ("system-mine", 1, "system-mine is not a known system priority class"),
    ],
)
async def test_the_highest_priorities_are_for_the_system(
    admin: ApiClient, name: str, value: int, why: str
) -> None:
    code, answer = await admin.send("POST", PRIORITIES, {"metadata": {"name": name}, "value": value})
    assert code == 422
    assert why in answer["message"]
