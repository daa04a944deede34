"""The one door to the Kubernetes API: verbs on resources, plain JSON in and out, our own errors.

Everything that reads or writes cluster objects comes through here; shared/informer.py and shared/leader.py
stand on it. Objects stay plain dictionaries: a generated model of one Deployment takes 123 KB and a
millisecond.

    verb ──► exchange (deadline, retries, credentials) ──► answers (bytes to JSON, status to error)
"""

import random
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import Self

from shared import answers
from shared.errors import Gone, Invalid, NotFound
from shared.exchange import Exchange, Request
from shared.kubeconfig import Connection
from shared.names import FIELD_MANAGER
from shared.resources import Resource
from shared.types.meta import Json

Items = list[Json]
WATCH_SECONDS = (290, 350)
"""How long the server is asked to keep a watch open; a range, so that watches do not all end together."""
PAGE = 100
"""Objects that a list is asked for at a time. Parsed, a page takes ten times its bytes, and a process keeps
what it once took: pages of 500 cost 30 MB.
"""

_MANAGER = {"fieldManager": FIELD_MANAGER}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


class PatchType(StrEnum):
    """How a patch is written; the values are its content types."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Cluster:
    """A connection to one API server as one user. Opened by `connect`, closed by `async with` or `close`.

    Every verb raises an error of shared/errors.py's ClusterError family and nothing else.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None) -> Self:
        """Read the configuration: the file, else $KUBECONFIG, else the pod's service account. Sends no
        request.

        Raises:
            ConfigError: none of them is usable; the message says what was tried.
        """
        return cls(Exchange(await Connection.open(kubeconfig), kubeconfig))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._exchange.close()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._exchange.server

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Json:
        """One object."""
        return await self._exchange.send(Request("GET", _path(resource, namespace, name)))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = PAGE,
    ) -> tuple[Items, str]:
        """All objects of all pages (of all namespaces without one), and the resourceVersion to watch from."""
        query = _selectors(label_selector, field_selector)
        try:
            return await self._all(resource, namespace, query, limit)
        except Gone:  # the server forgot the later pages meanwhile
            return await self._all(resource, namespace, query, limit)

    async def _all(
        self, resource: Resource, namespace: str | None, query: dict[str, str], limit: int
    ) -> tuple[Items, str]:
        items: Items = []
        version = ""
        async for page, version in self.pages(resource, namespace, query=query, limit=limit):  # noqa: B007 - the last
            items += page
        return items, version

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, query: dict[str, str], limit: int = PAGE
    ) -> AsyncGenerator[tuple[Items, str]]:
        """The same page by page, so that a caller who keeps little of an object never holds them all.

        Raises:
            Gone: the list took so long that the server forgot its later pages; begin again.
        """
        path = _path(resource, namespace)
        more = ""
        while True:
            page = await self._exchange.send(
                Request("GET", path, query | {"limit": str(limit)} | ({"continue": more} if more else {}))
            )
            items = page.get("items") or []
            for item in items:  # lists of built-in kinds leave these two out of their items
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            metadata = page.get("metadata") or {}
            yield items, metadata.get("resourceVersion", "")
            more = metadata.get("continue", "")
            if not more:
                return

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncGenerator[tuple[str, Json]]:
        """What happened after the resourceVersion, as (type, object), bookmarks among them. One request.

        Ends when the server ends it, or when it has been silent for too long. Close it with `aclosing`.

        Raises:
            Gone: the resourceVersion is too old, or the place in the stream is lost; list again.
        """
        query = _selectors(label_selector, field_selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),
        }
        request = Request("GET", _path(resource, namespace), query)
        async with aclosing(self._exchange.lines(request)) as lines:
            async for line in lines:
                yield answers.read_event(line, request.what)

    async def create(self, resource: Resource, body: Json, *, subresource: str = "") -> Json:
        """Create the object in the namespace that its metadata names; the answer is what was stored.

        With a subresource (`binding`): create that of the object that the metadata names.
        """
        metadata = body["metadata"]
        name = metadata["name"] if subresource else None
        path = _path(resource, metadata.get("namespace"), name, subresource)
        return await self._exchange.send(Request("POST", path, dict(_MANAGER), body))

    async def patch(  # noqa: PLR0913 - the parts of a patch; each caller names the few that it needs
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        body: Json | Items,
        *,
        patch: PatchType = PatchType.MERGE,
        subresource: str = "",
        force: bool = False,
    ) -> Json:
        """Change parts of an object. `force` takes fields over from other managers, for APPLY alone.

        A `metadata.resourceVersion` in the body makes it a Conflict if the object has changed since.
        """
        query = dict(_MANAGER) | ({"force": "true"} if force else {})
        path = _path(resource, namespace, name, subresource)
        return await self._exchange.send(Request("PATCH", path, query, body, patch))

    async def replace(self, resource: Resource, body: Json, *, subresource: str = "") -> Json:
        """Put a whole object in place of what its metadata names, at the resourceVersion that it carries."""
        metadata = body["metadata"]
        path = _path(resource, metadata.get("namespace"), metadata["name"], subresource)
        return await self._exchange.send(Request("PUT", path, dict(_MANAGER), body))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace: int | None = None,
    ) -> None:
        """Delete an object. With a uid: only if it is still that one, else Conflict.

        `grace` is in seconds; without it, the object's own.
        """
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._exchange.send(Request("DELETE", _path(resource, namespace, name), {}, options))

    async def served(self, group: str) -> dict[str, str] | None:
        """Which resources the server has in a group: plural -> version, its preferred one first. None: no
        such group.
        """
        try:
            found = await self._exchange.send(Request("GET", f"/apis/{group}" if group else "/api"))
        except NotFound:
            return None
        preferred = (found.get("preferredVersion") or {}).get("version", "")
        versions = [entry["version"] for entry in found["versions"]] if group else found["versions"]
        plurals: dict[str, str] = {}
        for version in sorted(versions, key=lambda each: each != preferred):
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            try:
                listed = await self._exchange.send(Request("GET", path))
            except NotFound:  # it went since the group was read
                continue
            for resource in listed.get("resources") or []:
                if "/" not in resource["name"]:
                    plurals.setdefault(resource["name"], version)
        return plurals


def _path(resource: Resource, namespace: str | None, name: str | None = None, subresource: str = "") -> str:
    """The URL path; refuses names that would lead to another object than the one that is meant
    (`../secrets/x`).
    """
    for part in (namespace, name):
        if part is not None and not _NAME.fullmatch(part):
            raise Invalid(f"{part!r} is not the name of a {resource.kind} or a namespace")
    return resource.path(namespace, name, subresource or None)


def _selectors(label_selector: str, field_selector: str) -> dict[str, str]:
    chosen = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in chosen.items() if value}
