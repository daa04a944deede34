"""The scheduler of a cluster with one node: every pod without a node is bound to it."""

import logging

from shared.cluster import Cluster
from shared.errors import ClusterError, Conflict, NotFound
from shared.informer import Key
from shared.queue import KeyQueue
from shared.resources import NODES, PODS
from shared.types.meta import Json

_log = logging.getLogger(__name__)


class Scheduler:
    """Binds the pods that it is shown."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._cluster = cluster
        self._node = node
        self._queue: KeyQueue[Key] = KeyQueue()

    def consider(self, pod: Json) -> None:
        """Have a pod bound if it needs a node."""
        if not pod["spec"].get("nodeName") and not pod["metadata"].get("deletionTimestamp"):
            self._queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    async def run(self) -> None:
        """Bind for ever. Ends only by cancellation."""
        try:
            while True:
                key = await self._queue.get()
                try:
                    await self._bind(key)
                except (NotFound, Conflict):
                    self._queue.forget(key)  # gone, or bound by somebody else
                except ClusterError as error:
                    _log.warning("pod cannot be bound", extra={"pod": key[1], "error": str(error)})
                    self._queue.retry(key)
                else:
                    self._queue.forget(key)
                finally:
                    self._queue.done(key)
        finally:
            self._queue.close()

    async def _bind(self, key: Key) -> None:
        target = {"apiVersion": NODES.api_version, "kind": NODES.kind, "name": self._node}
        metadata = {"namespace": key[0], "name": key[1]}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        await self._cluster.create(PODS, binding, subresource="binding")
