"""V: what a Canary says in itself, beyond what its schema bounds: numbers that do not go together, typos."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.wording import duplicate, forbidden, invalid, required
from shared.duration import render
from shared.errors import Problem
from shared.types.canary import Canary

FLAGGERS_LEAST_INTERVAL = 10
"""Seconds."""
SHORTEST_USUAL_DEADLINE = 30
"""Seconds in which images are pulled and pods become ready, mostly."""
FEW_PODS = 50
"""Percent of pods below which a workload is hardly ready."""

ANALYSIS = "spec.analysis"


def no_canary_analysis(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The analysis stands in `spec.analysis`.

    `canaryAnalysis` is its name of years ago. The API server drops it, and with it every check.

        spec.canaryAnalysis: Forbidden: is not read any more; rename it to analysis
    """
    spec = (change.raw_new or {}).get("spec")
    if isinstance(spec, dict) and "canaryAnalysis" in spec:
        yield forbidden("spec.canaryAnalysis", "is not read any more; rename it to analysis")


def target_port_is_set(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A target port of 0 is left out.

    As in Flagger it counts as not set, and then the Service's own port is the container's.

        spec.service.targetPort: Invalid value: 0: counts as not set, so that port 80 is used; name
        the container's port, or remove it
    """
    written = (change.raw_new or {})["spec"]["service"].get("targetPort")
    if written in (0, "0"):
        port = change.subject.spec.service.port
        why = f"counts as not set, so that port {port} is used; name the container's port, or remove it"
        yield invalid("spec.service.targetPort", written, why)


def interval_is_not_short(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Rounds are at least 10 seconds apart.

    The interval is taken as written, where Flagger makes 10s of anything shorter; and rounds that are closer
    than Prometheus' scrapes judge the same samples again.

        spec.analysis.interval: Invalid value: "5s": is taken as written, where Flagger waits 10s;
        keep it above the interval at which Prometheus scrapes
    """
    analysis = change.subject.spec.analysis
    if analysis.interval_seconds < FLAGGERS_LEAST_INTERVAL:
        why = (
            f"is taken as written, where Flagger waits {FLAGGERS_LEAST_INTERVAL}s; "
            "keep it above the interval at which Prometheus scrapes"
        )
        yield invalid(f"{ANALYSIS}.interval", render(analysis.interval), why)


def steps_rise(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """`stepWeights` rise from each step to the next.

    The next step is the first one above the weight that was reached, so one that does not rise would be left
    out without a word.

        spec.analysis.stepWeights[1]: Invalid value: 10: must be greater than 20, the step before it
    """
    steps = change.subject.spec.analysis.step_weights or ()
    for index in range(1, len(steps)):
        before, step = steps[index - 1], steps[index]
        field = f"{ANALYSIS}.stepWeights[{index}]"
        if step == before:
            yield duplicate(field, step, "is the step before it as well; remove one of them")
        elif step < before:
            yield invalid(field, step, f"must be greater than {before}, the step before it")


def last_step_is_whole(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """`maxWeight` is a multiple of `stepWeight`.

    The last step is cut so that the weight ends at maxWeight; Flagger goes beyond it.

        spec.analysis.maxWeight: Invalid value: 50: is no multiple of stepWeight 20, so that the
        last step goes from 40 to 50; choose 40 or 60
    """
    analysis = change.subject.spec.analysis
    step, last = analysis.step_weight, analysis.max_weight or 100
    if step is None or last % step == 0:
        return
    below, above = last // step * step, (last // step + 1) * step
    choices = [str(each) for each in (below, above) if 0 < each <= 100]  # noqa: PLR2004 - percent
    way = f"choose {' or '.join(choices)}" if choices else "choose a smaller step"
    why = f"is no multiple of stepWeight {step}, so that the last step goes from {below} to {last}; {way}"
    yield invalid(f"{ANALYSIS}.maxWeight", last, why)


def no_greatest_weight_beside_steps(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """`maxWeight` stands beside `stepWeight` only.

    With stepWeights the last of them is the greatest weight, whatever maxWeight says.

        spec.analysis.maxWeight: Invalid value: 50: is not used with stepWeights, which end at 80; remove it
    """
    analysis = change.subject.spec.analysis
    if analysis.step_weights is not None and analysis.max_weight:
        why = f"is not used with stepWeights, which end at {analysis.step_weights[-1]}; remove it"
        yield invalid(f"{ANALYSIS}.maxWeight", analysis.max_weight, why)


def threshold_counts(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The threshold is at least 1.

    0 counts as 1: the first failed check rolls back.

        spec.analysis.threshold: Invalid value: 0: counts as 1; set how many failed checks roll back
    """
    if change.subject.spec.analysis.threshold == 0:
        yield invalid(f"{ANALYSIS}.threshold", 0, "counts as 1; set how many failed checks roll back")


def failures_are_the_revisions_own(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Metrics look back no further than `threshold` times `interval`.

    Otherwise an analysis can fail by nothing but what the canary's Service did before it, a rolled back
    revision's errors for instance.

        spec.analysis.threshold: Invalid value: 3: the rounds until then take 30s, but
        request-duration looks 1m
        back, so that what was before can roll a revision back; raise threshold or interval, or
        shorten the metric's interval
    """
    analysis = change.subject.spec.analysis
    if not analysis.metrics:
        return
    longest = max(analysis.metrics, key=lambda metric: metric.interval)
    # In seconds: the longest interval times the greatest threshold is more than a timedelta can be.
    if analysis.interval_seconds * analysis.effective_threshold < longest.interval.total_seconds():
        until = analysis.interval * analysis.effective_threshold
        why = (
            f"the rounds until then take {render(until)}, but {longest.name} looks "
            f"{render(longest.interval)} back, so that what was before can roll a revision back; raise "
            "threshold or interval, or shorten the metric's interval"
        )
        yield invalid(f"{ANALYSIS}.threshold", analysis.threshold, why)


def ready_means_most_pods(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Half of the pods are available before a workload counts as ready.

    Below that the few pods that are there get the whole share of the traffic.

        spec.analysis.canaryReadyThreshold: Invalid value: 20: traffic would go to a workload with
        most of its pods missing; set at least 50
    """
    analysis = change.subject.spec.analysis
    thresholds = {
        "primaryReadyThreshold": analysis.primary_ready_threshold,
        "canaryReadyThreshold": analysis.canary_ready_threshold,
    }
    for field, value in thresholds.items():
        if value < FEW_PODS:
            why = f"traffic would go to a workload with most of its pods missing; set at least {FEW_PODS}"
            yield invalid(f"{ANALYSIS}.{field}", value, why)


def pods_have_time_to_start(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Pods get half a minute to become ready.

    A revision whose pods are not ready after `progressDeadlineSeconds` is rolled back, and pulling an image
    alone can take longer.

        spec.progressDeadlineSeconds: Invalid value: 5: a revision is rolled back when its pods need
        longer; set at least 30
    """
    deadline = change.subject.spec.progress_deadline_seconds
    if deadline < SHORTEST_USUAL_DEADLINE:
        why = f"a revision is rolled back when its pods need longer; set at least {SHORTEST_USUAL_DEADLINE}"
        yield invalid("spec.progressDeadlineSeconds", deadline, why)


def mirror_weight_has_a_mirror(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """`mirrorWeight` stands beside `mirror: true`.

    Without it nothing is mirrored.

        spec.analysis.mirrorWeight: Invalid value: 20: is not used without mirror; remove it
    """
    analysis = change.subject.spec.analysis
    if analysis.mirror_weight and not analysis.mirror:
        yield invalid(
            f"{ANALYSIS}.mirrorWeight", analysis.mirror_weight, "is not used without mirror; remove it"
        )


def analysis_is_not_skipped(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Revisions are analysed.

    With skipAnalysis each one is promoted as soon as its pods are ready.

        spec.skipAnalysis: Invalid value: true: every revision is promoted as soon as its pods are
        ready, without a check; set it for an emergency only
    """
    if change.subject.spec.skip_analysis:
        why = (
            "every revision is promoted as soon as its pods are ready, without a check; "
            "set it for an emergency only"
        )
        yield invalid("spec.skipAnalysis", True, why)  # noqa: FBT003 - the field's value


def greatest_weight_leaves_some_on_the_primary(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The analysis ends below 100%.

    At 100% every user has the revision before it is promoted, and a failure at the last step is everybody's.

        spec.analysis.maxWeight: Required value: without it the analysis goes up to 100%, where a
        failure meets every user; set 50, for instance
    """
    analysis = change.subject.spec.analysis
    if not analysis.steps or analysis.steps[-1] < 100:  # noqa: PLR2004 - percent
        return
    why = "where a failure meets every user; set 50, for instance"
    if analysis.step_weights is not None:
        field = f"{ANALYSIS}.stepWeights[{len(analysis.step_weights) - 1}]"
        yield invalid(field, analysis.step_weights[-1], f"the analysis goes up to 100%, {why}")
    elif analysis.max_weight:
        yield invalid(f"{ANALYSIS}.maxWeight", analysis.max_weight, f"the analysis goes up to 100%, {why}")
    else:
        yield required(f"{ANALYSIS}.maxWeight", f"without it the analysis goes up to 100%, {why}")
