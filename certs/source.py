"""What a source of certificates is: `certs.rotate` makes its own, `certs.folder` reads somebody's files."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from certs.authority import Pair


@dataclass(frozen=True, slots=True)
class Material:
    """What is to be served, and whom clients are to trust."""

    leaf: Pair
    trusted: Callable[[bytes], bytes]
    """What a caBundle (PEM) has to become, from what it is."""


class Source(Protocol):
    """Where certificates come from."""

    async def run(self, changed: Callable[[], None]) -> None:
        """Look for changes for ever; `changed` is called after each."""

    async def current(self) -> Material:
        """What is to be served now.

        Raises:
            ClusterError: the API server refused, or was not reached.
            UnusableCertificate: there is none.
        """
