"""The kinds of target, and the primary that is made from one.

    target ─► render_primary ─► <target>-primary        once, at the start
    target ─► promote ────────► patch of the primary    each time a revision passed

One module a kind, each with the functions of `WorkloadKind`; a new kind is one file and one line here.
"""

from typing import Protocol

from controller.decision import Patch
from controller.observation import Options, Workload
from controller.workloads import deployment
from controller.workloads.capacity import initial_replicas, min_replicas
from shared.errors import InvalidSpec
from shared.types.canary import Canary
from shared.types.meta import Json

__all__ = ["WORKLOADS", "WorkloadKind", "initial_replicas", "min_replicas", "workload_kind"]


class WorkloadKind(Protocol):
    """What a module of this package offers. All of it is pure."""

    def render_primary(self, canary: Canary, target: Workload, options: Options) -> Json:
        """The primary to create from a target."""

    def promote(self, canary: Canary, primary: Workload, target: Workload, options: Options) -> Patch | None:
        """What makes the primary run the target's template; None when it does."""

    def check_owned(self, primary: Workload, canary: Canary) -> None:
        """Raise Blocked for a primary that is not this Canary's."""


WORKLOADS: dict[str, WorkloadKind] = {
    "Deployment": deployment,
}


def workload_kind(kind: str) -> WorkloadKind:
    """The module for `spec.targetRef.kind`.

    Raises:
        InvalidSpec: there is none.
    """
    if kind not in WORKLOADS:
        known = ", ".join(f'"{name}"' for name in WORKLOADS)
        raise InvalidSpec(f'spec.targetRef.kind: Unsupported value: "{kind}": supported values: {known}')
    return WORKLOADS[kind]
