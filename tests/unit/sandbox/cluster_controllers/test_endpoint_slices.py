"""What an EndpointSlice says about a Service's pods."""

from typing import Any

from sandbox.cluster_controllers.endpointslice import slices
from tests.sandbox_objects import LABELS, Json, pod


def service(**spec: Any) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        "metadata": {"name": "podinfo", "namespace": "test", "uid": "s1", "labels": {"team": "a"}},
        "spec": {"selector": dict(LABELS), "ports": ports} | spec,
    }


def conditions(found: Json) -> list[tuple[bool, bool, bool]]:
    return [tuple(each["conditions"].values()) for each in found["endpoints"]]


def test_a_ready_pod_is_a_ready_endpoint_at_its_named_port() -> None:
    (found,) = slices(service(), [pod("a", ip="127.10.0.7")])
    assert found["ports"] == [{"name": "http", "protocol": "TCP", "port": 9898}]
    (endpoint,) = found["endpoints"]
    assert endpoint["addresses"] == ["127.10.0.7"]
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert endpoint["targetRef"] == {"kind": "Pod", "name": "a", "namespace": "test", "uid": "uid-a"}
    assert endpoint["nodeName"] == "sandbox"


def test_labels_tell_the_service_and_who_keeps_the_slice() -> None:
    (found,) = slices(service(), [])
    assert found["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "podinfo",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert found["metadata"]["ownerReferences"][0]["uid"] == "s1"


def test_a_pod_that_is_not_ready_is_listed_but_not_ready() -> None:
    (found,) = slices(service(), [pod("a", ready=False)])
    assert conditions(found) == [(False, False, False)]


def test_a_terminating_pod_still_serves_but_is_not_ready() -> None:
    (found,) = slices(service(), [pod("a", deleted=True)])
    assert conditions(found) == [(False, True, True)]


def test_pods_without_address_finished_or_of_others_are_not_listed() -> None:
    pods = [pod("a", ip=""), pod("b", phase="Succeeded"), pod("c", labels={"app": "other"})]
    (found,) = slices(service(), pods)
    assert found["endpoints"] == []


def test_a_service_may_publish_pods_that_are_not_ready() -> None:
    (found,) = slices(service(publishNotReadyAddresses=True), [pod("a", ready=False, deleted=True)])
    assert conditions(found) == [(True, False, True)]


def test_a_target_port_defaults_to_the_port() -> None:
    (found,) = slices(service(ports=[{"port": 80}]), [pod("a")])
    assert found["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]


def test_the_slice_keeps_its_name_whatever_the_pods() -> None:
    assert (
        slices(service(), [])[0]["metadata"]["name"] == slices(service(), [pod("a")])[0]["metadata"]["name"]
    )


def test_pods_that_use_another_number_for_the_name_get_a_slice_of_their_own() -> None:
    other = pod("b", ip="127.10.0.2")
    other["spec"]["containers"][0]["ports"][0]["containerPort"] = 8080
    found = slices(service(), [pod("a"), other])
    assert [each["ports"][0]["port"] for each in found] == [8080, 9898]
    assert len({each["metadata"]["name"] for each in found}) == 2
