"""U: what an update may change of a Canary that has begun its work, and who writes its status."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.wording import forbidden, invalid
from shared.errors import Problem
from shared.names import BREAK_GLASS_ANNOTATION
from shared.types.canary import Canary, CanarySpec, Phase, Strategy

_BEFORE_WORK = (Phase.NONE, Phase.INITIALIZING)
RUNNING = frozenset(
    {Phase.WAITING, Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING}
)
"""Phases in which a revision is on its way."""
_ANALYSED = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION})


def identity_stays(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Target, apex, provider and autoscaler stay once the primary is there.

    The primary, its Services and its route are named after them; under other names the old ones would stay
    behind and go on taking traffic. Annotation `pinfeather.dev/break-glass` turns this into a warning.

        spec.targetRef.name: Forbidden: cannot be changed from "podinfo" to "shop" once the primary is there;
        make a Canary for the other, or set annotation pinfeather.dev/break-glass to a reason
    """
    if change.old is None or change.old.status.phase in _BEFORE_WORK:
        return
    before = _identity(change.old.spec, change.options.provider)
    after = _identity(change.subject.spec, change.options.provider)
    for field, was in before.items():
        if was and after[field] != was:
            to = f'to "{after[field]}"' if after[field] else "to none"
            why = (
                f'cannot be changed from "{was}" {to} once the primary is there; make a Canary for the '
                f"other, or set annotation {BREAK_GLASS_ANNOTATION} to a reason"
            )
            yield forbidden(field, why)


def _identity(spec: CanarySpec, provider: str) -> dict[str, str]:
    return {
        "spec.targetRef.kind": spec.target_ref.kind,
        "spec.targetRef.name": spec.target_ref.name,
        "spec.service.name": spec.apex_name,
        "spec.provider": spec.provider or provider,
        "spec.autoscalerRef.kind": spec.autoscaler_ref.kind if spec.autoscaler_ref else "",
        "spec.autoscalerRef.name": spec.autoscaler_ref.name if spec.autoscaler_ref else "",
    }


def ports_stay_during_a_rollout(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Ports, iterations, matching and mirroring stay while a revision is on its way.

    Ports reach the primary's users at once, and the canary's series of before, which its metrics ask for, are
    named by the port; the others would make another analysis of the one that is half done.

        spec.service.port: Forbidden: cannot be changed while Canary podinfo is Progressing; wait for the end,
        or take the revision back first
    """
    old = change.old
    if old is None or old.status.phase not in RUNNING:
        return
    before, after = _fixed(old.spec), _fixed(change.subject.spec)
    for field, was in before.items():
        if after[field] != was:
            yield forbidden(field, _not_now(old))


def _fixed(spec: CanarySpec) -> dict[str, object]:
    return {
        "spec.service.port": spec.service.port,
        "spec.service.targetPort": spec.service.effective_target_port,
        "spec.analysis.iterations": spec.analysis.iterations,
        "spec.analysis.match": spec.analysis.match,
        "spec.analysis.mirror": spec.analysis.mirror,
    }


def weight_is_not_overtaken(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The greatest weight stays at or above the weight that was reached, and a canary stays one.

    Below it there is no step left, and the revision would be promoted with the rest of its analysis left out.

        spec.analysis.maxWeight: Invalid value: 20: Canary podinfo is at weight 30 and would promote at once;
        wait for the end, or set at least 30
    """
    old, new = change.old, change.subject
    if old is None or old.status.phase not in _ANALYSED:
        return
    analysis, reached = new.spec.analysis, old.status.canary_weight
    if analysis.strategy is not old.spec.analysis.strategy:
        yield forbidden("spec.analysis", f"the strategy {_not_now(old)}")
    if analysis.strategy is Strategy.CANARY and analysis.steps[-1] < reached:
        field = "maxWeight" if analysis.step_weights is None else "stepWeights"
        why = (
            f"Canary {old.metadata.name} is at weight {reached} and would promote at once; "
            f"wait for the end, or set at least {reached}"
        )
        yield invalid(f"spec.analysis.{field}", analysis.steps[-1], why)


def threshold_is_not_overtaken(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The threshold stays above the checks that have failed already.

    At or below them the next failed check rolls back.

        spec.analysis.threshold: Invalid value: 2: 3 checks have failed already, so that the next one rolls
        back
    """
    old, new = change.old, change.subject
    if old is None or old.status.phase not in _ANALYSED:
        return
    threshold, failed = new.spec.analysis.effective_threshold, old.status.failed_checks
    if failed and threshold <= failed and threshold < old.spec.analysis.effective_threshold:
        why = f"{failed} checks have failed already, so that the next one rolls back"
        yield invalid("spec.analysis.threshold", new.spec.analysis.threshold, why)


def analysis_is_not_cut_short(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """skipAnalysis is not set while a revision is on its way.

    It would be promoted at once, with what was found so far.

        spec.skipAnalysis: Invalid value: true: Canary podinfo is Progressing and promotes this revision at
        once, unless you take this back
    """
    old, new = change.old, change.subject
    if old is None or old.status.phase not in (*_ANALYSED, Phase.WAITING):
        return
    if new.spec.skip_analysis and not old.spec.skip_analysis:
        why = (
            f"Canary {old.metadata.name} is {old.status.phase} and promotes this revision at once, "
            "unless you take this back"
        )
        yield invalid("spec.skipAnalysis", True, why)  # noqa: FBT003 - the field's value


def revert_stays_during_a_rollout(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """revertOnDeletion is not taken away while a revision is on its way.

    Whoever deletes the Canary then leaves the application without its primary.

        spec.revertOnDeletion: Invalid value: false: Canary podinfo is Progressing; deleting it now would not
        put the workload back
    """
    old, new = change.old, change.subject
    if old is None or old.status.phase not in RUNNING:
        return
    if old.spec.revert_on_deletion and not new.spec.revert_on_deletion:
        why = (
            f"Canary {old.metadata.name} is {old.status.phase}; "
            "deleting it now would not put the workload back"
        )
        yield invalid("spec.revertOnDeletion", False, why)  # noqa: FBT003 - the field's value


def only_the_controller_writes_the_status(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The status is written by the controller.

    It holds the weight that was reached and the revision that passed; by another hand it would promote what
    nobody analysed.

        status: Forbidden: is written by the controller alone,
        system:serviceaccount:pinfeather-system:pinfeather-controller; change the spec, or the workload
    """
    if change.user is not None and change.user.name != change.options.controller:
        who = change.options.controller
        yield forbidden(
            "status", f"is written by the controller alone, {who}; change the spec, or the workload"
        )


def suspension_leaves_no_traffic(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A Canary is not suspended with traffic on the canary.

    The split stays as it is for as long as it is suspended, and nobody looks at the metrics.

        spec.suspend: Invalid value: true: 30% of the traffic stays on the canary, and nobody analyses it;
        take the revision back first
    """
    old, new = change.old, change.subject
    if old is None or old.spec.suspend or not new.spec.suspend:
        return
    if weight := old.status.canary_weight:
        why = (
            f"{weight}% of the traffic stays on the canary, and nobody analyses it; "
            "take the revision back first"
        )
        yield invalid("spec.suspend", True, why)  # noqa: FBT003 - the field's value


def _not_now(canary: Canary) -> str:
    return (
        f"cannot be changed while Canary {canary.metadata.name} is {canary.status.phase}; wait for the end, "
        "or take the revision back first"
    )
