"""From a new Canary to Initialized: the primary takes the users, then the target gives up its pods."""

from controller import services
from controller.autoscalers import reconcile_hpa
from controller.decision import Action, Create, Event, Patch, Scale
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
from shared.types.meta import Json


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
    canary, primary = seen.canary, seen.primary
    if primary is not None:
        deployment.check_owned(primary, canary)
    source = target
    if unsettled(seen):
        if seen.serving is None or seen.serving.ready == 0:
            # Nobody is served by it, nor by a primary: whatever mends it may roll out.
            return (release(target),) if target.hold is not None else Waiting("waiting for a pod that serves")
        source = deployment.with_template(target, seen.serving.template)
    if primary is None:
        return (Create(DEPLOYMENTS, deployment.render_primary(canary, source, seen.options)),)
    # One that never came up takes what was mended since: it is not to wait for a template that never will.
    if unborn(seen) and (patch := deployment.promote(canary, primary, source, seen.options)):
        return (patch,)
    hpa = reconcile_hpa(canary, seen.autoscaler, seen.primary_autoscaler)
    return (*_grown(primary, target, seen), *((hpa,) if hpa else ()))


def _grown(primary: Workload, target: Workload, seen: Observation) -> tuple[Action, ...]:
    """Until users are on the primary the target is the application: who scales it up means both."""
    if seen.canary.spec.autoscaler_ref is not None or target.replicas <= primary.replicas:
        return ()
    body: Json = {
        "metadata": {"resourceVersion": primary.resource_version},
        "spec": {"replicas": target.replicas},
    }
    return (Patch(DEPLOYMENTS, primary.name, body),)


def unborn(seen: Observation) -> bool:
    """Whether there is no primary that serves or ever did."""
    return seen.primary is None or (seen.route is None and seen.endpoints.primary == 0)


def unsettled(seen: Observation) -> bool:
    """Whether the target's template may be another than the one that its pods run, so that somebody has to
    look at its ReplicaSets before a primary can be made."""
    target = seen.target
    if target is None or not unborn(seen) or target.replicas == 0:
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
