"""What rules may ask about other objects: a snapshot, so that rules stay pure."""

from collections.abc import Sequence
from typing import Protocol

from shared.resources import Resource
from shared.types.meta import Json


class Lookup(Protocol):
    """The objects around the one under review, gathered before the rules run."""

    @property
    def complete(self) -> bool:
        """Whether what is not found does not exist. False offline, where only some files are known."""

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """An object; None where it was not found."""

    def list(self, resource: Resource, namespace: str) -> Sequence[Json]:
        """The objects of a kind in a namespace; with an empty one, in all that are known."""

    def allowed(self, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        """Whether the user of the request may do that himself. True where nobody was asked."""
