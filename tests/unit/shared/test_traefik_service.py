"""A TraefikService: our weights are read, everything else is kept."""

import pytest

from shared.errors import InvalidSpec
from shared.types.meta import Json
from shared.types.traefik import parse_traefik_service


def traefik_service(spec: Json) -> Json:
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TraefikService",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": spec,
    }


def test_fields_of_traefik_are_kept_at_every_level() -> None:
    leg = {"name": "podinfo-primary", "kind": "Service", "port": 80, "weight": 90, "scheme": "h2c"}
    spec = {"weighted": {"services": [leg], "sticky": {"cookie": {"name": "a"}}}, "newer": {"x": 1}}
    assert parse_traefik_service(traefik_service(spec)).spec.dump() == spec


@pytest.mark.parametrize(("leg", "weight"), [({"weight": 90}, 90), ({"weight": 0}, 0), ({}, 1)])
def test_a_missing_weight_is_one_as_traefik_reads_it(leg: Json, weight: int) -> None:
    spec = {"weighted": {"services": [{"name": "podinfo-primary", **leg}]}}
    weighted = parse_traefik_service(traefik_service(spec)).spec.weighted
    assert weighted is not None
    assert weighted.services[0].effective_weight == weight


def test_a_service_that_is_not_weighted_says_so() -> None:
    assert parse_traefik_service(traefik_service({"mirroring": {"name": "a"}})).spec.weighted is None


def test_a_weight_that_is_no_number_is_a_problem() -> None:
    spec = {"weighted": {"services": [{"name": "a", "weight": "much"}]}}
    with pytest.raises(InvalidSpec, match=r"spec.weighted.services\[0\].weight"):
        parse_traefik_service(traefik_service(spec))
