from typing import Any

import pytest

from sandbox.directory import Address, Directory, Unreachable, project_service, project_slice


def service(*ports: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"ports": list(ports)}}


def endpoints(
    namespace: str, of: str, port: dict[str, Any], ready: list[str], unready: list[str] | None = None
) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "labels": {"kubernetes.io/service-name": of}},
        "endpoints": [
            *({"addresses": [ip], "conditions": {"ready": True}} for ip in ready),
            *({"addresses": [ip], "conditions": {"ready": False}} for ip in unready or ()),
        ],
        "ports": [port],
    }


def directory() -> Directory:
    """podinfo.test with two ready pods and one that is not, an empty podinfo-canary.test, and Traefik."""
    made = Directory()
    http = service({"name": "http", "port": 80, "targetPort": 9898}, {"name": "grpc", "port": 9999})
    for name in ("podinfo", "podinfo-canary"):
        made.service_changed(("test", name), None, project_service(http))
    made.service_changed(("traefik", "traefik"), None, project_service(service({"port": 80})))
    for key, body in {
        ("test", "podinfo-1"): endpoints(
            "test", "podinfo", {"name": "http", "port": 9898}, ["127.10.0.1", "127.10.0.2"], ["127.10.0.9"]
        ),
        ("test", "podinfo-canary-1"): endpoints("test", "podinfo-canary", {"name": "http", "port": 9898}, []),
        ("traefik", "traefik-1"): endpoints("traefik", "traefik", {"name": "", "port": 8000}, ["127.10.0.7"]),
    }.items():
        made.slice_changed(key, None, project_slice(body))
    return made


@pytest.mark.parametrize(
    "host",
    ["podinfo.test", "podinfo.test.svc", "podinfo.test.svc.cluster.local", "PODINFO.test.", "podinfo.test."],
)
def test_every_spelling_of_a_service_reaches_its_ready_pods_in_turn(host: str) -> None:
    names = directory()
    reached = [names.resolve(host, 80) for _ in range(4)]
    assert reached == [Address("127.10.0.1", 9898), Address("127.10.0.2", 9898)] * 2


@pytest.mark.parametrize(
    "host", ["app.example.com", "example.com", "localhost.localdomain", "podinfo", "a.b.c.d.e", ""]
)
def test_any_other_name_reaches_traefik_whatever_its_port(host: str) -> None:
    assert directory().resolve(host, 8443) == Address("127.10.0.7", 8000)


def test_a_service_that_does_not_exist_is_said_not_to() -> None:
    assert directory().resolve("podinfo-v2.test", 80) == Unreachable(
        502, "there is no Service podinfo-v2 in namespace test"
    )
    assert directory().resolve("x.nowhere.svc", 80) == Unreachable(
        502, "there is no Service x in namespace nowhere"
    )


def test_a_service_without_ready_pods_is_unavailable() -> None:
    assert directory().resolve("podinfo-canary.test", 80) == Unreachable(
        503, "Service podinfo-canary in namespace test has no ready endpoints"
    )


def test_a_port_that_the_service_does_not_have_is_named() -> None:
    assert directory().resolve("podinfo.test", 81) == Unreachable(
        502, "Service podinfo in namespace test has no port 81, only 80, 9999"
    )


def test_a_port_without_endpoints_of_its_name_is_unavailable() -> None:
    unreachable = directory().resolve("podinfo.test", 9999)
    assert isinstance(unreachable, Unreachable)
    assert unreachable.status == 503


@pytest.mark.parametrize(("host", "ip"), [("127.10.0.5", "127.10.0.5"), ("localhost", "127.0.0.1")])
def test_this_machine_is_reached_directly(host: str, ip: str) -> None:
    assert directory().resolve(host, 1234) == Address(ip, 1234)


def test_other_machines_are_not_reached_by_address() -> None:
    assert directory().resolve("10.0.0.1", 80) == Address("127.10.0.7", 8000)


def test_pods_and_services_that_go_away_are_forgotten() -> None:
    names = directory()
    body = endpoints("test", "podinfo", {"name": "http", "port": 9898}, ["127.10.0.1", "127.10.0.2"])
    names.slice_changed(("test", "podinfo-1"), project_slice(body), None)
    gone = names.resolve("podinfo.test", 80)
    assert isinstance(gone, Unreachable)
    assert gone.status == 503
    names.service_changed(("test", "podinfo"), project_service(service()), None)
    gone = names.resolve("podinfo.test", 80)
    assert isinstance(gone, Unreachable)
    assert gone.status == 502


def test_an_endpoint_of_unknown_readiness_is_ready() -> None:
    body = {"metadata": {"namespace": "test"}, "endpoints": [{"addresses": ["127.10.0.1"]}], "ports": None}
    assert project_slice(body).ready == ("127.10.0.1",)
