"""An API server with a webhook beside it, to test what the server asks and what it makes of the answers."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

from tests.integration.api_client import MERGE, ApiClient
from tests.integration.webhook_receiver import Json, Receiver, configuration, path_of, rule, webhook

READY_WITHIN = 200
"""Looks, a twentieth of a second apart: a real server takes a while to notice a configuration."""

_READY = "/ready"
_numbers = itertools.count()


@dataclass
class Stage:
    """One namespace of a server; webhooks that are registered here see this namespace alone."""

    client: ApiClient
    receiver: Receiver
    namespace: str

    @property
    def config_maps(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    @property
    def deployments(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    def webhook(self, path: str, *rules: Json, **more: Any) -> Json:
        """A webhook for this namespace at a path of the receiver; without rules, for config maps."""
        chosen = rules or (rule("configmaps", groups="core"),)
        selector = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        fields = {"namespaceSelector": selector, **more}
        client = fields.pop("clientConfig", self.receiver.client(path))
        return webhook(path.strip("/"), client, chosen, **fields)

    async def register(self, kind: str, *webhooks: Json, name: str = "") -> str:
        """Writes a configuration and waits until the server goes by it. Returns its path."""
        count = next(_numbers)
        probe = {"matchLabels": {"probe": str(count)}}
        ready = self.webhook(_READY, objectSelector=probe)
        name = f"{name or 'webhooks'}-{self.namespace}-{count}"
        await self.client.done("POST", path_of(kind), configuration(kind, name, *webhooks, ready))
        await self._until_seen(str(count))
        return f"{path_of(kind)}/{name}"

    async def _until_seen(self, probe: str) -> None:
        labelled = {"metadata": {"name": "probe", "labels": {"probe": probe}}}
        for _ in range(READY_WITHIN):
            await self.client.send("POST", f"{self.config_maps}?dryRun=All", labelled)
            if self.receiver.requests(_READY):
                self.receiver.reviews.clear()
                self.receiver.queries.clear()
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the server does not call the webhook")

    async def make(self, name: str = "", *, query: str = "", **metadata: Any) -> tuple[int, Json, list[str]]:
        """Creates a config map: status, body and warnings."""
        name = name or f"made-{next(_numbers)}"
        body = {"metadata": {"name": name, **metadata}, "data": {"a": "1"}}
        headers = {"Content-Type": "application/json"}
        request = {"method": "POST", "path": self.config_maps + query, "headers": headers, "body": body}
        return await self.client.exchange(request)

    async def label(self, path: str, **labels: str) -> tuple[int, Json]:
        return await self.client.send("PATCH", path, {"metadata": {"labels": labels}}, MERGE)


def deployment(name: str = "web") -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def picked(value: str) -> Json:
    """A selector of objects with a label `pick`."""
    return {"matchLabels": {"pick": value}}
