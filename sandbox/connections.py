"""Connections of the cluster's own parts, each under the name and with the rights that it really has.

Webhooks and roles tell parts by their names: a part that came as an admin would show another cluster. Called
by the daemon and by tests.
"""

import contextlib
from pathlib import Path

from sandbox.apiserver import ApiServer
from sandbox.apiserver.access.tokens import service_account, system_user
from sandbox.apiserver.requests import User
from sandbox.cluster_controllers.running import ACCOUNTS, ClusterControllers
from sandbox.kubelet.kubelet import Kubelet, KubeletSettings
from shared.cluster import Cluster


class Connections:
    """Opens them, and keeps them open as long as the stack."""

    def __init__(self, server: ApiServer, folder: Path, stack: contextlib.AsyncExitStack) -> None:
        self._server = server
        self._folder = folder
        self._stack = stack

    async def open(self, user: User) -> Cluster:
        """A connection of this user's."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / user.name.replace(":", ".")
        self._server.write_kubeconfig(path, user)
        return await self._stack.enter_async_context(await Cluster.connect(path))

    async def controllers(self) -> ClusterControllers:
        """The control loops, each under its service account."""
        reading = await self.open(system_user("kube-controller-manager"))
        accounts = {name: await self.open(service_account("kube-system", name)) for name in ACCOUNTS}
        return ClusterControllers(reading, self._server.authority_file.read_text(), accounts)

    async def kubelet(self, settings: KubeletSettings) -> Kubelet:
        """The node's agent, and the scheduler in it."""
        node = await self.open(system_user(f"node:{settings.node}", "system:nodes"))
        return Kubelet(node, settings, scheduling=await self.open(system_user("kube-scheduler")))
