"""What a request asks to do, read from its method, path and query as a real server reads it."""

import pytest

from sandbox.apiserver.access.attributes import Access, access_of


@pytest.mark.parametrize(
    ("method", "path", "query", "access"),
    [
        ("GET", "/api/v1/pods", {}, Access("list", "", "pods")),
        ("HEAD", "/api/v1/pods", {}, Access("list", "", "pods")),
        ("GET", "/api/v1/namespaces/a/pods", {"watch": "true"}, Access("watch", "", "pods", "a")),
        ("GET", "/api/v1/namespaces/a/pods", {"watch": "0"}, Access("list", "", "pods", "a")),
        ("GET", "/api/v1/namespaces/a/pods/p", {"watch": "1"}, Access("get", "", "pods", "a", "p")),
        ("GET", "/apis/apps/v1/deployments", {}, Access("list", "apps", "deployments")),
        ("DELETE", "/apis/g/v1/namespaces/a/things", {}, Access("deletecollection", "g", "things", "a")),
        ("PATCH", "/apis/g/v1/namespaces/a/u/t/status", {}, Access("patch", "g", "u/status", "a", "t")),
        ("GET", "/api/v1/namespaces", {}, Access("list", "", "namespaces")),
        ("GET", "/api/v1/namespaces/a", {}, Access("get", "", "namespaces", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", {}, Access("update", "", "namespaces/finalize", "a", "a")),
        ("POST", "/api/v1/pods", {"fieldSelector": "metadata.name=p"}, Access("create", "", "pods")),
        ("GET", "/api/v1/pods", {"fieldSelector": "a=b,metadata.name=p"},
         Access("list", "", "pods", "", "p")),
        ("GET", "/api/v1/pods", {"fieldSelector": "metadata.name==p"}, Access("list", "", "pods", "", "p")),
        ("OPTIONS", "/api/v1/pods", {}, Access("", "", "pods")),
        ("GET", "/api/v1", {}, Access("get", path="/api/v1")),
        ("GET", "/apis/apps/v1", {}, Access("get", path="/apis/apps/v1")),
        ("POST", "/debug/faults", {}, Access("post", path="/debug/faults")),
        ("GET", "/", {}, Access("get", path="/")),
    ],
)  # fmt: skip
def test_a_request_is_read_as_what_it_asks_for(
    method: str, path: str, query: dict[str, str], access: Access
) -> None:
    assert access_of(method, path, query) == access
