"""TraefikService: the weights that Traefik routes by. Only what the product owns is modelled.

Traefik owns the schema and adds to it (stickiness, health checks, middlewares), so unknown fields are kept.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from shared.types.meta import Json, ObjectMeta, Wire
from shared.types.problems import parse
from shared.types.scalars import Whole


class Kept(Wire):
    """A part of Traefik's object: fields that are not known here are dumped as they came."""

    model_config = ConfigDict(extra="allow")


class WeightedService(Kept):
    """One leg of the split."""

    name: str
    kind: str = "Service"
    namespace: str | None = None
    port: int | str | None = None
    weight: Annotated[Whole, Field(ge=0)] | None = None

    @property
    def effective_weight(self) -> int:
        """The weight as Traefik reads it: a missing one is 1, a zero takes the leg out."""
        return 1 if self.weight is None else self.weight


class Weighted(Kept):
    """A split by weight."""

    services: tuple[WeightedService, ...] = ()


class TraefikServiceSpec(Kept):
    """Without `weighted` it is another kind of service (mirroring, failover), which is not the product's."""

    weighted: Weighted | None = None


class TraefikService(Wire):
    """An object of Traefik that routes may point to."""

    api_version: str
    kind: str = "TraefikService"
    metadata: ObjectMeta
    spec: TraefikServiceSpec


def parse_traefik_service(obj: Json) -> TraefikService:
    """The TraefikService that a JSON object is.

    Raises:
        InvalidSpec: with every problem.
    """
    return parse(TraefikService, obj)
