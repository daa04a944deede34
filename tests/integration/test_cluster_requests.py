"""Requests to an API server: what is sent, what comes back, and what happens when it goes wrong."""

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web

from shared import errors
from shared.cluster import Cluster, PatchType
from shared.pace import urgent
from shared.resources import CANARIES, DEPLOYMENTS, NAMESPACES, PODS
from shared.types.meta import Json
from tests.integration.scripted import Server, refuse, reply, reset, stream, write_kubeconfig

POD = "/api/v1/namespaces/test/pods/podinfo"
PODS_IN_TEST = "/api/v1/namespaces/test/pods"
OBJECT = {"metadata": {"name": "podinfo", "namespace": "test"}}


async def test_get_sends_token_and_user_agent(cluster: Cluster, server: Server) -> None:
    server.on("GET", POD, reply(OBJECT))
    assert await cluster.get(PODS, "podinfo", "test") == OBJECT
    headers = server.asked[0].headers
    assert headers["Authorization"] == "Bearer sesame"
    assert headers["User-Agent"] == "pinfeather"


async def test_list_follows_all_pages_and_completes_items(cluster: Cluster, server: Server) -> None:
    first = {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]}
    second = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "b"}}]}
    server.on("GET", "/apis/apps/v1/deployments", reply(first), reply(second))
    items, version = await cluster.list(DEPLOYMENTS, label_selector="app=x", field_selector="a=b", limit=1)
    assert [item["metadata"]["name"] for item in items] == ["a", "b"]
    assert {(item["apiVersion"], item["kind"]) for item in items} == {("apps/v1", "Deployment")}
    assert version == "7"
    assert server.asked[1].query == {
        "labelSelector": "app=x", "fieldSelector": "a=b", "limit": "1", "continue": "more"
    }  # fmt: skip


async def test_a_list_whose_later_pages_are_forgotten_begins_again(cluster: Cluster, server: Server) -> None:
    first = {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]}
    whole = {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": {"name": "a"}}]}
    server.on("GET", "/api/v1/pods", reply(first), refuse(410, "continue token is too old"), reply(whole))
    items, version = await cluster.list(PODS)
    assert (len(items), version) == (1, "9")


async def test_list_of_nothing_is_empty(cluster: Cluster, server: Server) -> None:
    server.on("GET", "/api/v1/pods", reply({"metadata": {"resourceVersion": "1"}, "items": None}))
    assert await cluster.list(PODS) == ([], "1")


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", errors.Invalid),
        (401, "Unauthorized", errors.Forbidden),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.Gone),
        (418, "Teapot", errors.ClusterError),
        (422, "Invalid", errors.Invalid),
        (500, "InternalError", errors.ClusterUnavailable),
    ],
)
async def test_each_status_is_its_own_error(
    cluster: Cluster, server: Server, code: int, reason: str, expected: type[Exception]
) -> None:
    server.on("POST", PODS_IN_TEST, refuse(code, "because of reasons", reason))
    with pytest.raises(errors.ClusterError, match="because of reasons") as caught:
        await cluster.create(PODS, OBJECT)
    assert type(caught.value) is expected


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("code", [429, 503])
async def test_a_request_that_was_turned_away_is_sent_again_after_the_wait_asked_for(
    cluster: Cluster, server: Server, method: str, code: int
) -> None:
    path = POD if method == "GET" else PODS_IN_TEST
    server.on(method, path, refuse(code, headers={"Retry-After": "1"}), reply(OBJECT))
    before = asyncio.get_running_loop().time()
    await (cluster.get(PODS, "podinfo", "test") if method == "GET" else cluster.create(PODS, OBJECT))
    assert asyncio.get_running_loop().time() - before >= 1
    assert server.count(method, path) == 2


async def test_after_a_429_other_requests_wait_and_urgent_ones_do_not(
    cluster: Cluster, server: Server
) -> None:
    server.on("GET", POD, refuse(429, headers={"Retry-After": "1"}), reply(OBJECT))
    server.on("GET", PODS_IN_TEST + "/other", reply(OBJECT))
    throttled = asyncio.create_task(cluster.get(PODS, "podinfo", "test"))
    await server.answered.wait()
    await asyncio.sleep(0.05)  # for the answer to be read
    clock = asyncio.get_running_loop().time
    before = clock()
    with urgent():
        await cluster.get(PODS, "other", "test")
    assert clock() - before < 0.5
    await cluster.get(PODS, "other", "test")
    assert clock() - before > 0.8
    await throttled


async def test_a_read_is_repeated_after_a_500_or_a_broken_connection(
    cluster: Cluster, server: Server
) -> None:
    server.on("GET", POD, refuse(500), reset, stream(b'{"half":', end="reset"), reply(OBJECT))
    assert await cluster.get(PODS, "podinfo", "test") == OBJECT


@pytest.mark.parametrize("answer", [refuse(500), reset])
async def test_a_write_that_may_have_been_applied_is_not_repeated(
    cluster: Cluster, server: Server, answer: object
) -> None:
    server.on("POST", PODS_IN_TEST, answer)  # type: ignore[arg-type]  # parametrize loses the type
    with pytest.raises(errors.ClusterUnavailable):
        await cluster.create(PODS, OBJECT)
    assert server.count("POST", PODS_IN_TEST) == 1


@pytest.mark.looptime
async def test_a_server_that_is_not_there_is_tried_for_half_a_minute_and_named(
    tmp_path: Path, looptime: float
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", url)
        async with await Cluster.connect(kubeconfig) as cluster:
            with pytest.raises(errors.ClusterUnavailable, match=f"{url} .kubeconfig {kubeconfig}.*refused"):
                await cluster.create(PODS, OBJECT)
    assert 20 < looptime < 31


async def test_an_answer_that_never_ends_is_given_up(
    cluster: Cluster, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.exchange.ATTEMPT_SECONDS", 0.1)
    server.on("PATCH", POD, stream(b'{"half":', end="stall"))
    with pytest.raises(errors.ClusterUnavailable, match="no answer in time"):
        await cluster.patch(PODS, "podinfo", "test", {})


async def test_an_answer_that_is_too_large_is_given_up(
    cluster: Cluster, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.answers.LARGEST_ANSWER", 100_000)
    server.on("PATCH", POD, stream(b"x" * 200_000))
    with pytest.raises(errors.ClusterUnavailable, match="larger than 100000 bytes"):
        await cluster.patch(PODS, "podinfo", "test", {})


@pytest.mark.parametrize("text", [b"<html>hello</html>", b"[]", b""])
async def test_an_answer_that_no_api_server_gives_is_an_error(
    cluster: Cluster, server: Server, text: bytes
) -> None:
    server.on("PATCH", POD, stream(text))
    with pytest.raises(errors.ClusterUnavailable, match=r"not (a )?JSON"):
        await cluster.patch(PODS, "podinfo", "test", {})


async def test_an_error_of_a_proxy_is_shown_as_its_text(cluster: Cluster, server: Server) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text="<html>\r\nno such\thost</html>")

    server.on("GET", POD, answer)
    with pytest.raises(errors.NotFound, match="<html> no such host</html>"):
        await cluster.get(PODS, "podinfo", "test")


@pytest.mark.parametrize("patch", list(PatchType))
async def test_each_patch_goes_out_as_its_content_type(
    cluster: Cluster, server: Server, patch: PatchType
) -> None:
    server.on("PATCH", f"{POD}/status", reply(OBJECT))
    body: Json | list[Json] = [{"op": "remove", "path": "/x"}] if patch is PatchType.JSON else {"status": {}}
    await cluster.patch(
        PODS, "podinfo", "test", body, patch=patch, subresource="status", force=patch is PatchType.APPLY
    )
    asked = server.asked[0]
    assert asked.headers["Content-Type"] == patch.value
    assert asked.body == body
    assert asked.query["fieldManager"] == "pinfeather"
    assert asked.query.get("force") == ("true" if patch is PatchType.APPLY else None)


async def test_replace_goes_to_the_object_that_its_metadata_names(cluster: Cluster, server: Server) -> None:
    path = "/apis/flagger.app/v1beta1/namespaces/test/canaries/podinfo/status"
    server.on("PUT", path, reply(OBJECT))
    assert await cluster.replace(CANARIES, OBJECT, subresource="status") == OBJECT
    assert server.asked[0].body == OBJECT


async def test_delete_can_insist_on_the_uid(cluster: Cluster, server: Server) -> None:
    server.on("DELETE", POD, reply({"kind": "Status"}))
    await cluster.delete(PODS, "podinfo", "test", uid="1234")
    assert server.asked[0].body["preconditions"] == {"uid": "1234"}


@pytest.mark.parametrize("name", ["../secrets/token", "a/b", "..", "", "a?watch=1", "a%2fb", "-a"])
async def test_a_name_that_would_lead_elsewhere_is_refused_before_it_is_sent(
    cluster: Cluster, server: Server, name: str
) -> None:
    with pytest.raises(errors.Invalid, match="is not the name"):
        await cluster.get(NAMESPACES, name)
    with pytest.raises(errors.Invalid, match="is not the name"):
        await cluster.get(PODS, "podinfo", name or "..")
    assert not server.asked


async def test_discovery_tells_each_resource_with_the_preferred_version(
    cluster: Cluster, server: Server
) -> None:
    versions = [{"version": "v1alpha1"}, {"version": "v1beta1"}]
    server.on("GET", "/apis/x.io", reply({"versions": versions, "preferredVersion": {"version": "v1beta1"}}))
    server.on("GET", "/apis/x.io/v1alpha1", reply({"resources": [{"name": "old"}, {"name": "both"}]}))
    server.on("GET", "/apis/x.io/v1beta1", reply({"resources": [{"name": "both"}, {"name": "both/status"}]}))
    assert await cluster.served("x.io") == {"both": "v1beta1", "old": "v1alpha1"}
    assert await cluster.served("traefik.io") is None


async def test_a_version_that_goes_between_two_looks_has_nothing(cluster: Cluster, server: Server) -> None:
    server.on("GET", "/apis/x.io", reply({"versions": [{"version": "v1"}]}))
    assert await cluster.served("x.io") == {}


async def test_discovery_of_the_core_group(cluster: Cluster, server: Server) -> None:
    server.on("GET", "/api", reply({"versions": ["v1"]}))
    server.on("GET", "/api/v1", reply({"resources": [{"name": "pods"}]}))
    assert await cluster.served("") == {"pods": "v1"}


async def test_redirects_are_not_followed(cluster: Cluster, server: Server) -> None:
    server.on("GET", POD, reply({}, 302, {"Location": server.url + "/elsewhere"}))
    with pytest.raises(errors.ClusterError, match="status 302"):
        await cluster.get(PODS, "podinfo", "test")
    assert server.count("GET", "/elsewhere") == 0
