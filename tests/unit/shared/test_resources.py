"""URL paths of objects, as the API server serves them."""

import pytest

from shared.resources import CANARIES, CRDS, DEPLOYMENTS, NODES, PODS, Resource, traefik_services


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PODS.path(None), "/api/v1/pods"),
        (PODS.path("test", "web-0", "log"), "/api/v1/namespaces/test/pods/web-0/log"),
        (NODES.path(None, "sandbox"), "/api/v1/nodes/sandbox"),
        (NODES.path("ignored", "sandbox"), "/api/v1/nodes/sandbox"),
        (
            DEPLOYMENTS.path("test", "podinfo", "scale"),
            "/apis/apps/v1/namespaces/test/deployments/podinfo/scale",
        ),
        (CANARIES.path("test"), "/apis/flagger.app/v1beta1/namespaces/test/canaries"),
        (CRDS.path(None, "x"), "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x"),
        (
            traefik_services("traefik.io").path("t", "p"),
            "/apis/traefik.io/v1alpha1/namespaces/t/traefikservices/p",
        ),
    ],
)
def test_paths_are_those_of_the_api_server(path: str, expected: str) -> None:
    assert path == expected


def test_the_core_group_has_no_name_in_api_versions() -> None:
    assert (PODS.api_version, CANARIES.api_version) == ("v1", "flagger.app/v1beta1")


def test_a_resource_can_be_a_key() -> None:
    assert {Resource("", "v1", "pods", "Pod"): 1}[PODS] == 1
