"""Addresses and node ports of Services. Nothing listens there: names are resolved by the sandbox's proxy.

Called by `operations.py` for every Service that is written.
"""

import ipaddress
import itertools

from sandbox.apiserver.resources import Json

_FIRST_ADDRESS = ipaddress.IPv4Address("127.96.0.1")
_NODE_PORTS = range(30_000, 32_768)
_ON_NODES = ("NodePort", "LoadBalancer")


class ServiceAddresses:
    """Hands them out, none twice."""

    def __init__(self) -> None:
        self._addresses = map(ipaddress.IPv4Address, itertools.count(int(_FIRST_ADDRESS)))
        self._node_ports = itertools.cycle(_NODE_PORTS)

    def allocate(self, spec: Json) -> None:
        """Fills in what a Service's spec leaves to the server."""
        if spec["type"] == "ExternalName":
            return
        spec.setdefault("clusterIP", str(next(self._addresses)))
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if spec["type"] in _ON_NODES:
            for port in spec.get("ports", ()):
                port.setdefault("nodePort", next(self._node_ports))


def keep(old: Json, new: Json) -> None:
    """Puts back what a client left out that applies its manifest again: the Service keeps its addresses."""
    if "ExternalName" in (old.get("type"), new.get("type")):
        return
    if new.get("clusterIP") and new["clusterIP"] != old.get("clusterIP"):
        new["clusterIPs"] = [new["clusterIP"]]
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if name in old and not new.get(name):
            new[name] = old[name]
    if new.get("type") in _ON_NODES:
        given = {
            (port.get("port"), port.get("protocol")): port.get("nodePort") for port in old.get("ports", ())
        }
        for port in new.get("ports", ()):
            kept = given.get((port.get("port"), port.get("protocol")))
            if kept and not port.get("nodePort"):
                port["nodePort"] = kept
