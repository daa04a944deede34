"""Webhooks that run while a test does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from shared.cluster import Cluster
from tests.integration.admission.webhooks import Webhooks, knows, webhooks
from tests.integration.scripted import Server

PODINFO = {
    "metadata": {
        "name": "podinfo",
        "namespace": "test",
        "uid": "u1",
        "resourceVersion": "3",
        "creationTimestamp": "2026-11-22T20:00:00Z",
    },
    "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}},
    "status": {"phase": "Succeeded"},
}


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that the process runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def asked(cluster: Cluster, server: Server, tmp_path: Path) -> AsyncIterator[Webhooks]:
    """Webhooks that know one Canary, podinfo in namespace test, whose primary serves."""
    knows(server, PODINFO)
    async with webhooks(cluster, tmp_path) as running:
        yield running
