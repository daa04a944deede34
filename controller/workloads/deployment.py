"""Deployments: the primary as a copy of the target under another name and selector.

Everything here depends on the target's template alone, so promoting the same template twice changes no pod.
Templates come from the API server, after its defaulting, which makes them comparable as they are.
"""

from dataclasses import replace
from typing import Any

import orjson

from controller.decision import Patch
from controller.merge import merge_diff
from controller.observation import Options, Workload
from controller.workloads import ownership
from shared.errors import InvalidSpec
from shared.names import ANNOTATION_PREFIX, CANARY_LABEL, primary_name
from shared.resources import DEPLOYMENTS
from shared.revision import bare_template, template_hash
from shared.types.canary import Canary
from shared.types.meta import Json

REVISION_ANNOTATION = f"{ANNOTATION_PREFIX}revision"
"""On the primary: the hash of the target's template that it was copied from. Not in its pod template, where
it would roll the pods of a primary that changes in nothing else."""

_COPIED = ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy")
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")


def selector_label(workload: Workload, names: tuple[str, ...]) -> tuple[str, str]:
    """The label (key, value) that tells the target's pods apart: the first of `names` in its selector.

    Raises:
        InvalidSpec: the selector has none of them.
    """
    labels = workload.json()["spec"]["selector"].get("matchLabels") or {}
    for name in names:
        if name in labels:
            return name, labels[name]
    raise InvalidSpec(
        f"deployment {workload.name}.{workload.namespace} spec.selector.matchLabels must contain one of "
        f"[{' '.join(names)}]"
    )


def check_owned(primary: Workload, canary: Canary) -> None:
    """Let a primary through that this Canary controls.

    Raises:
        Blocked: NotOwned.
    """
    ownership.check_owned(DEPLOYMENTS.kind, primary, canary)


def with_template(target: Workload, template: Json) -> Workload:
    """The target as it would be with another pod template."""
    body = target.json()
    body["spec"]["template"] = template
    return replace(target, body=orjson.dumps(body), template_hash=template_hash(template))


def render_primary(canary: Canary, target: Workload, options: Options) -> Json:
    """The primary to create. A target without replicas has given them up: then it starts with one.

    Raises:
        InvalidSpec: the target's selector has no label to tell the primary's pods by.
    """
    label, value = selector_label(target, options.selector_labels)
    metadata, selector = target.json()["metadata"], {label: primary_name(value)}
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            "name": primary_name(target.name),
            "namespace": target.namespace,
            "labels": {
                **_with_prefix(metadata.get("labels", {}), options.include_label_prefix),
                label: primary_name(value),
                CANARY_LABEL: canary.metadata.name,
            },
            "annotations": {
                **_own_annotations(metadata.get("annotations", {})),
                REVISION_ANNOTATION: target.template_hash,
            },
            "ownerReferences": [ownership.owner_reference(canary)],
        },
        "spec": {
            **_primary_spec(target, (label, value), selector),
            "replicas": max(1, target.replicas),
            "selector": {"matchLabels": selector},
        },
    }


def promote(canary: Canary, primary: Workload, target: Workload, options: Options) -> Patch | None:
    """What makes the primary run exactly the target's template; None when it does. Replicas are not touched.

    Raises:
        Blocked: the primary is not this Canary's.
        InvalidSpec: as in `render_primary`.
    """
    check_owned(primary, canary)
    told_by, spec = selector_label(target, options.selector_labels), primary.json()["spec"]
    have = {key: spec[key] for key in _COPIED if key in spec}
    have["template"] = bare_template(spec["template"])
    changes = merge_diff(have, _primary_spec(target, told_by, spec["selector"]["matchLabels"]))
    if not changes and primary.revision == target.template_hash:
        return None
    metadata = {
        "resourceVersion": primary.resource_version,
        "annotations": {REVISION_ANNOTATION: target.template_hash},
    }
    body: Json = {"metadata": metadata}
    if changes:
        body["spec"] = changes
    return Patch(DEPLOYMENTS, primary.name, body)


def _primary_spec(target: Workload, told_by: tuple[str, str], selector: dict[str, str]) -> Json:
    """The part of the spec that a promotion copies. The primary's own selector cannot be changed any more,
    while a target that was created again may have another one.
    """
    (label, value), spec = told_by, target.json()["spec"]
    own = {label: primary_name(value), **selector}
    template = bare_template(spec["template"])
    metadata: Json = {**template["metadata"]}
    metadata["labels"] = {**metadata.get("labels", {}), **own}
    if "annotations" in metadata:
        metadata["annotations"] = _own_annotations(metadata["annotations"])
    copied = {key: spec[key] for key in _COPIED if key in spec}
    pods = _spread_apart(template["spec"], told_by, own[label])
    return {**copied, "template": {"metadata": metadata, "spec": pods}}


def _spread_apart(pods: Json, told_by: tuple[str, str], own: str) -> Json:
    """The pod spec whose anti-affinity and spread constraints mean the primary's pods, not the target's.

    `pods` is freshly parsed and is changed in place.
    """
    label, value = told_by
    anti = (pods.get("affinity") or {}).get("podAntiAffinity") or {}
    terms = [
        *anti.get("requiredDuringSchedulingIgnoredDuringExecution", ()),
        *(
            each["podAffinityTerm"]
            for each in anti.get("preferredDuringSchedulingIgnoredDuringExecution", ())
        ),
        *pods.get("topologySpreadConstraints", ()),
    ]
    for term in terms:
        selector: Json = term.get("labelSelector") or {}
        labels: dict[str, str] = selector.get("matchLabels") or {}
        if labels.get(label) == value:
            labels[label] = own
        expressions: list[dict[str, Any]] = selector.get("matchExpressions") or []
        for expression in expressions:
            if expression["key"] == label and value in expression.get("values", ()):
                expression["values"] = [own if v == value else v for v in expression["values"]]
    return pods


def _own_annotations(annotations: dict[str, str]) -> dict[str, str]:
    """Without what belongs to the target itself: GitOps marks, kubectl's copy, and ours."""
    return {
        key: value
        for key, value in annotations.items()
        if key not in _NOT_COPIED and "toolkit.fluxcd.io" not in key and not key.startswith(ANNOTATION_PREFIX)
    }


def _with_prefix(labels: dict[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {
        key: value
        for key, value in labels.items()
        if "toolkit.fluxcd.io" not in key and any(p == "*" or key.startswith(p) for p in prefixes)
    }
