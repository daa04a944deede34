"""One Canary and everything around it, as the API server had it after a certain write.

What the oracle judges and what tests look at. It reads plain objects and knows nothing of the controller, but
for how a template's hash is made.
"""

from dataclasses import dataclass

from shared.hold import hold_of
from shared.resources import DEPLOYMENTS, ENDPOINTSLICES
from shared.revision import template_hash
from shared.types.meta import Json
from tests.integration.controller.feed import Ref


@dataclass(frozen=True)
class View:
    """One Canary and what is around it, after one write."""

    canary: Json
    state: dict[Ref, Json]
    plans: frozenset[int] = frozenset()
    """The weights of all plans that the Canary has had: a change of the plan takes nothing back."""

    @property
    def status(self) -> Json:
        return self.canary.get("status") or {}

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def weight(self) -> int:
        return int(self.status.get("canaryWeight", 0))

    @property
    def target_name(self) -> str:
        return str(self.canary["spec"]["targetRef"]["name"])

    @property
    def apex(self) -> str:
        return str(self.canary["spec"]["service"].get("name") or self.target_name)

    @property
    def target(self) -> Json | None:
        return self.state.get((DEPLOYMENTS.plural, self.target_name))

    @property
    def primary(self) -> Json | None:
        return self.state.get((DEPLOYMENTS.plural, f"{self.target_name}-primary"))

    @property
    def route(self) -> Json | None:
        return self.state.get(("traefikservices", self.apex))

    @property
    def shares(self) -> dict[str, int | None]:
        """What Traefik has, by Service; a weight that is missing is None."""
        return shares_of(self.route) if self.route is not None else {}

    @property
    def on_canary(self) -> int:
        return self.shares.get(f"{self.apex}-canary") or 0

    def ready(self, service: str) -> int:
        """Ready endpoints of a Service."""
        return sum(
            len(endpoint["addresses"])
            for (plural, _), obj in self.state.items()
            if plural == ENDPOINTSLICES.plural
            and obj["metadata"]["labels"]["kubernetes.io/service-name"] == service
            for endpoint in obj.get("endpoints") or []
        )

    @property
    def steps(self) -> tuple[int, ...]:
        """The weights of the plan, in order."""
        analysis = self.canary["spec"]["analysis"]
        if weights := analysis.get("stepWeights"):
            return tuple(weights)
        step, last = analysis.get("stepWeight") or 100, analysis.get("maxWeight") or 100
        return (*range(step, last, step), last)

    @property
    def planned(self) -> frozenset[int]:
        """Every weight that may be routed: steps, and those on the way back to the primary."""
        reached = self.plans | {0, *self.steps}
        back = self.canary["spec"]["analysis"].get("stepWeightPromotion") or 100
        return reached | {left for weight in reached for left in range(weight, 0, -back)}

    @property
    def analysed(self) -> bool:
        """Whether the target's pods run what the analysis is about."""
        paused = self.target is not None and self.target["spec"].get("paused")
        held = hold_of(self.target["metadata"]) if self.target and paused else None
        hashed = template_hash(self.target["spec"]["template"]) if self.target else None
        return (held.runs if held else hashed) == self.status.get("lastAppliedSpec")


def shares_of(route: Json) -> dict[str, int | None]:
    """The weights of a TraefikService by name."""
    services = (route["spec"].get("weighted") or {}).get("services") or []
    return {entry["name"]: entry.get("weight") for entry in services}
