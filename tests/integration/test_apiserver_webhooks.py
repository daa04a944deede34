"""Admission webhooks are called as kube-apiserver calls them: on the sandbox's server and on a real one."""

import asyncio
from typing import Any

import pytest

from tests.integration.api_client import MERGE
from tests.integration.webhook_receiver import Json, configuration, deny, patching, path_of, rule
from tests.integration.webhook_stage import Stage, deployment, picked

pytestmark = pytest.mark.timeout(90)

REVIEW = "admission.k8s.io/v1"


async def test_a_patched_object_gets_its_defaults_and_is_checked_again(stage: Stage) -> None:
    await stage.register("Mutating", stage.webhook("/m", rule("deployments", "CREATE", "apps")))
    container = {"name": "extra", "image": "extra:1"}
    stage.receiver.answers["/m"] = patching(
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": container},
        {"op": "add", "path": "/unknown", "value": 1},
    )
    made = await stage.client.done("POST", stage.deployments, deployment())
    assert made["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] == "IfNotPresent"
    assert "unknown" not in made
    stage.receiver.answers["/m"] = patching({"op": "replace", "path": "/spec/replicas", "value": -1})
    code, refused = await stage.client.send("POST", stage.deployments, deployment("other"))
    assert code == 422
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in refused["message"]


async def test_what_webhooks_change_is_nobodys_field(stage: Stage) -> None:
    await stage.register("Mutating", stage.webhook("/m"))
    stage.receiver.answers["/m"] = patching({"op": "add", "path": "/data/b", "value": "2"})
    _, made, _ = await stage.make()
    assert made["data"] == {"a": "1", "b": "2"}
    (owner,) = made["metadata"]["managedFields"]
    assert owner["fieldsV1"] == {"f:data": {".": {}, "f:a": {}}}


async def test_mutating_webhooks_go_by_name_each_seeing_what_the_last_one_left(stage: Stage) -> None:
    await stage.register("Mutating", stage.webhook("/second"), name="b")
    await stage.register("Mutating", stage.webhook("/first"), name="a")
    await stage.register("Validating", stage.webhook("/last"))
    stage.receiver.answers["/first"] = patching({"op": "add", "path": "/data/b", "value": "2"})
    stage.receiver.answers["/second"] = patching({"op": "add", "path": "/data/c", "value": "3"})
    await stage.make()
    seen = [(path, review["request"]["object"]["data"]) for path, review in stage.receiver.reviews]
    assert seen == [
        ("/first", {"a": "1"}),
        ("/second", {"a": "1", "b": "2"}),
        ("/last", {"a": "1", "b": "2", "c": "3"}),
    ]


async def test_a_webhook_sees_later_changes_once_if_it_asked_to(stage: Stage) -> None:
    await stage.register(
        "Mutating",
        stage.webhook("/again", reinvocationPolicy="IfNeeded"),
        stage.webhook("/never"),
        stage.webhook("/changes"),
    )
    stage.receiver.answers["/changes"] = patching({"op": "add", "path": "/data/b", "value": "2"})
    await stage.make()
    assert [path for path, _ in stage.receiver.reviews] == ["/again", "/never", "/changes", "/again"]
    assert stage.receiver.requests("/again")[1]["object"]["data"] == {"a": "1", "b": "2"}
    stage.receiver.reviews.clear()
    stage.receiver.answers.clear()
    await stage.make()
    assert [path for path, _ in stage.receiver.reviews] == ["/again", "/never", "/changes"]


async def test_a_dry_run_is_told_to_webhooks_and_changes_nothing(stage: Stage) -> None:
    await stage.register("Validating", stage.webhook("/v", sideEffects="NoneOnDryRun"))
    code, _, _ = await stage.make("dry", query="?dryRun=All&fieldManager=me")
    (request,) = stage.receiver.requests("/v")
    assert code == 201 and request["dryRun"] is True
    assert request["options"] == {
        "kind": "CreateOptions",
        "apiVersion": "meta.k8s.io/v1",
        "dryRun": ["All"],
        "fieldManager": "me",
    }
    assert (await stage.client.send("GET", f"{stage.config_maps}/dry"))[0] == 404


async def test_only_writes_that_the_rules_name_are_shown(stage: Stage) -> None:
    await stage.register(
        "Validating",
        stage.webhook("/scale", rule("deployments/scale", "UPDATE", "apps")),
        stage.webhook("/parts", rule("deployments/*", "UPDATE", "apps")),
        stage.webhook("/any-status", rule("*/status", "*")),
        stage.webhook("/made", rule("deployments", "CREATE", "apps")),
        stage.webhook("/cluster", rule("*", scope="Cluster")),
        stage.webhook("/namespaced", rule("deployments", "DELETE", scope="Namespaced")),
        stage.webhook("/other-group", rule("deployments", groups="core")),
    )
    path = f"{stage.deployments}/web"
    await stage.client.done("POST", stage.deployments, deployment())
    await stage.client.done("PATCH", f"{path}/scale", {"spec": {"replicas": 2}}, MERGE)
    await stage.client.done("PATCH", f"{path}/status", {"status": {"replicas": 1}}, MERGE)
    await stage.client.done("PATCH", path, {"spec": {"paused": True}}, MERGE)
    await stage.client.done("DELETE", path)
    seen = sorted((at, r["operation"], r.get("subResource", "")) for at, r in _asked(stage))
    assert seen == [
        ("/any-status", "UPDATE", "status"),
        ("/made", "CREATE", ""),
        ("/namespaced", "DELETE", ""),
        ("/parts", "UPDATE", ""),
        ("/parts", "UPDATE", "scale"),
        ("/parts", "UPDATE", "status"),
        ("/scale", "UPDATE", "scale"),
    ]


def _asked(stage: Stage) -> list[tuple[str, Json]]:
    return [(path, review["request"]) for path, review in stage.receiver.reviews]


async def test_an_object_is_selected_by_its_labels_before_or_after_the_write(stage: Stage) -> None:
    await stage.register("Validating", stage.webhook("/v", objectSelector=picked("me")))
    await stage.make("plain")
    path = f"{stage.config_maps}/plain"
    assert stage.receiver.requests() == []
    await stage.label(path, pick="me")
    await stage.label(path, pick="you")
    await stage.label(path, other="x")
    assert [r["operation"] for r in stage.receiver.requests()] == ["UPDATE", "UPDATE"]
    await stage.client.done("DELETE", path)
    assert len(stage.receiver.requests()) == 2


async def test_a_scale_has_no_labels_to_be_selected_by(stage: Stage) -> None:
    scale = rule("deployments/scale", groups="apps")
    absent = {"matchExpressions": [{"key": "pick", "operator": "DoesNotExist"}]}
    await stage.register(
        "Validating",
        stage.webhook("/picked", scale, objectSelector=picked("me")),
        stage.webhook("/absent", scale, objectSelector=absent),
    )
    labelled = deployment()
    labelled["metadata"]["labels"] = {"pick": "me"}
    await stage.client.done("POST", stage.deployments, labelled)
    await stage.client.done("PATCH", f"{stage.deployments}/web/scale", {"spec": {"replicas": 2}}, MERGE)
    assert [path for path, _ in stage.receiver.reviews] == ["/absent"]


async def test_a_scale_that_a_webhook_changes_is_what_becomes_of_the_deployment(stage: Stage) -> None:
    await stage.register("Mutating", stage.webhook("/m", rule("deployments/scale", groups="apps")))
    await stage.client.done("POST", stage.deployments, deployment())
    stage.receiver.answers["/m"] = patching({"op": "replace", "path": "/spec/replicas", "value": 7})
    path = f"{stage.deployments}/web"
    scale = await stage.client.done("PATCH", f"{path}/scale", {"spec": {"replicas": 3}}, MERGE)
    assert scale["spec"] == {"replicas": 7}
    assert (await stage.client.done("GET", path))["spec"]["replicas"] == 7


async def test_a_namespace_is_in_itself(stage: Stage) -> None:
    name = f"{stage.namespace}-new"
    selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    namespaces = rule("namespaces", groups="core", scope="Cluster")
    await stage.register("Validating", stage.webhook("/v", namespaces, namespaceSelector=selector))
    await stage.client.done("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    await stage.client.done("DELETE", f"/api/v1/namespaces/{name}")
    seen = [(r["operation"], r["name"], r["namespace"]) for r in stage.receiver.requests("/v")]
    assert seen == [("CREATE", name, name), ("DELETE", name, name)]


async def test_a_rule_for_one_version_catches_all_and_gets_what_it_knows(stage: Stage) -> None:
    v2 = {**rule("horizontalpodautoscalers", "CREATE", "autoscaling"), "apiVersions": ["v2"]}
    await stage.register(
        "Validating", stage.webhook("/any", v2), stage.webhook("/exact", v2, matchPolicy="Exact")
    )
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
    body = {"metadata": {"name": "web"}, "spec": spec}
    path = f"/apis/autoscaling/v1/namespaces/{stage.namespace}/horizontalpodautoscalers"
    await stage.client.done("POST", path, body)
    ((at, request),) = _asked(stage)
    assert at == "/any"
    assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v2", "v1")
    assert (request["resource"]["version"], request["requestResource"]["version"]) == ("v2", "v1")
    assert request["object"]["apiVersion"] == "autoscaling/v2"
    assert request["object"]["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50


def _when(*expressions: str) -> list[Json]:
    return [{"name": f"c{n}", "expression": expression} for n, expression in enumerate(expressions)]


async def test_conditions_decide_whether_a_webhook_is_called(stage: Stage) -> None:
    missing = "object.data.z == 'x'"
    cases: list[tuple[str, list[Json], str]] = [
        ("Fail", _when("object.data.a == '1'", "oldObject == null"), "called"),
        ("Fail", _when("request.operation == 'CREATE' && !request.dryRun"), "called"),
        ("Fail", _when("!request.userInfo.username.startsWith('system:')"), "called"),
        ("Fail", _when("has(object.metadata.labels) && 'x' in object.metadata.labels"), "skipped"),
        ("Fail", _when("request.userInfo.username in ['nobody', 'else']"), "skipped"),
        ("Fail", _when(missing, "false"), "skipped"),
        ("Ignore", _when(missing, "true"), "skipped"),
        ("Fail", _when(missing, "true"), f"expression '{missing}' resulted in error: no such key: z"),
        (
            "Fail",
            _when("object.data.a > 1"),
            "expression 'object.data.a > 1' resulted in error: no such overload",
        ),
    ]
    hooks = [
        stage.webhook(f"/case{n}", failurePolicy=policy, matchConditions=when, objectSelector=picked(str(n)))
        for n, (policy, when, _) in enumerate(cases)
    ]
    await stage.register("Validating", *hooks)
    for n, (_, _, expected) in enumerate(cases):
        stage.receiver.reviews.clear()
        code, body, _ = await stage.make(f"case-{n}", labels={"pick": str(n)})
        outcome = "called" if stage.receiver.reviews else "skipped"
        if code != 201:
            assert code == 403
            outcome = body["message"].removeprefix(f'configmaps "case-{n}" is forbidden: ')
        assert outcome == expected


async def test_webhooks_are_not_asked_about_webhooks(stage: Stage) -> None:
    everything = stage.webhook("/v", rule("*/*", "*"), objectSelector=picked(stage.namespace))
    del everything["namespaceSelector"]
    await stage.register("Validating", everything)
    stage.receiver.answers["/v"] = deny
    labels = {"pick": stage.namespace}
    other = configuration("Mutating", f"free-{stage.namespace}")
    other["metadata"]["labels"] = labels
    await stage.client.done("POST", path_of("Mutating"), other)
    role = {"metadata": {"name": f"free-{stage.namespace}", "labels": labels}}
    code, _ = await stage.client.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
    assert code == 400


async def test_a_configuration_counts_from_when_it_is_written_until_it_is_changed(stage: Stage) -> None:
    path = await stage.register("Validating", stage.webhook("/v"))
    stage.receiver.answers["/v"] = deny
    assert (await stage.make())[0] == 400
    elsewhere: Any = [{"op": "replace", "path": "/webhooks/0/rules/0/resources/0", "value": "secrets"}]
    await stage.client.done("PATCH", path, elsewhere, "application/json-patch+json")
    await _until(stage, 201)


async def _until(stage: Stage, code: int) -> None:
    for _ in range(200):
        if (await stage.make())[0] == code:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"never answered with {code}")
