"""Addresses in specs: whether a client can read them, and where they lead. Used by M, T and A rules.

The schema asks for http or https and a host; what is left is what only a parser of URLs finds.
"""

from yarl import URL

from admission.rules.wording import invalid
from shared.errors import Problem

CLUSTER_DOMAINS: tuple[list[str], ...] = ([], ["svc"], ["svc", "cluster", "local"])
"""What may follow SERVICE.NAMESPACE in a name inside the cluster."""


def unreadable(field: str, url: str) -> list[Problem]:
    """The problem of a URL that no client can use: a port beyond 65535, half an IPv6 address."""
    try:
        parsed = URL(url)
        if parsed.host and parsed.explicit_port != 0:
            return []
    except ValueError:
        pass
    return [invalid(field, url, "cannot be read as a URL; check host and port")]


def host_of(url: str) -> str:
    """The host name; empty where it cannot be read."""
    try:
        return URL(url).host or ""
    except ValueError:
        return ""


def origin_of(url: str) -> str:
    """Scheme, host and port; empty where they cannot be read."""
    try:
        return str(URL(url).origin())
    except ValueError:
        return ""


def namespace_of(host: str) -> str | None:
    """The namespace of a Service's name inside the cluster; None for any other host."""
    _, _, rest = host.partition(".")
    namespace, *domain = rest.split(".")
    return namespace if namespace and domain in CLUSTER_DOMAINS else None
