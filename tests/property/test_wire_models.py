"""Models and CRDs say the same: what one takes the other takes, and nothing is lost between them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.crd import DEFINITIONS, Definition, schema
from shared.duration import PART, render
from shared.duration import parse as parse_duration
from shared.errors import InvalidSpec
from shared.types.canary import parse_canary
from shared.types.meta import Json
from shared.types.problems import parse
from tests.property.structural_schemas import defaulted, objects, pruned

SLOW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
METADATA = {"name": "podinfo", "namespace": "test"}
SCHEMAS = {definition.model: schema(definition.model) for definition in DEFINITIONS}
KINDS = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.resource.kind)


def draw_object(data: st.DataObject, definition: Definition) -> Json:
    """An object that the API server would store, Knative's aside (they have no service)."""
    drawn: Json = data.draw(objects(SCHEMAS[definition.model]))
    resource = definition.resource
    if resource.kind == "Canary" and "service" not in drawn["spec"]:
        drawn["spec"]["service"] = {"port": 80}
    return {**drawn, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": METADATA}


@KINDS
@SLOW
@given(data=st.data())
def test_what_the_schema_takes_goes_through_the_model_and_the_server_unchanged(
    definition: Definition, data: st.DataObject
) -> None:
    obj, whole = draw_object(data, definition), SCHEMAS[definition.model]
    model = parse(definition.model, obj)
    written = model.dump()
    assert parse(definition.model, written) == model
    assert parse(definition.model, defaulted(obj, whole)) == model, "model and schema have different defaults"
    del written["metadata"]  # the API server's own schema
    assert pruned(written, whole) == written


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [
        ("spec",),
        ("metadata",),
        ("status",),
        ("spec", "analysis"),
        ("spec", "service"),
        ("spec", "analysis", "interval"),
        ("spec", "analysis", "stepWeights"),
        ("spec", "analysis", "webhooks"),
        ("spec", "service", "targetPort"),
        ("spec", "targetRef", "kind"),
        ("status", "conditions"),
        ("status", "lastTransitionTime"),
    ]
)


@SLOW
@given(field=FIELDS, value=ANYTHING)
def test_whatever_is_in_a_field_is_parsed_or_refused_with_its_path(
    field: tuple[str, ...], value: Any
) -> None:
    obj: Json = {
        "metadata": dict(METADATA),
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 80},
            "analysis": {"stepWeight": 10},
        },
        "status": {},
    }
    parent = obj
    for name in field[:-1]:
        parent = parent[name]
    parent[field[-1]] = value
    try:
        parse_canary(obj)
    except InvalidSpec as error:
        assert error.problems
        assert all(problem.field.startswith(field[0]) for problem in error.problems)


@given(st.timedeltas(min_value=timedelta(days=-366), max_value=timedelta(days=366)))
def test_durations_read_back_as_they_were_written(duration: timedelta) -> None:
    assert parse_duration(render(duration)) == duration


@given(st.from_regex(rf"({PART})+", fullmatch=True) | st.text(max_size=12))
def test_any_text_is_a_duration_or_refused_by_name(text: str) -> None:
    readable = re.fullmatch(rf"[-+]?(0|({PART})+)", text, re.ASCII) is not None
    try:
        parse_duration(text)
    except ValueError as error:
        assert repr(text) in str(error)
        assert not readable or "out of range" in str(error)
    else:
        assert readable


@given(step=st.integers(1, 100), last=st.integers(0, 100))
def test_steps_rise_to_the_greatest_weight(step: int, last: int) -> None:
    analysis = {"stepWeight": step, "maxWeight": last}
    obj = {
        "metadata": METADATA,
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 80},
            "analysis": analysis,
        },
    }
    steps = parse_canary(obj).spec.analysis.steps
    assert steps[-1] == (last or 100)
    assert list(steps) == sorted(set(steps))
    assert all(after - before <= step for before, after in zip((0, *steps), steps, strict=False))
