"""Pod addresses are unique and not reused soon."""

from ipaddress import IPv4Network

import pytest

from sandbox.kubelet.addresses import Addresses, claimed_network
from shared.errors import ConfigError


def test_addresses_go_upward_and_start_over_at_the_end() -> None:
    addresses = Addresses("127.10.0.0/30")
    assert [addresses.take(()) for _ in range(3)] == ["127.10.0.1", "127.10.0.2", "127.10.0.1"]


def test_an_address_in_use_is_skipped() -> None:
    assert Addresses("127.10.0.0/24").take({"127.10.0.1", "127.10.0.2"}) == "127.10.0.3"


def test_a_full_network_is_an_error() -> None:
    with pytest.raises(ConfigError, match="all 2 addresses are in use"):
        Addresses("127.10.0.0/30").take({"127.10.0.1", "127.10.0.2"})


def test_only_loopback_networks_will_do() -> None:
    with pytest.raises(ConfigError, match="must be part of 127"):
        Addresses("10.0.0.0/24")


def test_two_kubelets_never_claim_the_same_network() -> None:
    with claimed_network() as first, claimed_network() as second:
        assert first != second
        assert IPv4Network(first).is_loopback and IPv4Network(second).is_loopback
    with claimed_network() as again:
        assert again in (first, second)
