"""M: the metrics of an analysis: whether there is a query, a range, and enough time for both."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.urls import unreadable
from admission.rules.wording import duplicate, invalid, required
from shared.capabilities import BUILTIN_METRICS, REQUEST_DURATION, SUCCESS_RATE, is_builtin
from shared.duration import render
from shared.errors import Problem
from shared.types.canary import Canary, HookType, Metric

METRICS = "spec.analysis.metrics"
_PERCENT = 100
_LIKELY_SECONDS = 5
"""Milliseconds below which a bound was probably meant in seconds."""


def each_metric(change: Change[Canary]) -> Iterator[tuple[str, Metric]]:
    for index, metric in enumerate(change.subject.spec.analysis.metrics):
        yield f"{METRICS}[{index}]", metric


def _bounds(path: str, metric: Metric) -> Iterator[tuple[str, float]]:
    """Every bound that counts, by its field. The deprecated threshold counts only without a range."""
    limits = metric.threshold_range
    if limits is None:
        if metric.threshold is not None:
            yield f"{path}.threshold", _short(metric.threshold)
        return
    for side, bound in (("min", limits.min), ("max", limits.max)):
        if bound is not None:
            yield f"{path}.thresholdRange.{side}", _short(bound)


def _short(number: float) -> float:
    """The number as people write it: 500, not 500.0."""
    return int(number) if number.is_integer() else number


def there_is_a_query(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A metric is a builtin one, or says what to ask.

    There is no query for any other name, so that every round would fail.

        spec.analysis.metrics[0].templateRef: Required value: "latency" is no builtin metric
        (request-duration, request-success-rate); name a MetricTemplate
    """
    for path, metric in each_metric(change):
        if metric.template_ref is None and metric.query is None and metric.name not in BUILTIN_METRICS:
            builtin = ", ".join(sorted(BUILTIN_METRICS))
            why = f'"{metric.name}" is no builtin metric ({builtin}); name a MetricTemplate'
            yield required(f"{path}.templateRef", why)


def there_is_a_range(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A metric has a range of values that pass, and there are values in it.

    Without a bound there is nothing to judge by, and no value is both above max and below min.

        spec.analysis.metrics[0].thresholdRange: Required value: set min or max, or no value passes
    """
    for path, metric in each_metric(change):
        if not any(_bounds(path, metric)):
            yield required(f"{path}.thresholdRange", "set min or max, or no value passes")
        limits = metric.threshold_range
        if limits and limits.min is not None and limits.max is not None and limits.min > limits.max:
            why = f"must be at most max ({limits.max:g}), or no value passes"
            yield invalid(f"{path}.thresholdRange.min", _short(limits.min), why)


def success_rate_is_a_percentage(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Bounds of request-success-rate are percentages.

    A rate is between 0 and 100, so that no revision, or every one, would pass a bound outside.

        spec.analysis.metrics[0].thresholdRange.min: Invalid value: 990: is a percentage; must be
        between 0 and 100
    """
    for path, metric in each_metric(change):
        if not is_builtin(metric) or metric.name != SUCCESS_RATE:
            continue
        for field, bound in _bounds(path, metric):
            if not 0 <= bound <= _PERCENT:
                yield invalid(field, bound, f"is a percentage; must be between 0 and {_PERCENT}")


def success_rate_has_a_least(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """request-success-rate has a least value.

    With a max alone a revision that answers nothing but errors passes.

        spec.analysis.metrics[0].thresholdRange.min: Required value: with max alone a success rate of
        0% passes
    """
    for path, metric in each_metric(change):
        limits = metric.threshold_range
        if is_builtin(metric) and metric.name == SUCCESS_RATE and limits and limits.min is None:
            if limits.max is not None:
                yield required(f"{path}.thresholdRange.min", "with max alone a success rate of 0% passes")


def duration_can_be_kept(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The greatest request-duration is above zero.

    Every request takes some time, so that no revision would pass.

        spec.analysis.metrics[0].thresholdRange.max: Invalid value: 0: must be greater than 0
        milliseconds, or no value passes
    """
    for field, most in _longest_durations(change):
        if most <= 0:
            yield invalid(field, most, "must be greater than 0 milliseconds, or no value passes")


def duration_is_in_milliseconds(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Bounds of request-duration are in milliseconds.

    Less than five are hardly kept by any application; mostly seconds were meant.

        spec.analysis.metrics[0].thresholdRange.max: Invalid value: 0.5: is in milliseconds; write 500
        if seconds were meant
    """
    for field, most in _longest_durations(change):
        if 0 < most < _LIKELY_SECONDS:
            yield invalid(field, most, f"is in milliseconds; write {most * 1000:g} if seconds were meant")


def _longest_durations(change: Change[Canary]) -> Iterator[tuple[str, float]]:
    for path, metric in each_metric(change):
        if is_builtin(metric) and metric.name == REQUEST_DURATION:
            for field, bound in _bounds(path, metric):
                if not field.endswith(".min"):
                    yield field, bound


def each_says_one_thing(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A metric says once what it asks and what passes, and no two have one name.

    What is said twice is ignored once, and events do not tell apart what has one name. `threshold` and
    `query` are deprecated.

        spec.analysis.metrics[0].threshold: Invalid value: 500: is deprecated; use thresholdRange.max
    """
    seen: set[str] = set()
    for path, metric in each_metric(change):
        if metric.name in seen:
            yield duplicate(
                f"{path}.name", metric.name, "events do not tell the two apart; rename one of them"
            )
        seen.add(metric.name)
        yield from _deprecated(path, metric)
        if metric.name in BUILTIN_METRICS and not is_builtin(metric):
            why = "is the name of a builtin metric, but its own query is asked; rename it"
            yield invalid(f"{path}.name", metric.name, why)


def _deprecated(path: str, metric: Metric) -> Iterator[Problem]:
    if metric.threshold is not None:
        side = "min" if is_builtin(metric) and metric.name == SUCCESS_RATE else "max"
        used = metric.threshold_range is None
        why = (
            f"is deprecated; use thresholdRange.{side}"
            if used
            else "is not used beside thresholdRange; remove it"
        )
        yield invalid(f"{path}.threshold", _short(metric.threshold), why)
    if metric.query is not None:
        why = "is deprecated; make a MetricTemplate of it and name that in templateRef"
        if metric.template_ref is not None:
            why = "is not used beside templateRef; remove it"
        yield invalid(f"{path}.query", metric.query, why)


def something_is_checked(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """An analysis has a metric, or a hook that can fail it.

    Without either a revision is promoted when its pods are ready, whatever it answers.

        spec.analysis.metrics: Required value: without a metric or a rollout hook nothing but the
        readiness of its pods is asked of a revision
    """
    spec = change.subject.spec
    asked = spec.analysis.has_hook(HookType.ROLLOUT) or spec.analysis.has_hook(HookType.PRE_ROLLOUT)
    if not spec.analysis.metrics and not asked and not spec.skip_analysis:
        why = (
            "without a metric or a rollout hook nothing but the readiness of its pods is asked of a revision"
        )
        yield required(METRICS, why)


def windows_fit_the_analysis(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A metric looks back no further than an analysis takes.

    Otherwise what it sees at the last step is mostly from before the analysis.

        spec.analysis.metrics[0].interval: Invalid value: "10m": looks back further than the whole
        analysis takes (1m40s); shorten it, or raise spec.analysis.interval
    """
    analysis = change.subject.spec.analysis
    takes = analysis.interval * len(analysis.steps)
    for path, metric in each_metric(change):
        if takes and metric.interval > takes:
            why = (
                f"looks back further than the whole analysis takes ({render(takes)}); shorten it, or raise "
                "spec.analysis.interval"
            )
            yield invalid(f"{path}.interval", render(metric.interval), why)


def metrics_server_can_be_read(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """`metricsServer` is a URL that can be used.

    No measurement could be taken.

        spec.metricsServer: Invalid value: "http://prometheus:99090": cannot be read as a URL; check
        host and port
    """
    server = change.subject.spec.metrics_server
    if server is not None:
        yield from unreadable("spec.metricsServer", server)
