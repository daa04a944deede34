"""ClusterRoles that are made of others: `view`, `edit`, `admin`, and whatever else has an aggregationRule.

Their rules are those of all ClusterRoles that their selectors match, each once, in the order of names.
"""

from collections.abc import Iterable

from sandbox.cluster_controllers.inventory import CLUSTER_ROLES
from sandbox.cluster_controllers.objects import key_of, selects
from sandbox.cluster_controllers.view import View
from shared.cluster import Cluster
from shared.informer import Key
from shared.queue import KeyQueue
from shared.types.meta import Json


def aggregated(role: Json, roles: Iterable[Json]) -> list[Json]:
    """The rules that a role with an aggregationRule has."""
    selectors = role["aggregationRule"].get("clusterRoleSelectors") or ()
    rules: list[Json] = []
    for other in sorted(roles, key=key_of):
        labels = other["metadata"].get("labels") or {}
        if key_of(other) != key_of(role) and any(selects(selector, labels) for selector in selectors):
            rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


class RoleAggregationController:
    """Fills the rules in. Its queue holds ("", role)."""

    def __init__(self, cluster: Cluster, roles: View) -> None:
        self.queue: KeyQueue[Key] = KeyQueue()
        self._cluster = cluster
        self._roles = roles
        roles.add_listener(self._on_role)

    def _on_role(self, _old: Json | None, _new: Json | None) -> None:
        for role in self._roles.in_namespace(""):
            if role.get("aggregationRule"):
                self.queue.add(key_of(role))

    async def reconcile(self, key: Key) -> float | None:
        """One pass over a role."""
        role = self._roles.get(key)
        if role is None or not role.get("aggregationRule"):
            return None
        rules = aggregated(role, self._roles.in_namespace(""))
        if rules != (role.get("rules") or []):
            body = {"rules": rules}
            self._roles.wrote(await self._cluster.patch(CLUSTER_ROLES, key[1], None, body))
        return None
