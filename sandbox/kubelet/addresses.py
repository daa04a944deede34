"""Addresses for pods: the next free one of a loopback network, so that no address is used again soon."""

import contextlib
import socket
from collections.abc import Container, Iterator
from ipaddress import IPv4Network

from shared.errors import ConfigError

_FIRST, _LAST = 10, 63
"""Second numbers of the networks 127.N.0.0/16 that kubelets share out among themselves."""
_CLAIM_PORT = 65535


@contextlib.contextmanager
def claimed_network() -> Iterator[str]:
    """A network of pods that no other kubelet on this machine has claimed, for as long as the context lasts.

    The claim is a socket bound in the network: two cannot be, and the kernel drops it with the process.

    Raises:
        ConfigError: all networks are claimed.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as claim:
        for number in range(_FIRST, _LAST + 1):
            with contextlib.suppress(OSError):
                claim.bind((f"127.{number}.255.254", _CLAIM_PORT))
                break
        else:
            raise ConfigError(f"{_LAST - _FIRST + 1} sandboxes run on this machine already; stop one of them")
        yield f"127.{number}.0.0/16"


class Addresses:
    """Hands out the addresses of a network in order, and starts over after the last."""

    def __init__(self, network: str) -> None:
        parsed = IPv4Network(network)
        if not parsed.is_loopback:
            raise ConfigError(
                f"pod network {network}: must be part of 127.0.0.0/8, as pods are local processes"
            )
        self._network = parsed
        self._last = 0

    def take(self, used: Container[str]) -> str:
        """The next address that is not in use. Raises ConfigError when all are."""
        size = self._network.num_addresses - 2
        for _ in range(size):
            self._last = self._last % size + 1
            address = str(self._network[self._last])
            if address not in used:
                return address
        raise ConfigError(f"pod network {self._network}: all {size} addresses are in use")
