"""Promoting and Finalising: the primary takes over exactly the revision that passed."""

from controller import rounds_plan
from controller.autoscalers import reconcile_hpa
from controller.decision import Event, Scale
from controller.observation import Observation, Workload
from controller.phases.rest import restart, roll_back, told_at_the_end
from controller.phases.step import (
    Step,
    drained,
    enter,
    full_name,
    primary_readiness,
    stay,
    update,
)
from controller.readiness import Waiting
from controller.workloads import deployment
from shared.errors import Blocked
from shared.names import primary_name
from shared.types.canary import Phase


def promoting(seen: Observation) -> Step:
    """Copy the analysed template to the primary, wait for its pods, then take the canary out of the route."""
    canary, status, target, primary = seen.canary, seen.canary.status, seen.target, seen.primary
    if primary is None:
        raise Blocked(
            "PrimaryNotFound", f"Deployment {primary_name(canary.spec.target_ref.name)} was deleted"
        )
    copied = primary.revision == status.last_applied_spec
    if not copied:
        if target is None:
            return roll_back(seen, f"Rolling back {full_name(canary)} its target was deleted")
        unchanged = target.template_hash == status.last_applied_spec
        return _copy(seen, target) if unchanged else restart(seen, target)
    if hpa := reconcile_hpa(canary, seen.autoscaler, seen.primary_autoscaler):
        return Step(status, "CopyingAutoscaler", (hpa,))
    ready = primary_readiness(seen)
    runs = target is not None and target.runs == status.last_applied_spec
    if status.canary_weight > 0 and (seen.endpoints.canary == 0 or not runs) and seen.endpoints.primary:
        # What runs behind the canary's Service is gone or is no longer what was analysed.
        return Step(update(seen, canary_weight=0), "CanaryGone")
    if isinstance(ready, Waiting):
        return _await_primary(seen, ready)
    return _shift(seen)


def finalising(seen: Observation) -> Step:
    """All traffic is on the primary; the canary's pods go once Traefik has let go of them."""
    if seen.endpoints.primary == 0:
        return stay(seen, "PrimaryNotReady")
    if wait := drained(seen):
        return stay(seen, "Draining", requeue_after=wait)
    canary, status, target = seen.canary, seen.canary.status, seen.target
    # A newer template on the target is not scaled away: the next pass starts on it.
    leftover = target is not None and target.replicas and target.template_hash == status.last_applied_spec
    scale = (Scale(target.name, 0),) if target is not None and leftover else ()
    message = f"Promotion completed! Scaling down {full_name(canary)}"
    if canary.spec.skip_analysis:
        message = f"Promotion completed! Canary analysis was skipped for {full_name(canary)}"
    return Step(
        enter(seen, Phase.SUCCEEDED, last_promoted_spec=status.last_applied_spec, failed_checks=0),
        "Promoted",
        then=(*scale, *told_at_the_end(seen)),
        events=(Event(message),),
    )


def _copy(seen: Observation, target: Workload) -> Step:
    canary, primary = seen.canary, seen.primary
    patch = deployment.promote(canary, primary, target, seen.options) if primary is not None else None
    source, namespace = target.name, canary.metadata.namespace
    message = f"Copying {source}.{namespace} template spec to {primary_name(source)}.{namespace}"
    return Step(canary.status, "Copying", (patch,) if patch else (), events=(Event(message, hold=True),))


def _await_primary(seen: Observation, waiting: Waiting) -> Step:
    """The canary keeps what it carries, however long the primary takes: it is the one that is well."""
    canary = seen.canary
    left = canary.spec.progress_deadline_seconds - seen.elapsed.primary_unready
    if left > 0:
        return stay(seen, "PrimaryNotReady", requeue_after=left)
    target = seen.target
    if target is not None and target.template_hash != canary.status.last_applied_spec:
        return restart(seen, target)  # the release that may mend the primary must not wait for it
    name = f"{primary_name(canary.spec.target_ref.name)}.{canary.metadata.namespace}"
    message = f"Promotion of {full_name(canary)} failed, primary not ready: {name} {waiting.message}"
    raise Blocked("PrimaryNotReady", message)


def _shift(seen: Observation) -> Step:
    """Traffic back to the primary: at once, or `stepWeightPromotion` percent an interval."""
    canary, weight = seen.canary, seen.canary.status.canary_weight
    step, interval = canary.spec.analysis.step_weight_promotion, canary.spec.analysis.interval_seconds
    if step and weight and not rounds_plan.due(seen):
        return stay(seen, "WaitingForInterval", requeue_after=interval - seen.elapsed.analysis)
    if step and weight > step:
        left = weight - step
        message = f"Advance {full_name(canary)} primary weight {100 - left}"
        return Step(
            update(seen, canary_weight=left),
            "Shifting",
            events=(Event(message),),
            requeue_after=interval,
            judged=True,
        )
    return Step(
        enter(seen, Phase.FINALISING, canary_weight=0),
        "RoutingToPrimary",
        events=(Event("Routing all traffic to primary", hold=True),),
        requeue_after=seen.options.drain,
    )
