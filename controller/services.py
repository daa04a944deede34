"""The three Services of a Canary: what they should be, and the writes that get them there. Pure.

    apex      ─► the primary's pods   the name that users and Traefik's route know
    -primary  ─► the primary's pods   what Traefik is given for the primary
    -canary   ─► the target's pods    what Traefik is given for the canary

An apex that was there before the Canary stays its owner's: only its selector and the Canary's port change,
and it gets no owner reference, so that deleting the Canary never deletes a Service that it did not make.
"""

from collections.abc import Iterable

from controller.decision import Create, Patch, Write
from controller.merge import merge_diff, missing_from
from controller.observation import Manifest, Observation, Options, Workload
from controller.workloads.deployment import selector_label
from controller.workloads.ownership import check_owned, owner_reference
from shared.errors import Blocked, InvalidSpec
from shared.names import CANARY_LABEL, GITOPS_IGNORE, canary_name, primary_name
from shared.resources import SERVICES
from shared.types.canary import Canary
from shared.types.meta import CustomMetadata, Json

_PROXIES = ("istio-proxy", "envoy")  # their ports are the mesh's, not the application's
_LONGEST_NAME = 63  # of a port


def reconcile_workload_services(seen: Observation) -> tuple[Write, ...]:
    """The writes that the Services of primary and canary need."""
    apex = seen.canary.spec.apex_name
    return _reconcile(seen, (primary_name(apex), canary_name(apex)))


def reconcile_apex(seen: Observation) -> tuple[Write, ...]:
    """The writes that the apex needs. It moves users to the primary: only with a ready primary."""
    return _reconcile(seen, (seen.canary.spec.apex_name,))


def reconcile_all(seen: Observation) -> tuple[Write, ...]:
    """The writes that all three Services need; none while there is no target to go by."""
    return () if seen.target is None else (*reconcile_workload_services(seen), *reconcile_apex(seen))


def _reconcile(seen: Observation, names: Iterable[str]) -> tuple[Write, ...]:
    if seen.target is None:
        return ()
    primary = seen.primary
    made = primary if primary is not None and primary.owner == seen.canary.metadata.uid else None
    desired = desired_services(seen.canary, seen.target, seen.options, made)
    writes = (reconcile_service(seen.canary, desired[name], seen.services.get(name)) for name in names)
    return tuple(write for write in writes if write is not None)


def desired_services(
    canary: Canary, target: Workload, options: Options, primary: Workload | None = None
) -> dict[str, Json]:
    """The three Services as they are created, by name. Those of the primary go by the primary, once it is
    there: what becomes of the target, users have nothing to do with until it is promoted.

    Raises:
        InvalidSpec: the target's selector has no label to tell the pods by.
    """
    service, apex = canary.spec.service, canary.spec.apex_name
    label, value = selector_label(target, options.selector_labels)
    serving: Json = {label: primary_name(value)}
    if primary is not None:
        serving = primary.json()["spec"]["selector"]["matchLabels"]
    spec: Json = {"type": "ClusterIP"}
    if service.headless:
        spec["clusterIP"] = "None"
    if service.traffic_distribution:
        spec["trafficDistribution"] = service.traffic_distribution.value

    def render(name: str, pods: Json, source: Workload, extra: CustomMetadata | None) -> Json:
        return {
            "apiVersion": SERVICES.api_version,
            "kind": SERVICES.kind,
            "metadata": {
                "name": name,
                "namespace": canary.metadata.namespace,
                "labels": {
                    **(extra.labels if extra else {}),
                    label: name,
                    CANARY_LABEL: canary.metadata.name,
                },
                "annotations": {**(extra.annotations if extra else {}), **GITOPS_IGNORE},
                "ownerReferences": [owner_reference(canary)],
            },
            "spec": {**spec, "ports": _desired_ports(canary, source), "selector": pods},
        }

    return {
        apex: render(apex, serving, primary or target, service.apex),
        primary_name(apex): render(primary_name(apex), serving, primary or target, service.primary),
        canary_name(apex): render(canary_name(apex), {label: value}, target, service.canary),
    }


def reconcile_service(canary: Canary, desired: Json, observed: Manifest | None) -> Write | None:
    """What makes the observed Service contain the desired one; None when it does. What others added stays.

    Raises:
        Blocked: NotOwned; a Service of that name is not this Canary's and cannot be used.
        InvalidSpec: the Canary's port collides with one of an apex that it does not own.
    """
    if observed is None:
        return Create(SERVICES, desired)
    adopted = observed.name == canary.spec.apex_name and not observed.owner
    if adopted:
        _check_adoptable(observed)
    else:
        check_owned(SERVICES.kind, observed, canary)
    body, spec = observed.json(), desired["spec"]
    ports = _merged_ports(observed, spec["ports"], keep_others=adopted)
    changes: Json = {}
    if selector := merge_diff(body["spec"].get("selector") or {}, spec["selector"]):
        changes["selector"] = selector
    if _by_number(ports) != _by_number(body["spec"].get("ports") or []):
        changes["ports"] = ports
    metadata: Json = {}
    if not adopted:
        # The cluster IP cannot be changed, so a headless Service is headless from its creation or never.
        fields = {"type": spec["type"], "trafficDistribution": spec.get("trafficDistribution")}
        changes |= missing_from(body["spec"], fields)
        metadata = missing_from(body["metadata"], _managed_metadata(canary, desired))
    if not changes and not metadata:
        return None
    patch: Json = {"metadata": {**metadata, "resourceVersion": observed.resource_version}}
    if changes:
        patch["spec"] = changes
    return Patch(SERVICES, observed.name, patch)


def _check_adoptable(apex: Manifest) -> None:
    if apex.json()["spec"].get("type") == "ExternalName":
        raise Blocked(
            "NotOwned",
            f"Service {apex.name}.{apex.namespace} exists and is of type ExternalName, which has no pods; "
            "delete it, or set spec.service.name to a name that is free",
        )


def _managed_metadata(canary: Canary, desired: Json) -> Json:
    """Labels and annotations that are kept as desired: not those that the Canary leaves to others."""
    unmanaged = canary.spec.service.unmanaged_metadata
    metadata = desired["metadata"]
    if unmanaged is None:
        return {"labels": metadata["labels"], "annotations": metadata["annotations"]}
    return {
        "labels": {k: v for k, v in metadata["labels"].items() if k not in unmanaged.labels},
        "annotations": {k: v for k, v in metadata["annotations"].items() if k not in unmanaged.annotations},
    }


def _desired_ports(canary: Canary, workload: Workload) -> list[Json]:
    """The Canary's port, and with portDiscovery those of a workload's containers, as the API stores them."""
    service = canary.spec.service
    first: Json = {
        "name": service.port_name,
        "port": service.port,
        "protocol": "TCP",
        "targetPort": service.effective_target_port,
    }
    if service.app_protocol:
        first["appProtocol"] = service.app_protocol
    if not service.port_discovery:
        return [first]
    return [first, *_discovered_ports(workload, first)]


def _discovered_ports(workload: Workload, first: Json) -> list[Json]:
    """A Service port for each container port but the one behind `first`.

    Numbers and names have to be unique in a Service, or the API server refuses it: of two equal numbers
    the first one counts, and a name that is taken gives way to the generated one.
    """
    numbers, names, found = {(first["port"], "TCP")}, {first["name"]}, list[Json]()
    for container in workload.json()["spec"]["template"]["spec"]["containers"]:
        if container["name"] in _PROXIES:
            continue
        for index, port in enumerate(container.get("ports", ())):
            number, protocol = port["containerPort"], port.get("protocol", "TCP")
            if first["targetPort"] in (number, port.get("name")) or (number, protocol) in numbers:
                continue
            name = port.get("name")
            if not name or name in names:
                name = f"tcp-{container['name']}-{index}"
            if len(name) > _LONGEST_NAME:
                name = f"{protocol.lower()}-{number}"
            numbers.add((number, protocol))
            names.add(name)
            found.append({"name": name, "port": number, "protocol": protocol, "targetPort": number})
    return found


def _by_number(ports: list[Json]) -> dict[tuple[int, str], Json]:
    """Ports by what identifies them, whatever their order, with the API's defaults filled in."""
    return {
        (port["port"], port.get("protocol", "TCP")): {"protocol": "TCP", "targetPort": port["port"], **port}
        for port in ports
    }


def _merged_ports(observed: Manifest, desired: list[Json], *, keep_others: bool) -> list[Json]:
    """The desired ports with the node ports that they were given, and on request the ports of others."""
    there, wanted = _by_number(observed.json()["spec"].get("ports") or []), _by_number(desired)
    ports = [
        {**port, "nodePort": there[key]["nodePort"]} if "nodePort" in there.get(key, {}) else port
        for key, port in wanted.items()
    ]
    if not keep_others:
        return ports
    names = {port["name"] for port in ports}
    for key, port in there.items():
        if key in wanted:
            continue
        if port.get("name") in names:
            raise InvalidSpec(
                f'spec.service.portName: Invalid value: "{port["name"]}": the port {port["port"]} of Service '
                f"{observed.name}.{observed.namespace} has that name; choose another, or remove that port"
            )
        ports.append({"name": f"port-{port['port']}", **port})  # several ports need a name each
    return ports
