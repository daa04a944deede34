"""Rules over any Canary: what is good passes, what was wrong before is excused, nothing crashes."""

import copy
import functools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admission import chain, check
from admission.answer import Answer, Severity, Violation
from admission.lookup import Lookup
from admission.request import Operation, Request, User
from admission.rules import KINDS
from admission.rules.rule import Change
from shared.capabilities import unsupported
from shared.crd import schema
from shared.resources import CANARIES, Resource
from shared.types.canary import Canary, parse_canary
from shared.types.meta import Json
from tests.property.structural_schemas import objects
from tests.unit.admission.rule_cases import Around, canary, edited
from tests.unit.admission.rule_cases import violations as violations_among

violations = functools.partial(violations_among, complete=False)
SLOW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
ANY_SPEC = objects(schema(Canary)["properties"]["spec"])
"""Whatever the API server would store, which is a lot that no rule lets through."""
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not name.endswith(("-primary", "-canary"))
)


@st.composite
def steps(draw: st.DrawFn) -> Json:
    """Weights that rise, by a step or one by one."""
    if draw(st.booleans()):
        rising = draw(st.sets(st.integers(1, 99), min_size=1, max_size=10))
        return {"stepWeights": sorted(rising)}
    step = draw(st.integers(1, 49))
    return {"stepWeight": step, "maxWeight": step * draw(st.integers(1, 99 // step))}


@st.composite
def good_canaries(draw: st.DrawFn) -> Json:
    """Canaries that no rule should have anything against."""
    name = draw(NAMES)
    port, target_port = draw(st.integers(1, 442)), draw(st.integers(1, 65535) | st.just("http"))
    service: Json = {"port": port, "targetPort": target_port}
    if draw(st.booleans()):
        service["name"] = draw(NAMES)
    metric = {"name": "request-success-rate", "thresholdRange": {"min": draw(st.integers(50, 100))}}
    analysis: Json = {
        "interval": f"{draw(st.integers(60, 600))}s",
        "threshold": draw(st.integers(1, 50)),
        "canaryReadyThreshold": draw(st.integers(50, 100)),
        "metrics": [metric],
        **draw(steps()),
    }
    return edited(
        canary(),
        {
            "metadata.name": draw(NAMES),
            "spec.targetRef.name": name,
            "spec.service": service,
            "spec.analysis": analysis,
            "spec.progressDeadlineSeconds": draw(st.integers(60, 3600)),
        },
    )


@SLOW
@given(obj=good_canaries())
def test_a_good_canary_passes_without_a_word(obj: Json) -> None:
    assert violations(obj) == ()


@SLOW
@given(spec=ANY_SPEC)
def test_whatever_the_api_server_stores_is_answered(spec: Json) -> None:
    obj = {**canary(), "spec": spec}
    for each in violations(obj):
        assert each.rule
        assert each.problem.message


@SLOW
@given(spec=ANY_SPEC)
def test_what_the_controller_cannot_run_is_refused_whatever_it_is(spec: Json) -> None:
    obj = {**canary(), "spec": {"service": {"port": 80}, **spec}}
    refused = {str(each.problem) for each in violations(obj) if each.severity is Severity.DENY}
    for problem in unsupported(parse_canary(obj), "traefik"):
        assert str(problem) in refused


class Gatherer:
    """Gives nothing."""

    async def gather(self, request: Request, change: Change[Any]) -> Lookup:
        return Around(complete=False)


def update(new: Json, old: Json) -> Request:
    return Request(
        uid="1",
        operation=Operation.UPDATE,
        resource=CANARIES,
        subresource="",
        namespace="test",
        name="podinfo",
        user=User("kim"),
        dry_run=False,
        received=datetime(2026, 11, 22, tzinfo=UTC),
        new=new,
        old=old,
    )


def answer(new: Json, old: Json) -> Answer:
    """The chain's answer; it waits for nothing that is not there at once."""
    try:
        chain.review(update(new, old), Gatherer()).send(None)
    except StopIteration as done:
        found: Answer = done.value
        return found
    raise AssertionError("the chain waited")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.dictionaries(NAMES, st.text(max_size=5), max_size=3),
        "annotations": st.dictionaries(NAMES, st.text(max_size=5), max_size=3),
        "finalizers": st.lists(NAMES, max_size=2),
    },
)
PHASES = st.sampled_from(
    ["", "Initializing", "Initialized", "Progressing", "Promoting", "Failed", "Nonsense"]
)


@SLOW
@given(spec=ANY_SPEC | JSON, metadata=METADATA, suspend=st.sampled_from(["as it is", "turned"]), phase=PHASES)
def test_metadata_and_suspend_can_always_be_changed(
    spec: Any, metadata: Json, suspend: str, phase: str
) -> None:
    before = edited({**canary(), "spec": spec}, {"status.phase": phase})
    after = {**before, "metadata": {**before["metadata"], **metadata}}
    if suspend == "turned" and isinstance(spec, dict):
        after = {**after, "spec": {**spec, "suspend": not spec.get("suspend", False)}}
    assert answer(after, before).allowed


FIELDS = st.sampled_from(
    [
        ("spec.analysis.threshold", st.integers(1, 100)),
        ("spec.analysis.stepWeights", st.lists(st.integers(1, 100), min_size=1, max_size=4)),
        ("spec.analysis.mirror", st.booleans()),
        ("spec.provider", st.sampled_from(["traefik", "nginx", "istio"])),
        ("spec.service.apex", st.sampled_from([{"labels": {"a b": "c"}}, {"labels": {"a": "b"}}])),
        ("spec.service.name", NAMES),
    ]
)


@SLOW
@given(data=st.data(), broken=st.lists(FIELDS, max_size=4), changed=st.lists(FIELDS, max_size=2))
def test_an_update_is_refused_for_what_it_brings_and_for_nothing_else(
    data: st.DataObject, broken: list[Any], changed: list[Any]
) -> None:
    base = canary({"spec.analysis.stepWeight": None, "spec.analysis.stepWeights": [10], "status.phase": ""})
    before = edited(base, {path: data.draw(values) for path, values in broken})
    after = edited(before, {path: data.draw(values) for path, values in changed})
    assert _refusals(violations(after, before)) == _refusals(violations(after)) - _refusals(
        violations(before)
    )


def _refusals(found: Iterable[Violation]) -> set[tuple[str, str]]:
    return {(each.rule, str(each.problem)) for each in found if each.severity is Severity.DENY}


MUTATIONS = {
    "P01": ("spec.analysis.match", [{"headers": {"x": {"exact": "y"}}}]),
    "P02": ("spec.analysis.mirror", True),
    "P03": ("spec.analysis.sessionAffinity", {"cookieName": "who"}),
    "P08": ("spec.service.hosts", ["a"]),
    "P19": ("spec.provider", "nginx"),
    "V06": ("spec.analysis.interval", "1s"),
    "V18": ("spec.progressDeadlineSeconds", 1),
    "V21": ("spec.service.name", "x-primary"),
    "V25": ("spec.skipAnalysis", True),
    "V26": ("spec.analysis.nonsense", 1),
}
"""One way each to break a rule that does not get in the way of the others."""


@SLOW
@given(obj=good_canaries(), rules=st.sets(st.sampled_from(sorted(MUTATIONS))))
def test_every_broken_rule_is_in_the_one_answer(obj: Json, rules: set[str]) -> None:
    wrong = edited(obj, dict(MUTATIONS[rule] for rule in rules))
    found = {each.rule for each in violations(wrong)}
    if "P19" in rules:
        found |= {"P08"} & rules  # the fields that Traefik does not use are nobody's business then
    assert found - {"V16", "M11"} == rules  # what a short interval brings along


@SLOW
@given(spec=ANY_SPEC)
def test_no_rule_changes_what_it_looks_at(spec: Json) -> None:
    obj = {**canary(), "spec": spec}
    kept = copy.deepcopy(obj)
    (kind,) = (kind for kind in KINDS if kind.resource == CANARIES)
    change: Change[Any] = Change(Operation.CREATE, None, None, obj, None)
    first = check.check(check.read(kind, change), Around(complete=False))
    assert obj == kept
    assert check.check(check.read(kind, change), Around(complete=False)) == first


def test_there_are_rules_for_each_kind_of_ours() -> None:
    assert all(check.kind_of(kind.resource) is kind for kind in KINDS)
    assert check.kind_of(Resource("", "v1", "canaries", "Canary")) is None
