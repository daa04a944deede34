"""Whatever became of a TraefikService of ours: after a write it has our weights, and others' fields."""

import copy
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from controller.decision import Create
from controller.observation import Manifest, Weights
from controller.routers.traefik import TraefikRouter, parse_weights
from shared.resources import traefik_services
from tests.builders import canary

Json = dict[str, Any]

ROUTES = traefik_services("traefik.io")
OWNER = {"uid": "u1", "kind": "Canary", "name": "podinfo"}
CANARY = canary(service={"port": 80, "apex": {"labels": {"team": "a"}}})

scalars = st.none() | st.booleans() | st.integers(-5, 200) | st.text(max_size=5)
names = st.sampled_from(["podinfo-primary", "podinfo-canary", "podinfo-v2-canary", "other", ""])
extras = st.fixed_dictionaries(
    {}, optional={"scheme": st.sampled_from(["http", "h2c"]), "sticky": st.just({"cookie": {"name": "c"}})}
)
entries = st.builds(
    lambda extra, managed: extra | managed,
    extras,
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "kind": st.sampled_from(["Service", "TraefikService"]),
            "namespace": st.sampled_from(["test", "test-2"]),
            "port": st.integers(1, 100) | st.text(max_size=3),
            "weight": scalars,
        },
    ),
)
specs: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {},
    optional={
        "weighted": st.none()
        | st.fixed_dictionaries(
            {},
            optional={"services": st.lists(entries, max_size=4) | scalars, "sticky": st.just({"cookie": {}})},
        ),
        "mirroring": st.none() | st.just({"name": "other"}),
        "foreign": scalars,
    },
)
metadata = st.fixed_dictionaries(
    {},
    optional={
        field: st.dictionaries(st.sampled_from(["team", "mine", "theirs"]), st.text(max_size=3))
        for field in ("labels", "annotations")
    },
)
objects = st.fixed_dictionaries({"metadata": metadata}, optional={"spec": st.none() | specs})
weights = st.integers(0, 100).map(lambda canary_weight: Weights(100 - canary_weight, canary_weight))


def manifest(body: Json) -> Manifest:
    return Manifest("test", "podinfo", "r1", "1", "u1", orjson.dumps(body))


def merged(there: Any, patch: Any) -> Any:
    """RFC 7386, written down once more so that the router is not checked with itself."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def written(body: Json | None, wanted: Weights) -> Json:
    write = TraefikRouter().render(
        CANARY, OWNER, manifest(body) if body is not None else None, wanted, ROUTES
    )
    if write is None:
        assert body is not None
        return body
    result: Json = write.manifest if isinstance(write, Create) else merged(body, write.body)
    return result


@given(st.none() | objects, weights)
def test_what_is_written_reads_back_as_the_weights_that_were_said(body: Json | None, wanted: Weights) -> None:
    assert parse_weights(manifest(written(body, wanted))) == wanted


@given(st.none() | objects, weights)
def test_a_second_time_nothing_is_written(body: Json | None, wanted: Weights) -> None:
    once = written(body, wanted)
    assert TraefikRouter().render(CANARY, OWNER, manifest(once), wanted, ROUTES) is None


@given(objects, weights)
def test_fields_of_others_stay_as_they_are(body: Json, wanted: Weights) -> None:
    after = written(body, wanted)
    for field in ("labels", "annotations"):
        there = dict(body["metadata"].get(field, {}))
        there.pop("team", None)
        assert there.items() <= after["metadata"].get(field, {}).items()
    spec = body.get("spec") or {}
    assert {key: value for key, value in spec.items() if key == "foreign"}.items() <= after["spec"].items()
    sticky = (spec.get("weighted") or {}).get("sticky")
    assert after["spec"]["weighted"].get("sticky") == sticky


@given(objects, weights, weights)
def test_extra_keys_of_our_entries_survive_any_number_of_changes(
    body: Json, first: Weights, second: Weights
) -> None:
    def kept(of: Json) -> set[str]:
        services = ((of.get("spec") or {}).get("weighted") or {}).get("services")
        ours = [
            one
            for one in (services if isinstance(services, list) else [])
            if one["name"] in ("podinfo-primary", "podinfo-canary")
            and one.get("kind", "Service") == "Service"
            and one.get("namespace", "test") == "test"
        ]
        return {key for one in ours[:1] for key in one} & {"scheme", "sticky"} if len(ours) == 1 else set()

    assert kept(body) <= set().union(
        *(one.keys() for one in written(written(body, first), second)["spec"]["weighted"]["services"])
    )


@given(weights)
def test_no_entry_is_ever_written_without_a_weight(wanted: Weights) -> None:
    services = written(None, wanted)["spec"]["weighted"]["services"]
    assert services and all(one["weight"] > 0 for one in services)
