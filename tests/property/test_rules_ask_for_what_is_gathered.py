"""Rules never look for what was not gathered for them: it would seem not to be there."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from admission import check
from admission.request import Operation, User
from admission.rules import KINDS
from admission.rules.access import Access
from admission.rules.rule import Change
from admission.wanted import All, Ref, wanted
from shared.resources import CANARIES, METRIC_TEMPLATES, Resource
from shared.types.meta import Json
from tests.unit.admission.metric_cases import template
from tests.unit.admission.rule_cases import canary, deployment, edited, thing
from tests.unit.admission.target_cases import scaled, service, target

NAMES = st.sampled_from(["podinfo", "shop", "a-b"])
REFS = st.fixed_dictionaries({"name": NAMES}, optional={"namespace": st.sampled_from(["test", "other"])})
METRICS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "thresholdRange": st.just({"max": 1})},
        optional={"templateRef": REFS, "query": st.just("sum(up)")},
    ),
    max_size=3,
)
ALERTS = st.lists(st.fixed_dictionaries({"name": NAMES, "providerRef": REFS}), max_size=2)


@st.composite
def canaries(draw: st.DrawFn) -> Json:
    """Any Canary, as far as it refers to other objects."""
    edits = {
        "spec.targetRef.name": draw(NAMES),
        "spec.service.name": draw(st.none() | NAMES),
        "spec.service.headless": draw(st.booleans()),
        "spec.service.targetPort": draw(st.sampled_from([9898, "http"])),
        "spec.analysis.metrics": draw(METRICS),
        "spec.analysis.alerts": draw(ALERTS),
        **(scaled(draw(NAMES)) if draw(st.booleans()) else {}),
    }
    return canary(edits)


class Recording:
    """A Lookup that notes what is asked, and says that everything is there, or nothing."""

    complete = True

    def __init__(self, objects: Sequence[Json] | None) -> None:
        self.asked: set[Ref | All | Access] = set()
        self._objects = objects

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        self.asked.add(Ref(resource, namespace, name))
        if self._objects is None:
            return None
        return next((o for o in self._objects if o["kind"] == resource.kind), thing(resource.kind, name, "x"))

    def list(self, resource: Resource, namespace: str) -> Sequence[Json]:
        self.asked.add(All(resource, namespace))
        return [] if self._objects is None else [o for o in self._objects if o["kind"] == resource.kind]

    def allowed(self, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        self.asked.add(Access(verb, resource, namespace, name))
        return False


AROUND = [target(), service(), template(), deployment("other"), canary({"metadata.name": "x"})]


def asked_beyond(change: Change[Any], resource: Resource) -> set[Ref | All | Access]:
    """What rules ask for that is not wanted."""
    (kind,) = (kind for kind in KINDS if kind.resource == resource)
    reading = check.read(kind, change)
    asks = wanted(reading.change)
    beyond: set[Ref | All | Access] = set()
    for objects in (None, AROUND):
        lookup = Recording(objects)
        check.check(reading, lookup)
        beyond |= {
            each
            for each in lookup.asked - asks.objects - asks.lists - asks.access
            if not (isinstance(each, Ref) and All(each.resource, each.namespace) in asks.lists)
        }
    return beyond


@given(canaries())
def test_of_a_new_canary(new: Json) -> None:
    change: Change[Any] = Change(Operation.CREATE, None, None, new, None, User("jane"))
    assert asked_beyond(change, CANARIES) == set()


@given(canaries())
def test_of_a_canary_that_goes(old: Json) -> None:
    change: Change[Any] = Change(Operation.DELETE, None, None, None, old, User("jane"))
    assert asked_beyond(change, CANARIES) == set()


@given(canaries(), METRICS)
def test_of_a_canary_whose_metrics_change_nothing_but_references_is_asked(old: Json, metrics: Any) -> None:
    """The rules about routes ask for more then, and find nothing: what they are about did not change."""
    new = edited(old, {"spec.analysis.metrics": metrics})
    change: Change[Any] = Change(Operation.UPDATE, None, None, new, old, User("jane"))
    beyond = asked_beyond(change, CANARIES)
    assert not any(isinstance(each, Access) for each in beyond)
    assert METRIC_TEMPLATES not in {each.resource for each in beyond}


@given(st.sampled_from(list(Operation)), st.booleans())
def test_of_a_metric_template(operation: Operation, secret: bool) -> None:  # noqa: FBT001 - drawn
    obj = edited(template(), {"spec.provider.secretRef": {"name": "s"}} if secret else {})
    new = None if operation is Operation.DELETE else obj
    old = None if operation is Operation.CREATE else template()
    change: Change[Any] = Change(operation, None, None, new, old, User("jane"))
    assert asked_beyond(change, METRIC_TEMPLATES) == set()
