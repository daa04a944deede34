"""A ClusterRole that is made of others has the rules of all that it selects."""

from sandbox.cluster_controllers.role_aggregation import aggregated
from shared.types.meta import Json


def role(name: str, *rules: str, selects: str = "", **labels: str) -> Json:
    made: Json = {"metadata": {"name": name, "labels": labels}, "rules": [rule(each) for each in rules]}
    if selects:
        made["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {selects: "true"}}]}
    return made


def rule(resource: str) -> Json:
    return {"apiGroups": [""], "resources": [resource], "verbs": ["get"]}


def test_it_has_each_rule_once_in_the_order_of_names() -> None:
    view = role("view", selects="to_view")
    parts = [
        role("b", "pods", "secrets", to_view="true"),
        role("a", "services", "pods", to_view="true"),
        role("c", "nodes", to_view="false"),
    ]
    assert aggregated(view, [*parts, view]) == [rule("services"), rule("pods"), rule("secrets")]


def test_it_has_nothing_of_its_own() -> None:
    view = role("view", "pods", selects="to_view", to_view="true")
    assert aggregated(view, [view]) == []
