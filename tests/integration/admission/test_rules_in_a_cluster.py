"""The rules as somebody with a client of the API meets them, on the sandbox's API server and a real one."""

import asyncio

import pytest

from shared.cluster import PatchType
from shared.errors import ClusterError, Forbidden, Invalid
from shared.resources import CANARIES, DEPLOYMENTS
from tests.builders import Json, deployment
from tests.integration.admission.test_process import Site, canary, site  # noqa: F401 - a fixture
from tests.waiting import POLL


async def refused(site: Site, patch: Json, subresource: str = "") -> str:  # noqa: F811 - the fixture's value
    """Why podinfo's Canary may not be changed so; empty where it was."""
    try:
        await site.cluster.patch(
            CANARIES, "podinfo", "test", patch, patch=PatchType.MERGE, subresource=subresource
        )
    except Invalid as error:
        return str(error)
    return ""


@pytest.fixture
async def guarded(site: Site) -> Site:  # noqa: F811 - the fixture's value
    """A Canary that has been promoted, its target at zero, and admission asked about every change of it."""
    target = deployment(replicas=0)
    for server_side in ("uid", "resourceVersion", "generation"):
        del target["metadata"][server_side]
    await site.cluster.create(DEPLOYMENTS, target)
    await site.cluster.create(CANARIES, canary(step=10))
    status = {"status": {"phase": "Succeeded"}}
    assert await refused(site, status, "status") == ""
    await site.start("--drain=0s")
    while "(U09)" not in await refused(site, status, "status"):  # noqa: ASYNC110 - the API server tells nobody
        await asyncio.sleep(POLL)
    return site


async def test_everything_that_an_update_breaks_is_said_and_nothing_is_stored(guarded: Site) -> None:
    wrong = {"provider": "nginx", "targetRef": {"name": "shop"}, "analysis": {"mirror": True}}
    said = await refused(guarded, {"spec": wrong})
    for rule in ("P02", "P19", "U01"):
        assert f"({rule})" in said
    stored = await guarded.cluster.get(CANARIES, "podinfo", "test")
    assert stored["spec"]["provider"] == "traefik"


async def test_what_the_schema_refuses_needs_no_webhook(guarded: Site) -> None:
    said = await refused(guarded, {"spec": {"analysis": {"stepWeight": 120}}})
    assert "spec.analysis.stepWeight" in said
    assert "canaries.pinfeather.dev" not in said


async def test_what_an_update_leaves_alone_is_no_reason_to_refuse_it(guarded: Site) -> None:
    assert await refused(guarded, {"spec": {"analysis": {"threshold": 5}}}) == ""
    assert await refused(guarded, {"metadata": {"labels": {"team": "a"}}}) == ""
    assert await refused(guarded, {"spec": {"suspend": True}}) == ""


async def test_a_delete_that_would_leave_no_pods_is_refused_until_there_is_no_target(guarded: Site) -> None:
    with pytest.raises(ClusterError, match="no pods of its own") as caught:
        await guarded.cluster.delete(CANARIES, "podinfo", "test")
    assert isinstance(caught.value, Forbidden)
    await guarded.cluster.delete(DEPLOYMENTS, "podinfo", "test")
    await guarded.cluster.delete(CANARIES, "podinfo", "test")
