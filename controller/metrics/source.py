"""Where a measurement comes from: a server, and what it takes to be let in.

Every provider is given one. A value, so that connections and answers can be shared by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shared.types.metric import MetricProvider

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A metrics server. Headers and credentials stay out of its repr."""

    address: str
    headers: Pairs = field(default=(), repr=False)
    secret: Pairs = field(default=(), repr=False)
    insecure_skip_verify: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and port: what messages may show, since a URL can hold credentials elsewhere."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def credential(self, key: str) -> str:
        """An entry of the secret, or ""."""
        return dict(self.secret).get(key, "")


def source_of(provider: MetricProvider, address: str, secret: Mapping[str, str]) -> Source:
    """The source that a MetricTemplate names, with the data of its secret."""
    return Source(
        address=address,
        headers=tuple((name, ", ".join(values)) for name, values in sorted(provider.headers.items())),
        secret=tuple(sorted(secret.items())),
        insecure_skip_verify=provider.insecure_skip_verify,
    )
