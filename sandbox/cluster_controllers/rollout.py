"""How many pods each ReplicaSet of a Deployment should have next. Pure arithmetic.

Called by `deployment.decide`. One step at a time: the new ReplicaSet grows into the surge, then old ones
shrink into what may be unavailable; the next pass sees what became of it.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.types.meta import Json

Sizes = dict[str, int]
"""New sizes by the name of the ReplicaSet; what keeps its size is left out."""

_DEFAULT_SHARE = "25%"


@dataclass(frozen=True, slots=True)
class Limits:
    """The Deployment's size, and how far above and below it a rollout may go, in pods."""

    desired: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        """Pods that may exist at once. None at all when the Deployment is scaled to zero."""
        return self.desired + self.surge if self.desired else 0

    @property
    def fewest(self) -> int:
        """Pods that have to be available at any time."""
        return self.desired - self.unavailable


@dataclass(frozen=True, slots=True)
class Group:
    """One ReplicaSet in numbers. `size` is what it is asked for, `before` the `most` at its last scaling."""

    name: str
    size: int
    available: int
    created: str = ""
    before: int = 0

    @property
    def surely_available(self) -> int:
        """A status that lags behind a scale-down counts pods that are already going."""
        return min(self.available, self.size)


def limits(spec: Json) -> Limits:
    """The limits of a Deployment's spec: surge is rounded up, unavailable down, and they are never both

    zero."""
    desired = spec.get("replicas", 1)
    strategy = spec.get("strategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate" or desired == 0:
        return Limits(desired, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = _pods(rolling.get("maxSurge", _DEFAULT_SHARE), desired, math.ceil)
    unavailable = _pods(rolling.get("maxUnavailable", _DEFAULT_SHARE), desired, math.floor)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(desired, surge, min(unavailable, desired))


def _pods(value: int | str, desired: int, rounded: Callable[[float], int]) -> int:
    if isinstance(value, int):
        return value
    return rounded(int(value.removesuffix("%")) * desired / 100)


def grow(bounds: Limits, size: int, others: int) -> int:
    """The next size of the new ReplicaSet beside `others` pods of old ones."""
    if size >= bounds.desired:
        return bounds.desired
    room = bounds.most - size - others
    return size + max(0, min(room, bounds.desired - size))


def roll(bounds: Limits, new: Group, old: Sequence[Group]) -> Sizes:
    """The next step of a rolling update."""
    size = grow(bounds, new.size, sum(each.size for each in old))
    if size != new.size:
        return {new.name: size}
    return _shrink(bounds, new, old)


def _shrink(bounds: Limits, new: Group, old: Sequence[Group]) -> Sizes:
    """Take pods from old ReplicaSets: first those that serve nobody, then as many others as may be missed."""
    total = new.size + sum(each.size for each in old)
    spare = total - bounds.fewest - (new.size - new.surely_available)
    oldest_first = sorted(old, key=lambda each: each.created)
    sizes = {each.name: each.size for each in oldest_first}
    for each in oldest_first:
        unhealthy = min(each.size - each.surely_available, max(spare, 0))
        sizes[each.name] -= unhealthy
        spare -= unhealthy
    missable = min(spare, new.surely_available + sum(each.surely_available for each in old) - bounds.fewest)
    for each in oldest_first:
        taken = min(sizes[each.name], max(missable, 0))
        sizes[each.name] -= taken
        missable -= taken
    return {each.name: sizes[each.name] for each in old if sizes[each.name] != each.size}


def recreate(bounds: Limits, new: Group, old: Sequence[Group], *, old_pods: int) -> Sizes:
    """The next step of Recreate: nothing new starts before the last old pod has ended."""
    running = {each.name: 0 for each in old if each.size}
    if running:
        return running
    if old_pods or new.size == bounds.desired:
        return {}
    return {new.name: bounds.desired}


def rescale(bounds: Limits, groups: Sequence[Group], newest: str) -> Sizes:
    """Spread a new size of the Deployment over its ReplicaSets, each in proportion to its share.

    One alone gets it whole. In mid-rollout the total is the Deployment's size and surge, so that a rollout
    goes on from where it was; what rounding leaves over goes to the largest, the newest first among equals.
    """
    active = [each for each in groups if each.size] or [each for each in groups if each.name == newest]
    if len(active) <= 1:
        return {each.name: bounds.desired for each in active if each.size != bounds.desired}
    order = sorted(active, key=lambda each: (each.size, each.name == newest, each.created), reverse=True)
    sizes: Sizes = {}
    left = bounds.most - sum(each.size for each in active)
    for each in order:
        share = round(each.size * bounds.most / max(each.before, 1)) - each.size
        step = max(min(share, left), 0) if left > 0 else min(max(share, left), 0)
        sizes[each.name] = each.size + step
        left -= step
    for each in order:
        step = max(left, -sizes[each.name])
        sizes[each.name] += step
        left -= step
    return {each.name: sizes[each.name] for each in active if sizes[each.name] != each.size}
