"""From a new Canary to Initialized: the primary takes the users, then the target gives up its pods."""

from controller import services
from controller.autoscalers import reconcile_hpa
from controller.decision import Action, Create, Event, Scale
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
    """The primary and its autoscaler.

    The primary copies the target's template, so that must be the one that serves: where another was rolled
    out before it, the target's rollout has to be through first.
    """
    canary = seen.canary
    if seen.primary is None:
        rolled_out = readiness(target, canary.spec.analysis.primary_ready_threshold)
        if target.replicas > 0 and not target.first_template and isinstance(rolled_out, Waiting):
            return rolled_out
        return (Create(DEPLOYMENTS, deployment.render_primary(canary, target, seen.options)),)
    deployment.check_owned(seen.primary, canary)
    hpa = reconcile_hpa(canary, seen.autoscaler, seen.primary_autoscaler)
    return (hpa,) if hpa else ()


def _finish(seen: Observation, target: Workload) -> Step:
    canary, primary = seen.canary, seen.primary
    revision = primary.revision if primary is not None else ""
    return Step(
        enter(seen, Phase.INITIALIZED, last_applied_spec=revision, last_promoted_spec=revision),
        "Initialized",
        then=(Scale(target.name, 0),) if target.replicas and target.template_hash == revision else (),
        events=(Event(f"Initialization done! {full_name(canary)}"),),
    )
