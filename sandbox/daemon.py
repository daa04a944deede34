"""The process that is the sandbox: it wires the parts, says how far it is, and ends them in order.

Started by lifecycle as `python -m sandbox`, ended by SIGTERM. Whatever part fails ends the whole: half a
cluster would only be puzzling.

    API server ──► control loops, kubelet ──► names and proxy ──► programs on PATH ──► addons ──► ready
"""

import asyncio
import contextlib
import errno
import logging
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.addons import ADDONS, install, product, wait_until_ready
from sandbox.apiserver import ApiServer, Config
from sandbox.apiserver.access.tokens import service_account
from sandbox.connections import Connections
from sandbox.directory import Directory, project_service, project_slice
from sandbox.kubelet import images
from sandbox.kubelet.addresses import claimed_network
from sandbox.kubelet.kubelet import KubeletSettings
from sandbox.prerequisites import find_programs, link_programs, places
from sandbox.processes import ID_VARIABLE, kill_all
from sandbox.proxy import Proxy
from sandbox.scraping import TargetsFile, project_target
from sandbox.state import Folder, Stage, State
from shared.cluster import Cluster
from shared.errors import AppError, ConfigError
from shared.informer import Informer
from shared.resources import ENDPOINTSLICES, PODS, SERVICES
from shared.settings import environment

log = logging.getLogger(__name__)

ADDONS_TIMEOUT = 60.0
"""Seconds for all addons to become ready."""


@dataclass(frozen=True, slots=True)
class Order:
    """What `up` asked for."""

    folder: Folder
    state: State
    port: int
    """The API server's; 0 takes a free one."""


class Progress:
    """The state that is read by `up`."""

    def __init__(self, folder: Folder, state: State) -> None:
        self._folder = folder
        self._state = state

    def step(self, text: str) -> None:
        """Something was reached."""
        log.info("step", extra={"step": text})
        self.set(replace(self._state, steps=(*self._state.steps, text)))

    def urls(self, api: str, proxy: str) -> None:
        """Where the cluster is reached."""
        self.set(replace(self._state, api_url=api, proxy_url=proxy))

    def ready(self) -> None:
        """Everything that was asked for runs."""
        self.set(replace(self._state, stage=Stage.READY))

    def failed(self, error: str) -> None:
        """It ends now, for this reason."""
        self.set(replace(self._state, stage=Stage.FAILED, error=error))

    def set(self, state: State) -> None:
        self._state = state
        self._folder.write(state)


class Kubeconfigs:
    """A kubeconfig file for each service account, written when first asked for."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def __call__(self, namespace: str, account: str) -> Path:
        path = self._folder / f"{namespace}.{account}"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._server.write_kubeconfig(path, service_account(namespace, account))
        return path


async def run(order: Order) -> int:
    """Run until told to stop; 1 when something failed."""
    progress = Progress(order.folder, order.state)
    guardian = _start_guardian()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    cluster = asyncio.create_task(_cluster(order, progress))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({cluster, stopping}, return_when=asyncio.FIRST_COMPLETED)
    failure = cluster.exception() if cluster.done() else None
    for task in (cluster, stopping):
        task.cancel()
    await asyncio.gather(cluster, stopping, return_exceptions=True)
    if failure is not None:
        log.error("sandbox failed", exc_info=failure)
        progress.failed(_sentence(failure))
    # All parts have ended what they started; this is for what programs of pods left behind, and the guardian.
    kill_all(order.state.id)
    guardian.wait()
    return 0 if failure is None else 1


async def _cluster(order: Order, progress: Progress) -> None:
    """The whole cluster, until cancelled. Ends everything that it started."""
    folder = order.folder
    async with contextlib.AsyncExitStack() as stack:
        server = await _start_server(order, stack)
        progress.step(f"API server listens on {server.url}")
        cluster = await stack.enter_async_context(await Cluster.connect(folder.kubeconfig))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        connections = Connections(server, folder.root / "parts", stack)
        controllers = await connections.controllers()
        group.create_task(controllers.run())

        directory = Directory()
        targets = TargetsFile(folder.root / "targets.json")
        informers = _follow(cluster, directory, targets)
        for informer in informers:
            group.create_task(informer.run())
        proxy = Proxy(directory)
        stack.push_async_callback(proxy.stop)
        proxy_url = f"http://127.0.0.1:{await proxy.start()}"
        programs = find_programs(places(environment("PATH")), progress.step)
        link_programs(programs, folder.programs, proxy_url)

        kubeconfigs = Kubeconfigs(server, folder.root / "kubeconfigs")
        network = stack.enter_context(claimed_network())
        settings = _kubelet_settings(order, network, programs, proxy_url, kubeconfigs)
        kubelet = await connections.kubelet(settings)
        stack.push_async_callback(kubelet.stop)
        group.create_task(kubelet.run())
        for synced in (controllers.synced, kubelet.synced, *(informer.synced for informer in informers)):
            await synced.wait()
        progress.urls(server.url, proxy_url)
        progress.step("node, control loops and names are up")

        kubeconfigs(product.CONTROLLER_NAMESPACE, product.CONTROLLER_ACCOUNT)  # for one started by hand
        addons = [name for name in ADDONS if name not in order.state.without]
        await install(cluster, addons, {"TARGETS": str(targets.file)})
        await wait_until_ready(cluster, addons, progress.step, ADDONS_TIMEOUT)
        progress.ready()
        await asyncio.Event().wait()


async def _start_server(order: Order, stack: contextlib.AsyncExitStack) -> ApiServer:
    server = ApiServer(Config(state=order.folder.root, port=order.port))
    stack.push_async_callback(server.stop)
    try:
        await server.start()
    except OSError as error:
        raise ConfigError(_taken(order.port, error)) from error
    return server


def _follow(cluster: Cluster, directory: Directory, targets: TargetsFile) -> tuple[Informer[Any], ...]:
    """The informers that keep the directory and Prometheus' targets up to date."""
    services = Informer(cluster, SERVICES, project_service)
    services.add_listener(directory.service_changed)
    slices = Informer(cluster, ENDPOINTSLICES, project_slice)
    slices.add_listener(directory.slice_changed)
    pods = Informer(cluster, PODS, project_target)
    pods.add_listener(targets.changed)
    return services, slices, pods


def _kubelet_settings(
    order: Order, network: str, programs: Mapping[str, Path], proxy_url: str, kubeconfigs: Kubeconfigs
) -> KubeletSettings:
    names = {"http_proxy": proxy_url, "no_proxy": "127.0.0.0/8,127.0.0.1,localhost"}
    found = {"traefik": programs["traefik"], "prom/prometheus": programs["prometheus"]}
    recipes = {
        image: replace(images.RECIPES[image], entrypoint=(str(path),)) for image, path in found.items()
    }
    return KubeletSettings(
        state_dir=order.folder.root,
        network=network,
        environment={
            **names,
            **{name.upper(): value for name, value in names.items()},
            "PATH": f"{order.folder.programs}:{images.search_path()}",
            ID_VARIABLE: order.state.id,
        },
        kubeconfig=kubeconfigs,
        recipes={**images.RECIPES, **recipes},
    )


def _start_guardian() -> subprocess.Popen[bytes]:
    """The pipe's other end is held by this process alone, and closed by the kernel when it ends."""
    return subprocess.Popen([sys.executable, "-m", "sandbox.guardian"], stdin=subprocess.PIPE)


def _taken(port: int, error: OSError) -> str:
    if port and error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another process: choose another --port, or leave it out"
    return f"the API server cannot listen on port {port}: {error.strerror}"


def _sentence(failure: BaseException) -> str:
    """What a person reads; the log has the rest."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return str(failure) if isinstance(failure, AppError) else f"{type(failure).__name__}: {failure}"
