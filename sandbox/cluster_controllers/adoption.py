"""Objects without an owner join the one whose selector they match.

Called by the loops of Deployments and ReplicaSets at the start of a pass, so that what `kubectl delete
--cascade=orphan` left behind is taken over by the next owner instead of standing in its way.
"""

from sandbox.cluster_controllers.objects import controller_reference, key_of, owner_reference, selects
from sandbox.cluster_controllers.view import View
from shared.cluster import Cluster
from shared.resources import Resource
from shared.types.meta import Json


async def adopt(cluster: Cluster, owner: tuple[Resource, Json], dependents: tuple[Resource, View]) -> None:
    """Make the owner the controller of all matching orphans in its namespace.

    Raises:
        Conflict: an orphan changed meanwhile; look again.
    """
    resource, view = dependents
    for orphan in view.in_namespace(owner[1]["metadata"]["namespace"]):
        metadata = orphan["metadata"]
        if controller_reference(orphan) is not None or view.is_doomed(orphan):
            continue
        if not selects(owner[1]["spec"]["selector"], metadata.get("labels") or {}):
            continue
        references = [*(metadata.get("ownerReferences") or []), owner_reference(*owner)]
        patch = {"metadata": {"ownerReferences": references, "resourceVersion": metadata["resourceVersion"]}}
        namespace, name = key_of(orphan)
        view.wrote(await cluster.patch(resource, name, namespace, patch))
