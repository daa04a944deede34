"""What to do about one Canary, given all that is seen of it. Pure: no clock, no I/O, no log.

`controller.reconcile` calls it once a pass. The guards come first, then one function per phase.
"""

from dataclasses import replace
from typing import assert_never

from controller import governing, services
from controller import status as statuses
from controller.decision import Action, Decision
from controller.observation import Observation
from controller.phases.analysis import progressing
from controller.phases.initialization import begin, initializing, unborn
from controller.phases.promotion import finalising, promoting
from controller.phases.rest import rest, waiting
from controller.phases.step import Step, warning
from controller.traffic import route
from shared.capabilities import unsupported
from shared.errors import Blocked, InvalidSpec, RoutingError
from shared.types.canary import Phase


def decide(seen: Observation) -> Decision:
    """The next status, the actions that lead to it, and when to look again."""
    if seen.canary.metadata.deletion_timestamp is not None:
        return Decision(seen.canary.status, "Deleting")
    blocked: Step | None = None
    try:
        step = _step(seen)
    except (Blocked, InvalidSpec, RoutingError) as problem:
        step = blocked = _blocked(seen, problem)
    try:
        return _with_route(seen, step)
    except (Blocked, InvalidSpec, RoutingError) as problem:
        # What kept the whole of it from going on is why, not what came of it.
        blocked = blocked or _blocked(seen, problem)
        return Decision(blocked.status, blocked.reason, events=blocked.events)


def _step(seen: Observation) -> Step:
    if seen.canary.spec.suspend:
        raise Blocked("Suspended", "skipping canary run as object is suspended")
    if problems := unsupported(seen.canary, seen.options.provider):
        raise InvalidSpec("; ".join(map(str, problems)), problems)
    if seen.claimed_by:
        older = f"Canary {seen.claimed_by} is older and has the same target or apex"
        raise Blocked("TargetClaimed", f"{older}; delete one of the two")
    step = _governed(seen, _by_phase(seen))
    if seen.canary.status.phase in (Phase.NONE, Phase.INITIALIZING):
        return step
    return replace(step, actions=(*services.reconcile_all(seen), *step.actions))


def _governed(seen: Observation, step: Step) -> Step:
    """With what the marks on the target ask for. A hold that does not end is something to act on."""
    late = governing.held_too_long(seen)
    if late is None:
        status = statuses.unblocked(step.status, seen.now)
    else:
        status = statuses.blocked(step.status, "Held", f"{late}: {step.reason}", seen.now)
    labels = governing.label(seen)
    if seen.canary.status.phase in (Phase.NONE, Phase.INITIALIZING):
        return replace(step, status=status, actions=(*labels, *step.actions))
    sizes, events = governing.resize(seen)
    # Last: a size that somebody asked for and that is refused keeps no traffic from being moved.
    return replace(
        step,
        status=status,
        actions=(*labels, *step.actions),
        then=(*step.then, *sizes),
        events=(*events, *step.events),
    )


def _by_phase(seen: Observation) -> Step:
    phase = seen.canary.status.phase
    match phase:
        case Phase.NONE:
            return begin(seen)
        case Phase.INITIALIZING:
            return initializing(seen)
        case Phase.INITIALIZED | Phase.SUCCEEDED | Phase.FAILED:
            return rest(seen)
        case Phase.WAITING:
            return waiting(seen)
        case Phase.PROGRESSING | Phase.WAITING_PROMOTION:
            return progressing(seen)
        case Phase.PROMOTING:
            return promoting(seen)
        case Phase.FINALISING:
            return finalising(seen)
        case Phase.TERMINATING | Phase.TERMINATED:
            return Step(seen.canary.status, "Deleting", route=False)
        case _:
            assert_never(phase)


def _blocked(seen: Observation, problem: Blocked | InvalidSpec | RoutingError) -> Step:
    """Somebody has to act. Said once: in the Ready condition, and as an Event when that changes."""
    reason = problem.reason if isinstance(problem, Blocked) else type(problem).__name__
    status = statuses.blocked(seen.canary.status, reason, str(problem), seen.now)
    events = () if status == seen.canary.status else (warning(str(problem)),)
    routed = seen.route is not None or seen.canary.status.phase not in (Phase.NONE, Phase.INITIALIZING)
    return Step(status, reason, _let_go(seen, problem), events=events, route=routed)


def _let_go(seen: Observation, problem: Blocked | InvalidSpec | RoutingError) -> tuple[Action, ...]:
    """A Canary that cannot be run as it is, and without a primary, has nothing that a hold could protect."""
    target = seen.target
    if target is None or target.hold is None or not isinstance(problem, InvalidSpec):
        return ()
    return (governing.release(target),) if unborn(seen) and not seen.claimed_by else ()


def _with_route(seen: Observation, step: Step) -> Decision:
    routed: tuple[Action, ...] = ()
    if step.route and (write := route(seen, step.status)):
        routed = (write,)
    return Decision(
        status=statuses.observed(step.status, seen.canary),
        reason=step.reason,
        actions=(*step.actions, *routed, *step.then),
        events=step.events,
        requeue_after=step.requeue_after,
        judged=step.judged,
    )
