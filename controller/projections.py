"""What the informers keep of each object: small frozen values instead of parsed JSON.

Called with every object that is listed or watched. Apart from the values themselves (`observation`) because
only this module knows the shape of the API's objects.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from controller.observation import Manifest, Serving, Workload
from controller.workloads.deployment import REVISION_ANNOTATION
from shared.errors import InvalidSpec
from shared.hold import hold_of, replicas_in, rollout_of
from shared.names import ASKED_REPLICAS_ANNOTATION, CANARY_LABEL, GIVEN_REPLICAS_ANNOTATION
from shared.revision import template_hash
from shared.types.canary import Canary, CanaryStatus, parse_canary
from shared.types.meta import Json, ObjectMeta
from shared.types.problems import parse

_POD_HASH = "pod-template-hash"
"""Label by which the Deployment controller tells the pods of its ReplicaSets apart."""
_COUNT = "deployment.kubernetes.io/revision"
"""Annotation in which it counts the templates of a Deployment."""
_LONGEST_COUNT = 19
"""Digits of the greatest number that it can count to. Python raises for some thousands of them."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""kubectl's copy of the whole manifest: as long as the object, and never read."""


@dataclass(frozen=True, slots=True)
class ServiceEndpoints:
    """One EndpointSlice: a part of what is behind a Service."""

    namespace: str
    service: str
    ready: int  # distinct addresses that may get traffic


@dataclass(frozen=True, slots=True)
class Malformed:
    """A Canary that cannot be read, with what is needed to say so in its status."""

    metadata: ObjectMeta
    problems: str
    status: Json  # as it is stored

    def readable_status(self) -> CanaryStatus:
        """The status without the fields that cannot be read."""
        try:
            return parse(CanaryStatus, self.status)
        except InvalidSpec as error:
            bad = {re.split(r"[.[]", problem.field)[0] for problem in error.problems}
            return parse(CanaryStatus, {key: value for key, value in self.status.items() if key not in bad})


def canary(obj: Json) -> Canary | Malformed:
    """A Canary, or what is wrong with it: a bad one harms only itself."""
    metadata = _metadata(obj)
    try:
        return parse_canary({**obj, "metadata": metadata})
    except InvalidSpec as error:
        return Malformed(parse(ObjectMeta, metadata), str(error), obj.get("status") or {})


def template(obj: Json) -> Json:
    """A MetricTemplate, which is parsed when a check asks for it: there are few of them."""
    return {"metadata": _metadata(obj), "spec": obj.get("spec") or {}}


def manifest(obj: Json) -> Manifest:
    """A Service, HorizontalPodAutoscaler or TraefikService."""
    metadata = obj["metadata"]
    return Manifest(
        namespace=sys.intern(metadata["namespace"]),
        name=sys.intern(metadata["name"]),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        owner=_owner(metadata),
        body=_body(obj),
    )


def workload(obj: Json) -> Workload:
    """A Deployment."""
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status", {})
    annotations = metadata.get("annotations") or {}
    return Workload(
        namespace=sys.intern(metadata["namespace"]),
        name=sys.intern(metadata["name"]),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        owner=_owner(metadata),
        body=_body(obj),
        generation=metadata.get("generation", 0),
        replicas=spec.get("replicas", 1),
        paused=spec.get("paused", False),
        template_hash=template_hash(spec["template"]),
        revision=annotations.get(REVISION_ANNOTATION, ""),
        first_template=_first_template(obj),
        observed_generation=status.get("observedGeneration", 0),
        updated=status.get("updatedReplicas", 0),
        total=status.get("replicas", 0),
        available=status.get("availableReplicas", 0),
        deadline_exceeded=_deadline_exceeded(obj),
        canary=sys.intern((metadata.get("labels") or {}).get(CANARY_LABEL, "")),
        hold=hold_of(metadata),
        rollout=rollout_of(metadata),
        given=replicas_in(annotations.get(GIVEN_REPLICAS_ANNOTATION, "")),
        asked=replicas_in(annotations.get(ASKED_REPLICAS_ANNOTATION, "")),
    )


def serving(target: Workload, replicasets: Iterable[Json]) -> Serving | None:
    """Of a target's ReplicaSets the one with most ready pods, the newest of equals; None without any."""
    owned = [each for each in replicasets if _owner(each["metadata"]) == target.uid]
    if not owned:
        return None
    most = max(owned, key=lambda each: (_ready(each), _count(each)))
    template: Json = most["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _POD_HASH}
    return Serving({**template, "metadata": {**metadata, "labels": labels}}, _ready(most))


def _ready(replicaset: Json) -> int:
    return int((replicaset.get("status") or {}).get("readyReplicas", 0))


def _count(replicaset: Json) -> int:
    count = (replicaset["metadata"].get("annotations") or {}).get(_COUNT, "")
    return int(count) if count.isdecimal() and len(count) <= _LONGEST_COUNT else 0


def slice_(obj: Json) -> ServiceEndpoints:
    """An EndpointSlice. Not known to be unready counts as ready, as the API prescribes; leaving does not."""
    metadata = obj["metadata"]
    addresses: set[str] = set()
    for endpoint in obj.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        if conditions.get("ready") is not False and not conditions.get("terminating"):
            addresses.update(endpoint["addresses"])
    return ServiceEndpoints(
        namespace=sys.intern(metadata["namespace"]),
        service=sys.intern((metadata.get("labels") or {}).get("kubernetes.io/service-name", "")),
        ready=len(addresses),
    )


def _owner(metadata: Json) -> str:
    owners = metadata.get("ownerReferences") or ()
    return sys.intern(next((owner["uid"] for owner in owners if owner.get("controller")), ""))


def _body(obj: Json) -> bytes:
    metadata = _metadata(obj)
    kept = {key: metadata.get(key) or {} for key in ("labels", "annotations")}
    owners = metadata.get("ownerReferences") or []
    body = {"metadata": {**kept, "ownerReferences": owners}, "spec": obj.get("spec", {})}
    # orjson's result keeps the 4 KiB buffer it was written to; the copy is as long as the JSON.
    return bytes(memoryview(orjson.dumps(body)))


def _metadata(obj: Json) -> Json:
    """Metadata without its two bulky parts, which nobody reads."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    return metadata


def _first_template(obj: Json) -> bool:
    """Whether the template in the spec is the only one that ever ran under this name.

    The Deployment controller counts templates in an annotation, but after the fact: a change that it has not
    observed, or must not roll out yet, is not in that count.
    """
    metadata, spec = obj["metadata"], obj["spec"]
    count = (metadata.get("annotations") or {}).get(_COUNT, "")
    if metadata.get("generation", 0) <= 1:
        return count in ("", "1")
    seen = obj.get("status", {}).get("observedGeneration", 0) >= metadata["generation"]
    return bool(count == "1" and seen and not spec.get("paused"))


def _deadline_exceeded(obj: Json) -> bool:
    """Whether the Deployment gave up on the template that it has now; until it has seen that, the condition
    is about the one before."""
    status = obj.get("status", {})
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return False
    return any(
        each["type"] == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded"
        for each in status.get("conditions") or ()
    )
