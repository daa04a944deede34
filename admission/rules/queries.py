"""M: what a metric asks, filled in as the controller will fill it in: templates, queries, their variables."""

import re
from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.metrics import each_metric
from admission.rules.rule import Change
from admission.rules.wording import invalid, not_found
from shared.capabilities import METRIC_PROVIDERS, is_builtin
from shared.errors import InvalidSpec, Problem
from shared.query_template import render, values_of, variables_of
from shared.resources import METRIC_TEMPLATES
from shared.types.canary import Canary, Metric
from shared.types.metric import MetricTemplateSpec, parse_metric_template

_KEY = re.compile(r"\w+", re.ASCII)


def templates_exist(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The MetricTemplate that a metric names exists.

    Until it does, each round of an analysis fails. It may be applied after the Canary, so this only warns.

        spec.analysis.metrics[0].templateRef: Not found: "test/latency": until this MetricTemplate is
        there, every check of the metric fails
    """
    for path, metric in each_metric(change):
        if lookup.complete and (full := _missing(change.subject, metric, lookup)):
            why = "until this MetricTemplate is there, every check of the metric fails"
            yield not_found(f"{path}.templateRef", full, why)


def templates_can_be_asked(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """The MetricTemplate that a metric names can be read, and is of a provider that this version asks.

    Otherwise each check of the metric fails.

        spec.analysis.metrics[0].templateRef: Invalid value: "test/latency": is of provider datadog;
        this version asks prometheus
    """
    for path, metric in each_metric(change):
        try:
            spec = _template(change.subject, metric, lookup)
        except InvalidSpec as error:
            yield invalid(
                f"{path}.templateRef", _full_name(change.subject, metric), f"cannot be read: {error}"
            )
            continue
        if spec is not None and spec.provider.type not in METRIC_PROVIDERS:
            asked = ", ".join(sorted(METRIC_PROVIDERS))
            why = f"is of provider {spec.provider.type}; this version asks {asked}"
            yield invalid(f"{path}.templateRef", _full_name(change.subject, metric), why)


def queries_can_be_filled_in(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """A metric's query, its own or its template's, can be filled in with what the Canary has.

    Templates name the Canary's parts and the metric's `templateVariables`, and nothing is computed in them. A
    value may not change what the query is. Otherwise each check of the metric fails.

        spec.analysis.metrics[0].templateVariables: Invalid value: "test/latency": line 1, column 10:
        variable code is not set; set templateVariables.code on the metric
    """
    canary = change.subject
    for path, metric in each_metric(change):
        text = _query(canary, metric, lookup)
        if text is None:
            continue
        try:
            render(text, values_of(canary, metric), metric.template_variables)
        except InvalidSpec as error:
            templated = metric.template_ref is not None
            field = f"{path}.templateVariables" if templated else f"{path}.query"
            yield invalid(field, _full_name(canary, metric) if templated else metric.query, str(error))


def variables_have_names(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Keys of `templateVariables` are letters, digits and '_'.

    No template could name any other.

        spec.analysis.metrics[0].templateVariables: Invalid value: "status-code": must be letters,
        digits and '_', or no template can name it
    """
    for path, metric in each_metric(change):
        for key in metric.template_variables:
            if not _KEY.fullmatch(key):
                why = "must be letters, digits and '_', or no template can name it"
                yield invalid(f"{path}.templateVariables", key, why)


def variables_are_used(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """Each of the `templateVariables` is named by the query.

    One that is not does nothing; mostly its name is misspelt.

        spec.analysis.metrics[0].templateVariables: Invalid value: "code": is not used by the query;
        remove it, or check its name
    """
    for path, metric in each_metric(change):
        named = _named(change.subject, metric, lookup)
        if named is None:
            continue
        for key in metric.template_variables:
            if key not in named and _KEY.fullmatch(key):
                why = "is not used by the query; remove it, or check its name"
                yield invalid(f"{path}.templateVariables", key, why)


def _missing(canary: Canary, metric: Metric, lookup: Lookup) -> str:
    """The full name of a template that is not there; empty where there is none to be."""
    if metric.template_ref is None:
        return ""
    namespace = metric.template_ref.namespace or canary.metadata.namespace
    found = lookup.get(METRIC_TEMPLATES, namespace, metric.template_ref.name)
    return "" if found is not None else f"{namespace}/{metric.template_ref.name}"


def _template(canary: Canary, metric: Metric, lookup: Lookup) -> MetricTemplateSpec | None:
    """What the metric's template says; None without one.

    Raises:
        InvalidSpec: it cannot be read.
    """
    ref = metric.template_ref
    if ref is None:
        return None
    found = lookup.get(METRIC_TEMPLATES, ref.namespace or canary.metadata.namespace, ref.name)
    return None if found is None else parse_metric_template(found).spec


def _query(canary: Canary, metric: Metric, lookup: Lookup) -> str | None:
    """What is asked, before it is filled in; None where that is builtin or not known."""
    if metric.template_ref is None:
        return metric.query
    try:
        spec = _template(canary, metric, lookup)
    except InvalidSpec:  # a rule of its own says so
        return None
    return None if spec is None else spec.query


def _named(canary: Canary, metric: Metric, lookup: Lookup) -> frozenset[str] | None:
    """The variables that the query names; None where it is not known or cannot be read."""
    if is_builtin(metric):
        return frozenset()
    text = _query(canary, metric, lookup)
    try:
        return None if text is None else variables_of(text)
    except InvalidSpec:  # a rule of its own says so
        return None


def _full_name(canary: Canary, metric: Metric) -> str:
    ref = metric.template_ref
    return "" if ref is None else f"{ref.namespace or canary.metadata.namespace}/{ref.name}"
