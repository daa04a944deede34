"""The primary's autoscaler: a copy of the target's under another name. Pure.

Called when the primary is created and when a revision is promoted: between the two the copy stays as it is,
so that new limits reach users together with the revision that they were made for.
"""

from controller.decision import Create, Patch
from controller.merge import merge_diff, missing_from
from controller.observation import Manifest
from controller.workloads.ownership import check_owned, owner_reference
from shared.errors import Blocked, InvalidSpec
from shared.names import CANARY_LABEL, primary_name
from shared.resources import HPAS
from shared.types.canary import AutoscalerRef, Canary
from shared.types.meta import Json


def reconcile_hpa(
    canary: Canary, target_hpa: Manifest | None, primary_hpa: Manifest | None
) -> Create | Patch | None:
    """What makes the primary's autoscaler a copy of the target's; None when it is one, or none is asked for.

    Raises:
        InvalidSpec: the autoscaler is of a kind that is not supported.
        Blocked: there is nothing to copy, or the copy's name is taken.
    """
    ref = canary.spec.autoscaler_ref
    if ref is None:
        return None
    _check_kind(ref)
    if primary_hpa is not None:
        check_owned(HPAS.kind, primary_hpa, canary)
    if target_hpa is None:
        if primary_hpa is not None:
            return None
        raise Blocked(
            "AutoscalerNotFound",
            f"{ref.kind} {ref.name}.{canary.metadata.namespace} not found; "
            "create it, or remove spec.autoscalerRef",
        )
    desired = _render(canary, ref, target_hpa)
    return Create(HPAS, desired) if primary_hpa is None else _patch(desired, primary_hpa)


def _check_kind(ref: AutoscalerRef) -> None:
    if ref.kind != HPAS.kind:
        raise InvalidSpec(
            f'spec.autoscalerRef.kind: Unsupported value: "{ref.kind}": supported values: "{HPAS.kind}"; '
            "ScaledObjects are not supported yet: remove spec.autoscalerRef and scale the primary by hand, "
            "or use a HorizontalPodAutoscaler"
        )


def _render(canary: Canary, ref: AutoscalerRef, source: Manifest) -> Json:
    body = source.json()
    spec: Json = body["spec"]
    spec["scaleTargetRef"]["name"] = primary_name(canary.spec.target_ref.name)
    limits = ref.primary_scaler_replicas
    if limits is not None and limits.min_replicas is not None:
        spec["minReplicas"] = limits.min_replicas
    if limits is not None and limits.max_replicas is not None:
        spec["maxReplicas"] = limits.max_replicas
    labels = {
        key: value
        for key, value in body["metadata"].get("labels", {}).items()
        if "toolkit.fluxcd.io" not in key
    }
    return {
        "apiVersion": HPAS.api_version,
        "kind": HPAS.kind,
        "metadata": {
            "name": primary_name(source.name),
            "namespace": source.namespace,
            "labels": {**labels, CANARY_LABEL: canary.metadata.name},
            "ownerReferences": [owner_reference(canary)],
        },
        "spec": spec,
    }


def _patch(desired: Json, observed: Manifest) -> Patch | None:
    body = observed.json()
    metadata = missing_from(body["metadata"], {"labels": desired["metadata"]["labels"]})
    spec = merge_diff(body["spec"], desired["spec"])
    if not metadata and not spec:
        return None
    patch: Json = {"metadata": {**metadata, "resourceVersion": observed.resource_version}}
    if spec:
        patch["spec"] = spec
    return Patch(HPAS, observed.name, patch)
