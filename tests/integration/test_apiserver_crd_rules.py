"""Rules in CEL that a CRD's schema carries: what they say of objects, and what is said of wrong rules."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.apiserver import ApiServer, Config
from tests.integration.api_client import MERGE, ApiClient, Json, connected

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RULES = "x-kubernetes-validations"
TEXT: Json = {"type": "string", "maxLength": 20}
_numbers = itertools.count()


def rules(*written: tuple[str, str], **more: Any) -> list[Json]:
    """Pairs of a rule and its message; without one where it is empty."""
    return [{"rule": rule, **({"message": message} if message else {}), **more} for rule, message in written]


def checked(kind: str, *written: tuple[str, str], **more: Any) -> Json:
    return {"type": kind, RULES: rules(*written), **more}


def listed(items: Json, *written: tuple[str, str], **more: Any) -> Json:
    return checked("array", *written, items=items, maxItems=5, **more)


ITEM = checked("object", ("!has(self.v) || self.v < 3", "v is small"), properties={"v": {"type": "integer"}})
NAMED = checked(
    "object",
    ("!has(self.v) || !has(oldSelf.v) || self.v >= oldSelf.v", "v only grows"),
    required=["name"],
    properties={"name": TEXT, "v": {"type": "integer"}},
)
SPEC: Json = {
    "type": "object",
    RULES: [
        *rules(("!has(self.a) || self.a != 'x'", "")),
        *rules(
            ("!has(self.a) || self.a != 'y'", "not y"), reason="FieldValueForbidden", fieldPath=".a"
        ),
        *rules(("!has(self.must) || self.must", "it must"), reason="FieldValueRequired", fieldPath=".b.c"),
        *rules(
            ("!has(self.fixed) || !has(oldSelf.fixed) || self.fixed == oldSelf.fixed", "fixed is fixed")
        ),
        *rules(("!has(self.n) || self.n < 90", "fallback"), messageExpression="'n is big'"),
        *rules(("!has(self.k) || self.k['z'] == 'a'", "")),
    ],
    "properties": {
        "a": TEXT,
        "b": {"type": "object", "properties": {"c": TEXT}},
        "must": {"type": "boolean"},
        "fixed": TEXT,
        "k": {"type": "object", "additionalProperties": TEXT},
        "s": checked("string", ("self != 'bad'", "not bad"), ("self == oldSelf", "s stays"), maxLength=9),
        "n": checked("integer", ("self > 3", ""), minimum=2),
        "wait": checked("string", ("duration(self) > duration('0s')", "longer")),
        "port": {
            "x-kubernetes-int-or-string": True,
            RULES: rules(("type(self) == int ? self < 5 : self == 'a'", "a port")),
        },
        "list": listed(ITEM, ("self.size() < 3", "short")),
        "named": listed(
            NAMED, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
        "odd": checked(
            "object", ("!has(self.a__dash__b) || self.a__dash__b != 'n'", "dash"), properties={"a-b": TEXT}
        ),
    },
}  # fmt: skip


def definition(plural: str, spec: Json) -> Json:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.cel.example.com"},
        "spec": {
            "group": "cel.example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": plural.capitalize()},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


@dataclass
class Things:
    """Objects of a kind with rules."""

    client: ApiClient
    plural: str

    @property
    def path(self) -> str:
        return f"/apis/cel.example.com/v1/namespaces/default/{self.plural}"

    async def refusal(self, spec: Json) -> str:
        return self._told(await self.client.send("POST", f"{self.path}?dryRun=All", self._thing(spec)))

    async def refusal_of_change(self, spec: Json) -> str:
        patched = await self.client.send("PATCH", f"{self.path}/t?dryRun=All", {"spec": spec}, MERGE)
        return self._told(patched)

    async def create(self, spec: Json) -> None:
        await self.client.done("POST", self.path, self._thing(spec))

    def _thing(self, spec: Json) -> Json:
        kind = {"apiVersion": "cel.example.com/v1", "kind": self.plural.capitalize()}
        return {**kind, "metadata": {"name": "t"}, "spec": spec}

    def _told(self, answer: tuple[int, Any]) -> str:
        """What is said against it; "" where it was taken."""
        code, body = answer
        if code in (200, 201):
            return ""
        assert code == 422, body
        prefix = f'{self.plural.capitalize()}.cel.example.com "t" is invalid: '
        return str(body["message"]).removeprefix(prefix)


@pytest.fixture(params=["sandbox", "real"])
async def things(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Things]:
    server = None
    if request.param == "real":
        kubeconfig = request.getfixturevalue("real_api_server").kubeconfig
    else:
        server = ApiServer(Config(state=tmp_path))
        await server.start()
        kubeconfig = tmp_path / "kubeconfig"
    async with connected(kubeconfig) as client:
        made = Things(client, f"things{next(_numbers)}")
        await client.done("POST", CRDS, definition(made.plural, SPEC))
        for _ in range(200):
            if (await client.send("POST", f"{made.path}?dryRun=All", made._thing({})))[0] == 201:
                break
            await asyncio.sleep(0.05)
        yield made
        await client.send("DELETE", f"{CRDS}/{made.plural}.cel.example.com")
    if server is not None:
        await server.stop()


CASES: list[tuple[Json, str]] = [
    ({"a": "b"}, ""),
    ({"wait": "1m"}, ""),
    ({"a": "x"}, "spec: Invalid value: failed rule: !has(self.a) || self.a != 'x'"),
    ({"a": "y"}, "spec.a: Forbidden: not y"),
    ({"must": False}, "spec.b.c: Required value: it must"),
    ({"n": 95}, "spec: Invalid value: n is big"),
    ({"n": 3}, "spec.n: Invalid value: 3: failed rule: self > 3"),
    ({"s": "bad"}, 'spec.s: Invalid value: "bad": not bad'),
    ({"wait": "0s"}, 'spec.wait: Invalid value: "0s": longer'),
    (
        {"wait": "soon"},
        "spec.wait: Invalid value: \"string\": type conversion error from 'string' to "
        "'google.protobuf.Duration' evaluating rule: longer",
    ),
    (
        {"k": {"b": "c"}},
        "spec: Invalid value: \"object\": no such key: z evaluating rule: !has(self.k) || self.k['z'] == 'a'",
    ),
    ({"port": 9}, "spec.port: Invalid value: 9: a port"),
    ({"port": "b"}, 'spec.port: Invalid value: "b": a port'),
    ({"odd": {"a-b": "n"}}, "spec.odd: Invalid value: dash"),
    (
        {"list": [{"v": 1}, {"v": 9}, {"v": 8}]},
        "[spec.list: Invalid value: short, spec.list[1]: Invalid value: v is small, "
        "spec.list[2]: Invalid value: v is small]",
    ),
    (
        {"n": 1},
        "[spec.n: Invalid value: 1: spec.n in body should be greater than or equal to 2, "
        "spec.n: Invalid value: 1: failed rule: self > 3]",
    ),
    (
        {"a": "x", "n": "text"},
        '[spec.n: Invalid value: "string": spec.n in body must be of type integer: "string", '
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
        "correct the existing errors to complete validation]",
    ),
]


@pytest.mark.timeout(60)
async def test_an_object_that_breaks_a_rule_is_told_which(things: Things) -> None:
    wrong = {}
    for spec, expected in CASES:
        said = await things.refusal(spec)
        if said != expected:
            wrong[expected] = said
    assert wrong == {}


@pytest.mark.timeout(60)
async def test_a_rule_about_a_change_compares_with_what_was_there(things: Things) -> None:
    await things.create({"fixed": "a", "s": "one", "named": [{"name": "a", "v": 5}, {"name": "b"}]})
    moved = [{"name": "b", "v": 1}, {"name": "a", "v": 4}]
    cases: list[tuple[Json, str]] = [
        ({"fixed": "b"}, "spec: Invalid value: fixed is fixed"),
        ({"s": "two"}, 'spec.s: Invalid value: "two": s stays'),
        ({"named": moved}, "spec.named[1]: Invalid value: v only grows"),
        ({"fixed": None, "s": None}, ""),
    ]
    assert [(spec, await things.refusal_of_change(spec)) for spec, _ in cases] == cases


@pytest.mark.timeout(60)
async def test_a_new_rule_is_not_held_against_what_an_update_leaves_alone(things: Things) -> None:
    await things.create({"s": "one", "a": "b"})
    where = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    stricter: Any = [
        {"op": "add", "path": f"{where}/s/{RULES}/-", "value": {"rule": "self != 'one'", "message": "never"}},
        {"op": "add", "path": f"{where}/a/{RULES}", "value": [{"rule": "self == 'b'", "message": "only b"}]},
    ]
    path = f"{CRDS}/{things.plural}.cel.example.com"
    await things.client.done("PATCH", path, stricter, "application/json-patch+json")
    for _ in range(200):
        if await things.refusal_of_change({"a": "c"}):
            break
        await asyncio.sleep(0.05)
    assert await things.refusal_of_change({"a": "c"}) == 'spec.a: Invalid value: "c": only b'
    assert await things.refusal_of_change({"n": 9}) == ""


FAULTS: list[tuple[Json, str]] = [
    ({"rule": ""}, ".rule: Required value: rule is not specified"),
    ({"rule": "true", "message": " "}, '.message: Invalid value: " ": must be non-empty if specified'),
    ({"rule": "true", "fieldPath": ".z"}, '.fieldPath: Invalid value: ".z": must be a valid path'),
    (
        {"rule": "true", "reason": "Foo"},
        '.reason: Unsupported value: "Foo": supported values: "FieldValueDuplicate", "FieldValueForbidden", '
        '"FieldValueInvalid", "FieldValueRequired"',
    ),
    (
        {"rule": "foo == 1"},
        '.rule: Invalid value: {"Rule":"foo == 1","Message":"","MessageExpression":"","Reason":null,'
        '"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:1: undeclared '
        "reference to 'foo' (in container '')\n | foo == 1\n | ^",
    ),
    (
        {"rule": "self.z == 1"},
        '.rule: Invalid value: {"Rule":"self.z == 1","Message":"","MessageExpression":"","Reason":null,'
        '"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:5: undefined field '
        "'z'\n | self.z == 1\n | ....^",
    ),
]


@pytest.mark.timeout(60)
async def test_a_rule_that_cannot_be_one_is_refused_with_the_definition(things: Things) -> None:
    wrong = {}
    for rule, expected in FAULTS:
        spec = {"type": "object", "properties": {"a": TEXT}, RULES: [rule]}
        code, body = await things.client.send("POST", f"{CRDS}?dryRun=All", definition("others", spec))
        where = f"spec.validation.openAPIV3Schema.properties[spec].{RULES}[0]"
        if code != 422 or not body["message"].endswith(f" is invalid: {where}{expected}"):
            wrong[expected] = body
    assert wrong == {}
