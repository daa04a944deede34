"""From a new Canary to Initialized: the primary takes the users, then the target gives up its pods."""

from controller import services
from controller.autoscalers import reconcile_hpa
from controller.decision import Action, Create, Event, Scale
from controller.governing import release
from controller.observation import Observation, Workload
from controller.phases.step import (
    Step,
    drained,
    enter,
    full_name,
    live_target,
    primary_readiness,
    stay,
)
from controller.readiness import Waiting, readiness
from controller.workloads import deployment
from shared.resources import DEPLOYMENTS
from shared.types.canary import Phase


def begin(seen: Observation) -> Step:
    """A Canary that was never reconciled."""
    return Step(enter(seen, Phase.INITIALIZING), "Initializing", route=False)


def initializing(seen: Observation) -> Step:
    """Create what the primary needs; move users once it is ready; scale the target down once they moved."""
    target = live_target(seen)
    created = _primary(seen, target)
    if isinstance(created, Waiting):
        return Step(seen.canary.status, "TargetNotReady", route=False, requeue_after=None)
    actions = (*services.reconcile_workload_services(seen), *created)
    if actions or isinstance(primary_readiness(seen), Waiting):
        return Step(seen.canary.status, "PrimaryNotReady", actions, route=False)
    apex = services.reconcile_apex(seen)
    if apex or seen.route is None:
        return Step(seen.canary.status, "RoutingToPrimary", apex, requeue_after=seen.options.drain)
    if wait := drained(seen):
        return stay(seen, "Draining", requeue_after=wait)
    return _finish(seen, target)


def _primary(seen: Observation, target: Workload) -> tuple[Action, ...] | Waiting:
    """The primary and its autoscaler. The primary is born from the template that serves."""
    canary = seen.canary
    if seen.primary is None:
        if not unsettled(seen):
            return (Create(DEPLOYMENTS, deployment.render_primary(canary, target, seen.options)),)
        if seen.serving is None or seen.serving.ready == 0:
            # Nobody is served by it, and there is no primary: whatever mends it may roll out.
            return (release(target),) if target.hold is not None else Waiting("waiting for a pod that serves")
        source = deployment.with_template(target, seen.serving.template)
        return (Create(DEPLOYMENTS, deployment.render_primary(canary, source, seen.options)),)
    deployment.check_owned(seen.primary, canary)
    hpa = reconcile_hpa(canary, seen.autoscaler, seen.primary_autoscaler)
    return (hpa,) if hpa else ()


def unsettled(seen: Observation) -> bool:
    """Whether the target's template may be another than the one that its pods run, so that somebody has to
    look at its ReplicaSets before a primary can be made."""
    target = seen.target
    if target is None or seen.primary is not None or target.replicas == 0:
        return False
    rolled_out = readiness(target, seen.canary.spec.analysis.primary_ready_threshold)
    late = not target.first_template and isinstance(rolled_out, Waiting)
    return seen.canary.status.phase is Phase.INITIALIZING and (target.hold is not None or late)


def _finish(seen: Observation, target: Workload) -> Step:
    canary, primary = seen.canary, seen.primary
    revision = primary.revision if primary is not None else ""
    return Step(
        enter(seen, Phase.INITIALIZED, last_applied_spec=revision, last_promoted_spec=revision),
        "Initialized",
        then=(Scale(target.name, 0),) if target.replicas and target.template_hash == revision else (),
        events=(Event(f"Initialization done! {full_name(canary)}"),),
    )
