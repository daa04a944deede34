"""How many pods a canary starts with."""

from controller.observation import Manifest, Observation


def initial_replicas(seen: Observation) -> int:
    """The autoscaler's minimum; without an autoscaler as many pods as the primary has. At least one."""
    if seen.autoscaler is not None:
        return max(1, min_replicas(seen.autoscaler))
    return max(1, seen.primary.replicas) if seen.primary is not None else 1


def min_replicas(autoscaler: Manifest) -> int:
    """The fewest replicas that a HorizontalPodAutoscaler keeps; the API's default is one."""
    return int(autoscaler.json()["spec"].get("minReplicas", 1))
