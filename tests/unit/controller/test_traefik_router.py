"""What Traefik is given: weights, metadata, and what of an existing object is kept."""

from typing import Any

import orjson
import pytest

from controller.decision import Create, Patch
from controller.observation import Manifest, Options, Weights
from controller.routers import ROUTERS, router_of
from controller.routers.traefik import parse_weights
from shared.errors import InvalidSpec, RoutingError
from shared.resources import traefik_services
from shared.types.canary import Provider
from tests.builders import GOVERNED, canary

ROUTES = traefik_services("traefik.io")
OWNER = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "name": "podinfo",
    "uid": "u1",
    "controller": True,
}
ROUTER = ROUTERS[Provider.TRAEFIK]
KEEP = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}


def entry(name: str, weight: int | None = None, **extra: Any) -> dict[str, Any]:
    return {"name": name, "kind": "Service", "port": 80} | ({"weight": weight} if weight else {}) | extra


def observed(
    *entries: dict[str, Any], owner: str = "u1", spec: dict[str, Any] | None = None, **metadata: Any
) -> Manifest:
    body = {
        "metadata": {"annotations": KEEP, "labels": GOVERNED, **metadata},
        "spec": {"weighted": {"services": list(entries)}} if spec is None else spec,
    }
    return Manifest("test", "podinfo", "r1", "42", owner, orjson.dumps(body))


def render(route: Manifest | None, primary: int, weight: int, **spec: Any) -> Any:
    return ROUTER.render(canary(**spec), OWNER, route, Weights(primary, weight), ROUTES)


def services(patch: Patch) -> Any:
    return patch.body["spec"]["weighted"]["services"]


class TestCreation:
    def test_a_new_object_names_the_apex_its_owner_and_the_shares(self) -> None:
        service = {"port": 80, "apex": {"labels": {"team": "a"}, "annotations": {"note": "b"}}}
        write = render(None, 90, 10, service=service)
        assert isinstance(write, Create)
        assert write.manifest == {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "TraefikService",
            "metadata": {
                "name": "podinfo",
                "namespace": "test",
                "labels": {"team": "a", **GOVERNED},
                "annotations": {"note": "b", **KEEP},
                "ownerReferences": [OWNER],
            },
            "spec": {"weighted": {"services": [entry("podinfo-primary", 90), entry("podinfo-canary", 10)]}},
        }

    def test_the_group_is_the_one_that_the_cluster_serves(self) -> None:
        old = traefik_services("traefik.containo.us")
        write = ROUTER.render(canary(), OWNER, None, Weights(100, 0), old)
        assert isinstance(write, Create)
        assert write.manifest["apiVersion"] == "traefik.containo.us/v1alpha1"

    def test_the_service_name_wins_over_the_targets(self) -> None:
        write = render(None, 100, 0, service={"name": "web", "port": 80})
        assert write.manifest["metadata"]["name"] == "web"
        assert write.manifest["spec"]["weighted"]["services"][0]["name"] == "web-primary"

    @pytest.mark.parametrize(
        ("primary", "weight", "left"), [(100, 0, "podinfo-primary"), (0, 100, "podinfo-canary")]
    )
    def test_a_share_of_zero_is_left_out(self, primary: int, weight: int, left: str) -> None:
        write = render(None, primary, weight)
        assert write.manifest["spec"]["weighted"]["services"] == [entry(left, 100)]


class TestReconciliation:
    def test_nothing_is_written_when_it_is_so_already(self) -> None:
        assert render(observed(entry("podinfo-primary", 90), entry("podinfo-canary", 10)), 90, 10) is None

    def test_a_patch_carries_the_observed_resource_version(self) -> None:
        write = render(observed(entry("podinfo-primary", 100)), 90, 10)
        assert write == Patch(
            ROUTES,
            "podinfo",
            {
                "metadata": {"resourceVersion": "42"},
                "spec": {
                    "weighted": {"services": [entry("podinfo-primary", 90), entry("podinfo-canary", 10)]}
                },
            },
        )

    def test_labels_and_annotations_of_others_neither_go_nor_touch_weights(self) -> None:
        route = observed(
            entry("podinfo-primary", 100), labels={"helm": "x", **GOVERNED}, annotations={**KEEP, "seen": "y"}
        )
        assert render(route, 100, 0) is None

    def test_missing_metadata_is_added_without_touching_weights(self) -> None:
        write = render(
            observed(entry("podinfo-primary", 100), labels={"helm": "x"}, annotations={}),
            100,
            0,
            service={"port": 80, "apex": {"labels": {"team": "a"}}},
        )
        assert write.body == {
            "metadata": {"resourceVersion": "42", "labels": {"team": "a", **GOVERNED}, "annotations": KEEP}
        }

    def test_extra_keys_of_an_entry_stay_and_a_returning_entry_takes_its_siblings(self) -> None:
        extra = {"scheme": "h2c", "serversTransport": "mtls", "passHostHeader": False}
        write = render(observed(entry("podinfo-primary", 100, **extra)), 50, 50)
        assert services(write) == [
            entry("podinfo-primary", 50, **extra),
            entry("podinfo-canary", 50, **extra),
        ]

    def test_each_entry_keeps_its_own_extra_keys(self) -> None:
        route = observed(
            entry("podinfo-primary", 90, scheme="http"), entry("podinfo-canary", 10, scheme="h2c")
        )
        assert [one["scheme"] for one in services(render(route, 80, 20))] == ["http", "h2c"]

    def test_a_changed_port_is_written_with_the_weights_as_they_are(self) -> None:
        route = observed(entry("podinfo-primary", 70), entry("podinfo-canary", 30))
        write = render(route, 70, 30, service={"port": 8080})
        assert [(one["port"], one["weight"]) for one in services(write)] == [(8080, 70), (8080, 30)]

    def test_an_entry_for_another_service_goes(self) -> None:
        route = observed(entry("podinfo-primary", 100), entry("shadow", 100))
        assert services(render(route, 100, 0)) == [entry("podinfo-primary", 100)]

    def test_an_entry_of_the_same_name_in_another_namespace_goes(self) -> None:
        route = observed(entry("podinfo-primary", 100, namespace="prod"))
        assert services(render(route, 100, 0)) == [entry("podinfo-primary", 100)]

    @pytest.mark.parametrize("spec", [{}, {"mirroring": {"name": "other"}}, {"failover": {"service": {}}}])
    def test_an_object_of_ours_that_is_not_weighted_becomes_so(self, spec: dict[str, Any]) -> None:
        write = render(observed(spec=spec), 100, 0)
        assert services(write) == [entry("podinfo-primary", 100)]
        assert all(write.body["spec"][rival] is None for rival in spec)

    @pytest.mark.parametrize("owner", ["", "somebody"])
    def test_an_object_of_somebody_else_is_refused_by_name(self, owner: str) -> None:
        with pytest.raises(
            RoutingError, match=r"podinfo\.test is not owned by Canary podinfo\.test; delete it"
        ):
            render(observed(entry("podinfo-primary", 100), owner=owner), 100, 0)


class TestReading:
    @pytest.mark.parametrize(
        ("entries", "weights"),
        [
            ([entry("podinfo-primary", 90), entry("podinfo-canary", 10)], Weights(90, 10)),
            ([entry("podinfo-canary", 100)], Weights(0, 100)),
            ([entry("podinfo-primary"), entry("podinfo-canary", 99)], Weights(1, 99)),
            ([entry("podinfo-primary"), entry("podinfo-canary")], Weights(50, 50)),
            ([{"name": "podinfo-primary", "port": 80}], Weights(100, 0)),
        ],
        ids=["written", "one left out", "no weight is 1", "both without", "no kind is Service"],
    )
    def test_weights_are_read_as_traefik_reads_them(
        self, entries: list[dict[str, Any]], weights: Weights
    ) -> None:
        assert parse_weights(observed(*entries)) == weights

    @pytest.mark.parametrize(
        "route",
        [
            observed(),
            observed(spec={}),
            observed(spec={"weighted": None}),
            observed(spec={"weighted": {"services": "x"}}),
            observed(spec={"mirroring": {}, "weighted": {"services": [entry("podinfo-primary", 1)]}}),
            observed(entry("podinfo-primary", 90), entry("other", 10)),
            observed(entry("podinfo-primary", 2), entry("podinfo-canary", 1)),
            observed(entry("podinfo-primary") | {"weight": "9"}),
            observed(entry("podinfo-primary") | {"weight": -1}),
            observed(entry("podinfo-primary") | {"weight": True}),
            observed(entry("podinfo-primary", kind="TraefikService")),
        ],
    )
    def test_weights_that_cannot_be_told_are_an_error(self, route: Manifest) -> None:
        with pytest.raises(RoutingError, match=r"TraefikService podinfo\.test: weights cannot be told"):
            parse_weights(route)


class TestTable:
    def test_the_canarys_provider_wins_over_the_controllers(self) -> None:
        assert router_of(canary(), Options(provider="istio")) is ROUTER

    def test_the_controllers_provider_stands_in_for_none(self) -> None:
        assert router_of(canary(provider=None), Options(provider="traefik")) is ROUTER

    @pytest.mark.parametrize("provider", ["istio", "nonsense"])
    def test_an_unknown_provider_is_named_with_the_known_ones(self, provider: str) -> None:
        with pytest.raises(
            InvalidSpec, match=f'Unsupported value: "{provider}": supported values: "traefik"'
        ):
            router_of(canary(provider=None), Options(provider=provider))
