"""Webhook configurations are completed and checked when they are written, as kube-apiserver does it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import ApiClient, connected
from tests.integration.webhook_receiver import Json, configuration, path_of, rule, webhook

URL = {"url": "https://127.0.0.1:9/v"}
SERVICE = {"name": "hook", "namespace": "ours"}


@pytest.fixture(params=["sandbox", "real"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ApiClient]:
    if request.param == "real":
        async with connected(request.getfixturevalue("real_api_server").kubeconfig) as bare:
            yield bare
        return
    server = ApiServer(Config(state=tmp_path))
    await server.start()
    async with connected(tmp_path / "kubeconfig") as bare:
        yield bare
    await server.stop()


async def problem(client: ApiClient, *webhooks: Json, kind: str = "Validating") -> str:
    """What is said against a configuration; "" where it is taken."""
    code, body = await client.send(
        "POST", f"{path_of(kind)}?dryRun=All", configuration(kind, "wrong", *webhooks)
    )
    if code == 201:
        return ""
    assert code == 422, body
    name = f"{kind}WebhookConfiguration.admissionregistration.k8s.io"
    return str(body["message"]).removeprefix(f'{name} "wrong" is invalid: ')


def hook(**changes: Any) -> Json:
    whole = {**webhook("hook", URL, [rule("deployments", groups="apps")]), **changes}
    return {name: value for name, value in whole.items() if value is not None}


def hook_with_rule(**changes: Any) -> Json:
    return hook(rules=[{**rule("deployments", groups="apps"), **changes}])


def hook_when(expression: str) -> Json:
    return hook(matchConditions=[{"name": "when", "expression": expression}])


AT = "webhooks[0]"
CLIENT = f"{AT}.clientConfig"
RULE = f"{AT}.rules[0]"
FORM = "; desired format: https://host[/path]"
WHEN = f"{AT}.matchConditions[0]"
CASES: list[tuple[Json, str]] = [
    (hook(), ""),
    (hook(rules=None), ""),
    (hook(admissionReviewVersions=["v2", "v1"]), ""),
    (hook(clientConfig={"service": SERVICE}), ""),
    (
        hook(name="short"),
        f'{AT}.name: Invalid value: "short": '
        "should be a domain with at least three segments separated by dots",
    ),
    (hook(sideEffects=None), f"{AT}.sideEffects: Required value: must specify one of None, NoneOnDryRun"),
    (
        hook(sideEffects="Some"),
        f'{AT}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ),
    (
        hook(timeoutSeconds=31),
        f"{AT}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
    ),
    (
        hook(failurePolicy="Maybe"),
        f'{AT}.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
    ),
    (
        hook(admissionReviewVersions=None),
        f"{AT}.admissionReviewVersions: Required value: must specify one of v1, v1beta1",
    ),
    (
        hook(admissionReviewVersions=["v2"]),
        f'{AT}.admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
    ),
    (hook_with_rule(operations=[]), f"{RULE}.operations: Required value"),
    (
        hook_with_rule(operations=["FOO"]),
        f'{RULE}.operations[0]: Unsupported value: "FOO": '
        'supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
    ),
    (
        hook_with_rule(apiGroups=["*", "apps"]),
        f'{RULE}.apiGroups: Invalid value: ["*","apps"]: '
        "if '*' is present, must not specify other API groups",
    ),
    (
        hook_with_rule(resources=["pods/*", "pods/log"]),
        f'{RULE}.resources[1]: Invalid value: "pods/log": '
        "if 'pods/*' is present, must not specify pods/log",
    ),
    (
        hook_with_rule(scope="Some"),
        f'{RULE}.scope: Unsupported value: "Some": supported values: "*", "Cluster", "Namespaced"',
    ),
    (hook(clientConfig={}), f"{CLIENT}: Required value: exactly one of url or service is required"),
    (
        hook(clientConfig={**URL, "service": SERVICE}),
        f"{CLIENT}: Required value: exactly one of url or service is required",
    ),
    (
        hook(clientConfig={"url": "http://a/"}),
        f"{CLIENT}.url: Invalid value: \"http\": 'https' is the only allowed URL scheme{FORM}",
    ),
    (
        hook(clientConfig={"url": "https://a/?b=c"}),
        f'{CLIENT}.url: Invalid value: "b=c": query parameters are not permitted in the URL',
    ),
    (
        hook(clientConfig={"service": {**SERVICE, "path": "/a//b"}}),
        f'{CLIENT}.service.path: Invalid value: "/a//b": segment[1] may not be empty',
    ),
    (
        hook(objectSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        f"{AT}.objectSelector.matchExpressions[0].values: Required value: "
        "must be specified when `operator` is 'In' or 'NotIn'",
    ),
    (
        hook_when("1 +"),
        f'{WHEN}.expression: Invalid value: "1 +": compilation failed: ERROR: <input>:1:4: Syntax error: '
        "mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', "
        "NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | 1 +\n | ...^",
    ),
    (
        hook_when("object.a == 1 && foo == 1"),
        f'{WHEN}.expression: Invalid value: "object.a == 1 && foo == 1": compilation failed: '
        "ERROR: <input>:1:18: undeclared reference to 'foo' (in container '')\n"
        " | object.a == 1 && foo == 1\n | .................^",
    ),
    (
        hook_when("request.foo == 'a'"),
        f"{WHEN}.expression: Invalid value: \"request.foo == 'a'\": compilation failed: "
        "ERROR: <input>:1:8: undefined field 'foo'\n | request.foo == 'a'\n | .......^",
    ),
    (
        hook_when("'abc'"),
        f"{WHEN}.expression: Invalid value: \"'abc'\": must evaluate to bool but got string",
    ),
    (
        hook_when("object.metadata.name"),
        f'{WHEN}.expression: Invalid value: "object.metadata.name": must evaluate to bool but got dyn',
    ),
]


async def test_what_makes_no_sense_is_refused_with_its_field(client: ApiClient) -> None:
    wrong = {}
    for candidate, expected in CASES:
        said = await problem(client, candidate)
        if said != expected:
            wrong[expected] = said
    assert wrong == {}


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
async def test_a_name_is_used_once(client: ApiClient, kind: str) -> None:
    said = await problem(client, hook(), hook(), kind=kind)
    assert said == 'webhooks[1].name: Duplicate value: "hook.example.com"'


async def test_everything_wrong_is_said_at_once(client: ApiClient) -> None:
    said = await problem(client, {"name": "a.b.c"}, kind="Mutating")
    assert said == (
        f"[{AT}.sideEffects: Required value: must specify one of None, NoneOnDryRun, "
        f"{CLIENT}: Required value: exactly one of url or service is required, "
        f"{AT}.admissionReviewVersions: Required value: must specify one of v1, v1beta1]"
    )


async def test_what_is_left_out_is_filled_in(client: ApiClient) -> None:
    bare = hook(clientConfig={"service": SERVICE}, timeoutSeconds=None)
    body = configuration("Mutating", "bare", bare)
    code, stored = await client.send("POST", f"{path_of('Mutating')}?dryRun=All", body)
    assert code == 201
    (filled,) = stored["webhooks"]
    assert filled["clientConfig"]["service"]["port"] == 443
    assert [r["scope"] for r in filled["rules"]] == ["*"]
    assert (
        filled.items()
        >= {
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "timeoutSeconds": 10,
            "reinvocationPolicy": "Never",
            "namespaceSelector": {},
            "objectSelector": {},
        }.items()
    )
