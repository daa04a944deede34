"""The generated Services: what they are, and that they are left alone once they are right."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from controller.decision import Create, Patch
from controller.observation import Manifest, Options
from controller.projections import manifest, workload
from controller.services import desired_services, reconcile_all, reconcile_service
from shared.errors import Blocked, InvalidSpec
from shared.types.canary import Canary
from tests.builders import GOVERNED, Json, canary, deployment, observation, target
from tests.recordings import stored

SERVICE = {"port": 80, "targetPort": 9898}
OWNER = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "name": "podinfo",
    "uid": "u1",
    "controller": True,
    "blockOwnerDeletion": True,
}


def desired(of: Canary | None = None, template: Json | None = None) -> dict[str, Json]:
    """The three Services of a Canary of podinfo."""
    obj = deployment()
    obj["spec"]["template"]["spec"] |= template or {}
    return desired_services(of or canary(), workload(obj), Options())


def as_stored(written: Json, **spec: Any) -> Manifest:
    """A Service of ours after the API server took it: what we wrote over the defaults that it recorded."""
    obj = copy.deepcopy(stored("074"))
    obj["metadata"] |= written["metadata"]
    ports = [{"protocol": "TCP", **port} for port in written["spec"]["ports"]]
    obj["spec"] |= {**written["spec"], "ports": ports, **spec}
    return manifest(obj)


def users_service(**spec: Any) -> Manifest:
    """A Service named as the apex that was there first."""
    obj = copy.deepcopy(stored("074"))
    obj["spec"] |= spec
    return manifest(obj)


def patch_of(write: object) -> Json:
    """The body of what has to be a patch of a Service."""
    assert isinstance(write, Patch)
    return write.body


def test_apex_and_primary_select_the_primarys_pods_and_the_canary_selects_the_targets() -> None:
    selectors = {name: service["spec"]["selector"] for name, service in desired().items()}
    assert selectors == {
        "podinfo": {"app": "podinfo-primary"},
        "podinfo-primary": {"app": "podinfo-primary"},
        "podinfo-canary": {"app": "podinfo"},
    }


def test_a_generated_service_is_as_flagger_makes_it() -> None:
    assert desired()["podinfo-canary"] == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "podinfo-canary",
            "namespace": "test",
            "labels": {"app": "podinfo-canary", **GOVERNED},
            "annotations": {
                "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
                "helm.toolkit.fluxcd.io/driftDetection": "disabled",
            },
            "ownerReferences": [OWNER],
        },
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 9898}],
            "selector": {"app": "podinfo"},
        },
    }


def test_the_services_are_named_after_the_service_where_the_canary_names_one() -> None:
    of = canary(service={**SERVICE, "name": "web"})
    assert set(desired(of)) == {"web", "web-primary", "web-canary"}
    assert desired(of)["web"]["metadata"]["labels"] == {"app": "web", **GOVERNED}


def test_every_setting_of_the_port_gets_there() -> None:
    of = canary(
        service={
            "port": 9898,
            "portName": "grpc",
            "appProtocol": "kubernetes.io/h2c",
            "trafficDistribution": "PreferClose",
            "headless": True,
        }
    )
    spec = desired(of)["podinfo"]["spec"]
    assert spec["ports"] == [
        {
            "name": "grpc",
            "port": 9898,
            "protocol": "TCP",
            "targetPort": 9898,
            "appProtocol": "kubernetes.io/h2c",
        }
    ]
    assert (spec["trafficDistribution"], spec["clusterIP"]) == ("PreferClose", "None")


def test_metadata_of_each_service_is_its_own_and_cannot_replace_what_we_need() -> None:
    of = canary(
        service={
            **SERVICE,
            "apex": {"labels": {"team": "a", "app": "mine"}, "annotations": {"note": "b"}},
            "canary": {"labels": {"team": "c"}},
        }
    )
    metadata = {name: service["metadata"] for name, service in desired(of).items()}
    assert metadata["podinfo"]["labels"] == {"team": "a", "app": "podinfo", **GOVERNED}
    assert metadata["podinfo"]["annotations"]["note"] == "b"
    assert metadata["podinfo-primary"]["labels"] == {"app": "podinfo-primary", **GOVERNED}
    assert metadata["podinfo-canary"]["labels"] == {"team": "c", "app": "podinfo-canary", **GOVERNED}


@pytest.mark.parametrize("target_port", [9898, "http"])
def test_port_discovery_adds_the_containers_other_ports(target_port: int | str) -> None:
    of = canary(service={"port": 80, "targetPort": target_port, "portDiscovery": True})
    containers = [
        {
            "name": "podinfod",
            "ports": [
                {"name": "http", "containerPort": 9898},
                {"name": "metrics", "containerPort": 9797},
                {"containerPort": 9999},
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            ],
        },
        {"name": "istio-proxy", "ports": [{"containerPort": 15090}]},
        {"name": "envoy", "ports": [{"containerPort": 9901}]},
    ]
    ports = desired(of, {"containers": containers})["podinfo"]["spec"]["ports"]
    assert [(p["name"], p["port"], p["targetPort"], p["protocol"]) for p in ports] == [
        ("http", 80, target_port, "TCP"),
        ("metrics", 9797, 9797, "TCP"),
        ("tcp-podinfod-2", 9999, 9999, "TCP"),
        ("dns", 53, 53, "UDP"),
    ]


def test_the_name_of_a_discovered_port_is_not_too_long() -> None:
    of = canary(service={**SERVICE, "portDiscovery": True})
    container = {
        "name": "c" * 60,
        "ports": [{"containerPort": 9898}, {"containerPort": 53, "protocol": "UDP"}],
    }
    ports = desired(of, {"containers": [container]})["podinfo-canary"]["spec"]["ports"]
    assert [port["name"] for port in ports] == ["http", "udp-53"]


def test_port_discovery_never_makes_a_service_that_the_api_server_refuses() -> None:
    of = canary(service={"port": 80, "targetPort": 9898, "portDiscovery": True})
    containers = [
        {"name": "a", "ports": [{"containerPort": 80}, {"name": "http", "containerPort": 8080}]},
        {"name": "b", "ports": [{"containerPort": 8080}]},
    ]
    ports = desired(of, {"containers": containers})["podinfo"]["spec"]["ports"]
    assert [(p["name"], p["port"]) for p in ports] == [("http", 80), ("tcp-a-1", 8080)]


def test_a_missing_service_is_created() -> None:
    wanted = desired()["podinfo"]
    write = reconcile_service(canary(), wanted, None)
    assert isinstance(write, Create) and write.manifest == wanted


@pytest.mark.parametrize("name", ["podinfo", "podinfo-primary", "podinfo-canary"])
def test_what_a_real_api_server_made_of_our_service_needs_no_write(name: str) -> None:
    wanted = desired()[name]
    assert reconcile_service(canary(), wanted, as_stored(wanted)) is None


def test_a_headless_service_needs_no_write_and_an_ip_is_never_touched() -> None:
    headless = desired(canary(service={**SERVICE, "headless": True}))["podinfo"]
    assert reconcile_service(canary(), headless, as_stored(headless)) is None
    assert reconcile_service(canary(), headless, as_stored(desired()["podinfo"])) is None


def test_what_others_added_stays() -> None:
    wanted = desired()["podinfo"]
    theirs = copy.deepcopy(wanted)
    theirs["metadata"]["labels"]["argocd"] = "x"
    theirs["metadata"]["annotations"]["seen"] = "y"
    assert reconcile_service(canary(), wanted, as_stored(theirs, sessionAffinity="ClientIP")) is None


def test_drift_is_repaired_with_the_smallest_patch() -> None:
    wanted = desired()["podinfo-canary"]
    drifted = copy.deepcopy(wanted)
    drifted["metadata"]["labels"] = {"app": "else"}
    drifted["spec"]["selector"] = {"app": "podinfo", "track": "old"}
    body = patch_of(reconcile_service(canary(), wanted, as_stored(drifted, type="NodePort")))
    assert body == {
        "metadata": {"labels": {"app": "podinfo-canary", **GOVERNED}, "resourceVersion": "1747"},
        "spec": {"selector": {"track": None}, "type": "ClusterIP"},
    }


def test_a_changed_port_is_sent_whole_and_keeps_its_node_port() -> None:
    observed = as_stored(
        desired()["podinfo"],
        ports=[{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP", "nodePort": 30080}],
    )
    body = patch_of(reconcile_service(canary(), desired()["podinfo"], observed))
    assert body["spec"] == {
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 9898, "nodePort": 30080}]
    }


def test_a_setting_that_was_taken_back_is_removed() -> None:
    spec = patch_of(
        reconcile_service(
            canary(),
            desired()["podinfo"],
            as_stored(desired()["podinfo"], trafficDistribution="PreferClose"),
        )
    )["spec"]
    assert spec == {"trafficDistribution": None}


def test_unmanaged_metadata_is_left_to_others() -> None:
    of = canary(
        service={
            **SERVICE,
            "apex": {"labels": {"team": "a"}},
            "unmanagedMetadata": {
                "labels": ["team"],
                "annotations": ["kustomize.toolkit.fluxcd.io/reconcile"],
            },
        }
    )
    wanted = desired(of)["podinfo"]
    theirs = copy.deepcopy(wanted)
    theirs["metadata"]["labels"]["team"] = "b"
    del theirs["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/reconcile"]
    assert reconcile_service(of, wanted, as_stored(theirs)) is None


@pytest.mark.parametrize("name", ["podinfo-primary", "podinfo-canary"])
def test_a_service_of_somebody_else_is_left_alone(name: str) -> None:
    wanted = desired()[name]
    theirs = {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": []}}
    with pytest.raises(Blocked, match=f"Service {name}.test exists and does not belong") as blocked:
        reconcile_service(canary(), wanted, as_stored(theirs))
    assert blocked.value.reason == "NotOwned"


def test_an_apex_of_another_controller_is_left_alone() -> None:
    wanted = desired()["podinfo"]
    owners = [{**OWNER, "uid": "somebody"}]
    theirs = {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": owners}}
    with pytest.raises(Blocked, match="does not belong to Canary podinfo"):
        reconcile_service(canary(), wanted, as_stored(theirs))


def test_an_apex_that_was_there_gets_selector_and_port_and_nothing_else() -> None:
    theirs = users_service(
        type="LoadBalancer",
        selector={"app": "podinfo", "tier": "web"},
        ports=[
            {"port": 9999, "targetPort": 9999, "protocol": "TCP"},
            {"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP", "nodePort": 30080},
        ],
    )
    body = patch_of(reconcile_service(canary(), desired()["podinfo"], theirs))
    assert body == {
        "metadata": {"resourceVersion": "1747"},
        "spec": {
            "selector": {"app": "podinfo-primary", "tier": None},
            "ports": [
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 9898, "nodePort": 30080},
                {"name": "port-9999", "port": 9999, "targetPort": 9999, "protocol": "TCP"},
            ],
        },
    }


def test_an_adopted_apex_needs_no_second_write() -> None:
    adopted = users_service(selector={"app": "podinfo-primary"})
    assert reconcile_service(canary(), desired()["podinfo"], adopted) is None


def test_an_adopted_apex_with_another_port_of_that_name_is_the_users_to_sort_out() -> None:
    theirs = users_service(ports=[{"name": "http", "port": 8080, "targetPort": 9898, "protocol": "TCP"}])
    with pytest.raises(InvalidSpec, match=r"spec\.service\.portName: Invalid value"):
        reconcile_service(canary(), desired()["podinfo"], theirs)


def test_an_external_name_cannot_be_an_apex() -> None:
    with pytest.raises(Blocked, match="ExternalName") as blocked:
        reconcile_service(canary(), desired()["podinfo"], users_service(type="ExternalName"))
    assert blocked.value.reason == "NotOwned"


def test_nothing_is_written_while_the_target_is_gone() -> None:
    assert reconcile_all(observation(target=None)) == ()


def test_all_three_are_reconciled_together() -> None:
    wanted = desired()
    seen = observation(target=target(), services={"podinfo": as_stored(wanted["podinfo"])})
    created = [write for write in reconcile_all(seen) if isinstance(write, Create)]
    assert [write.manifest["metadata"]["name"] for write in created] == ["podinfo-primary", "podinfo-canary"]


def test_users_stay_with_the_primary_when_the_target_is_created_again_with_another_selector() -> None:
    seen = observation()
    services = {name: as_stored(body) for name, body in desired().items()}
    other = deployment()
    other["spec"]["selector"]["matchLabels"] = other["spec"]["template"]["metadata"]["labels"] = {
        "app": "shop"
    }
    (write,) = reconcile_all(replace(seen, target=workload(other), services=services))
    assert isinstance(write, Patch) and write.name == "podinfo-canary"
    assert write.body["spec"] == {"selector": {"app": "shop"}}


def test_ports_that_a_new_template_drops_stay_the_primarys_until_it_is_promoted() -> None:
    of = canary(service={**SERVICE, "portDiscovery": True})
    before, after = deployment("podinfo-primary"), deployment()
    before["spec"]["template"]["spec"]["containers"][0]["ports"].append(
        {"name": "grpc", "containerPort": 9999}
    )
    services = desired_services(of, workload(after), Options(), workload(before))
    ports = {name: [port["name"] for port in body["spec"]["ports"]] for name, body in services.items()}
    assert ports == {
        "podinfo": ["http", "grpc"],
        "podinfo-primary": ["http", "grpc"],
        "podinfo-canary": ["http"],
    }
