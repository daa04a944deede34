"""An API server in memory, as far as leader election and Events need one."""

import asyncio
import copy
from typing import Any

from shared.errors import AlreadyExists, ClusterUnavailable, Conflict, NotFound
from shared.resources import Resource
from shared.types.meta import Json


class LeaseServer:
    """Objects by name, with resourceVersions. `down`: all calls fail; `hangs`: they never answer."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.down = False
        self.hangs = False
        self.calls: list[tuple[float, str]] = []
        self._version = 0

    async def get(self, _: Resource, name: str, namespace: str | None = None) -> Json:
        await self._enter("get")
        if name not in self.objects:
            raise NotFound(name)
        return copy.deepcopy(self.objects[name])

    async def create(self, _: Resource, body: Json) -> Json:
        await self._enter("create")
        if body["metadata"]["name"] in self.objects:
            raise AlreadyExists(body["metadata"]["name"])
        return self._store(body)

    async def replace(self, _: Resource, body: Json) -> Json:
        await self._enter("replace")
        stored = self.objects.get(body["metadata"]["name"])
        if stored is None:
            raise NotFound(body["metadata"]["name"])
        if stored["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict(body["metadata"]["name"])
        return self._store(body)

    async def patch(self, _: Resource, name: str, namespace: str | None, body: Json) -> Json:
        await self._enter("patch")
        if name not in self.objects:
            raise NotFound(name)
        return self._store(self.objects[name] | body)

    def count(self, call: str) -> int:
        return sum(each == call for _, each in self.calls)

    def _store(self, body: Json) -> Json:
        self._version += 1
        stored: dict[str, Any] = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.objects[stored["metadata"]["name"]] = stored
        return copy.deepcopy(stored)

    async def _enter(self, call: str) -> None:
        self.calls.append((asyncio.get_running_loop().time(), call))
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise ClusterUnavailable("down")
