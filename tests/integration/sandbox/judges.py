"""Clients that follow an API server, each in its own way: what they hold shows whether it is like a real one.

Traefik's client-go informers, `kubernetes.aio` as its users write it, and the product's own informer. All
follow Traefik's Middlewares in the namespace default; `names` is what a judge knows of them.
"""

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from kubernetes.aio import client as official
from kubernetes.aio import config, watch

from shared.cluster import Cluster
from shared.informer import Informer
from shared.resources import Resource

Json = dict[str, Any]
MIDDLEWARES = Resource("traefik.io", "v1alpha1", "middlewares", "Middleware")
NAMESPACE = "default"
PROGRAM = Path(sys.executable).with_name("traefik")


class Judge(Protocol):
    """A client that follows the server."""

    async def names(self) -> set[str]:
        """The Middlewares that it knows now."""


@dataclass
class OurInformer:
    """`shared.informer`, as the controller uses it."""

    informer: Informer[str]

    async def names(self) -> set[str]:
        return {name for _, name in self.informer.cache}


@contextlib.asynccontextmanager
async def our_informer(kubeconfig: Path, _: Path) -> AsyncIterator[Judge]:
    async with await Cluster.connect(kubeconfig) as cluster:
        informer = Informer(cluster, MIDDLEWARES, lambda item: str(item["metadata"]["resourceVersion"]))
        running = asyncio.create_task(informer.run())
        yield OurInformer(informer)
        running.cancel()
        await asyncio.wait([running])


@dataclass
class Official:
    """List, watch from there, and list again when the server says that this is too long ago."""

    api: official.CustomObjectsApi
    known: set[str] = field(default_factory=set)

    async def names(self) -> set[str]:
        return set(self.known)

    async def follow(self) -> None:
        while True:
            try:
                await self._list_and_watch()
            except (aiohttp.ClientError, OSError, official.ApiException):
                await asyncio.sleep(0.05)  # what every example does before it starts over

    async def _list_and_watch(self) -> None:
        kind = (MIDDLEWARES.group, MIDDLEWARES.version, NAMESPACE, MIDDLEWARES.plural)
        listed: Any = await self.api.list_namespaced_custom_object(*kind)
        self.known = {item["metadata"]["name"] for item in listed["items"]}
        version = listed["metadata"]["resourceVersion"]
        async with watch.Watch() as watching:  # type: ignore[no-untyped-call] # the package has no types
            events = watching.stream(self.api.list_namespaced_custom_object, *kind, resource_version=version)
            async for event in events:
                name = event["raw_object"]["metadata"]["name"]
                (self.known.discard if event["type"] == "DELETED" else self.known.add)(name)


@contextlib.asynccontextmanager
async def official_client(kubeconfig: Path, _: Path) -> AsyncIterator[Judge]:
    settings = official.Configuration()
    load: Any = config.load_kube_config
    await load(str(kubeconfig), client_configuration=settings)
    async with official.ApiClient(settings) as connection:
        judge = Official(official.CustomObjectsApi(connection))
        running = asyncio.create_task(judge.follow())
        yield judge
        running.cancel()
        await asyncio.wait([running])


@dataclass
class Traefik:
    """The program; its own API tells what configuration it made of the objects."""

    session: aiohttp.ClientSession
    url: str

    async def names(self) -> set[str]:
        try:
            async with self.session.get(f"{self.url}/api/http/middlewares") as answer:
                found = [item["name"] for item in await answer.json()]
        except aiohttp.ClientError:
            return set()  # it has not begun to listen
        suffix = re.compile(rf"{NAMESPACE}-(.*)@kubernetescrd")
        return {match[1] for name in found if (match := suffix.fullmatch(name))}


@contextlib.asynccontextmanager
async def traefik(kubeconfig: Path, folder: Path) -> AsyncIterator[Judge]:
    port = _free_port()
    arguments = (
        f"--entrypoints.traefik.address=127.0.0.1:{port}",
        "--api.insecure=true",
        "--providers.kubernetescrd=true",
        "--providers.providersthrottleduration=50ms",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    )
    environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(folder)}
    with (folder / "traefik.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *arguments, env=environment, stdout=log, stderr=log
        )
    try:
        async with aiohttp.ClientSession() as session:
            yield Traefik(session, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


JUDGES: dict[str, Callable[[Path, Path], contextlib.AbstractAsyncContextManager[Judge]]] = {
    "traefik": traefik,
    "kubernetes.aio": official_client,
    "our informer": our_informer,
}
