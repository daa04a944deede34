"""Which ReplicaSet is which revision of a Deployment. Pure.

Called by `deployment.decide`. A template's hash names its ReplicaSet, so that the same template finds the
same one after a restart; annotations number the revisions, which is what `kubectl rollout history` and `undo`
read.
"""

import copy
import hashlib
from collections.abc import Iterable, Sequence

import orjson

from sandbox.cluster_controllers.objects import owner_reference
from sandbox.cluster_controllers.rollout import Limits
from shared.resources import DEPLOYMENTS, REPLICASETS
from shared.types.meta import Json

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"

_OWN = (
    REVISION,
    DESIRED,
    MOST,
    "deployment.kubernetes.io/revision-history",
    "kubectl.kubernetes.io/last-applied-configuration",
)
"""Annotations that say something of one object alone and are not copied from the Deployment to its

ReplicaSets."""

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_HASH_LENGTH = 10


def template_hash(template: Json) -> str:
    """A short name for a pod template, the same for the same content, in letters that make no words."""
    digest = hashlib.sha256(_canonical(template)).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_HASH_LENGTH])


def _canonical(template: Json) -> bytes:
    metadata = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    labels = {name: value for name, value in metadata.get("labels", {}).items() if name != HASH_LABEL}
    return orjson.dumps({**template, "metadata": {**metadata, "labels": labels}}, option=orjson.OPT_SORT_KEYS)


def revision_of(obj: Json) -> int:
    """The revision that an object's annotation tells, 0 if none."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def find_new(deployment: Json, sets: Iterable[Json]) -> Json | None:
    """The ReplicaSet of the Deployment's present template; of several, the oldest."""
    template = deployment["spec"]["template"]
    named, content = template_hash(template), _canonical(template)
    found = [
        each
        for each in sets
        # By name first: a ReplicaSet's template may have been given defaults that the Deployment's lacks.
        if (each["metadata"].get("labels") or {}).get(HASH_LABEL) == named
        or _canonical(each["spec"]["template"]) == content
    ]
    return min(
        found,
        key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]),
        default=None,
    )


def next_revision(old: Iterable[Json]) -> int:
    """The number of a revision that is newer than all old ones."""
    return max((revision_of(each) for each in old), default=0) + 1


def annotations(deployment: Json, revision: int, bounds: Limits) -> dict[str, str]:
    """What the ReplicaSet of a revision is annotated with: what the Deployment says, and the numbers of the

    rollout."""
    inherited = deployment["metadata"].get("annotations") or {}
    return {name: value for name, value in inherited.items() if name not in _OWN} | {
        REVISION: str(revision),
        **size_annotations(bounds),
    }


def size_annotations(bounds: Limits) -> dict[str, str]:
    """The Deployment's size, remembered where it was spread over ReplicaSets: a difference means it was

    scaled."""
    return {DESIRED: str(bounds.desired), MOST: str(bounds.desired + bounds.surge)}


def new_replica_set(deployment: Json, size: int, revision: int, bounds: Limits) -> Json:
    """The ReplicaSet for the Deployment's present template."""
    spec, metadata = deployment["spec"], deployment["metadata"]
    template = copy.deepcopy(spec["template"])
    hashed = template_hash(template)
    labels = {**template["metadata"].get("labels", {}), HASH_LABEL: hashed}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**selector.get("matchLabels", {}), HASH_LABEL: hashed}
    return {
        "apiVersion": REPLICASETS.api_version,
        "kind": REPLICASETS.kind,
        "metadata": {
            "name": f"{metadata['name']}-{hashed}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": annotations(deployment, revision, bounds),
            "ownerReferences": [owner_reference(DEPLOYMENTS, deployment)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }


def expired(deployment: Json, old: Sequence[Json]) -> list[Json]:
    """Old ReplicaSets beyond revisionHistoryLimit that have no pods left, the oldest revisions."""
    limit = deployment["spec"].get("revisionHistoryLimit", 10)
    surplus = len(old) - limit
    if surplus <= 0:
        return []
    oldest = sorted(old, key=lambda each: (revision_of(each), each["metadata"]["creationTimestamp"]))[
        :surplus
    ]
    return [each for each in oldest if not each["spec"]["replicas"] and not _pods(each)]


def _pods(replica_set: Json) -> int:
    status = replica_set.get("status") or {}
    unseen = status.get("observedGeneration", 0) < replica_set["metadata"].get("generation", 0)
    return 1 if unseen else int(status.get("replicas", 0))
