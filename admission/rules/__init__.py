"""The rules that Canaries, MetricTemplates and AlertProviders have to keep: each a pure function with an id.

Change (old, new, who) + Lookup (what is around) ──► Rule.check ──► Problems ──► Violations

The tables below are the table of contents; `docs/rules.md` is made of them (`python -m admission.rules`).
`schema` has the ids of what the models refuse, `unused` those that nothing has.
"""

from typing import Any

from admission.answer import Severity
from admission.rules import (
    access,
    alerts,
    changes,
    deletion,
    hooks,
    metrics,
    names,
    neighbours,
    provider,
    queries,
    routes,
    scaling,
    structure,
    target,
    templates,
    unknown_fields,
)
from admission.rules.rule import Kind, Rule, Stage
from shared.resources import ALERT_PROVIDERS, CANARIES, METRIC_TEMPLATES
from shared.types.alert import AlertProvider, parse_alert_provider
from shared.types.canary import Canary, parse_canary
from shared.types.metric import MetricTemplate, parse_metric_template

DENY, WARN = Severity.DENY, Severity.WARN
WRITTEN, CHANGE, STATUS, DELETE = Stage.WRITTEN, Stage.CHANGE, Stage.STATUS, Stage.DELETE

CANARY_RULES: tuple[Rule[Canary], ...] = (
    # Structure and numbers. V01, V03, V05, V07, V08, V10, V13, V14: the schema.
    Rule("V02", DENY, structure.no_canary_analysis, WRITTEN),  # nobody reads it any more
    Rule("V04", WARN, structure.target_port_is_set),  # 0 means another port than one thinks
    Rule("V06", WARN, structure.interval_is_not_short),  # taken as written, unlike Flagger
    Rule("V09", DENY, structure.steps_rise),  # others would be left out
    Rule("V11", WARN, structure.last_step_is_whole),  # the last step is cut
    Rule("V12", WARN, structure.no_greatest_weight_beside_steps),  # not used
    Rule("V15", WARN, structure.threshold_counts),  # 0 acts as 1
    Rule("V16", WARN, structure.failures_are_the_revisions_own),  # old data can fail a run
    Rule("V17", WARN, structure.ready_means_most_pods),  # traffic to few pods
    Rule("V18", WARN, structure.pods_have_time_to_start),  # rolled back before they are up
    Rule("V19", WARN, structure.mirror_weight_has_a_mirror),  # not used
    Rule("V20", DENY, names.generated_names_are_valid),  # or the API server refuses them each pass
    Rule("V21", DENY, names.names_are_nobodys_copy),  # collisions
    Rule("V22", WARN, names.target_has_its_api_version),  # not read
    Rule("V24", DENY, names.service_metadata_is_valid),  # overwritten, or refused each pass
    Rule("V25", WARN, structure.analysis_is_not_skipped),  # promotion without a check
    Rule("V26", WARN, unknown_fields.canary_fields, WRITTEN),  # typos are dropped in silence
    # What the router can do.
    Rule("P01", DENY, provider.no_request_matching),
    Rule("P02", DENY, provider.no_mirroring),
    Rule("P03", DENY, provider.no_session_affinity),  # V23 is about its cookies
    Rule("P04", DENY, provider.no_iterations),
    Rule("P05", WARN, structure.greatest_weight_leaves_some_on_the_primary),  # a failure meets all
    Rule("P07", DENY, provider.target_kind_is_known),
    Rule("P08", WARN, provider.fields_are_traefiks),  # they do nothing
    Rule("P09", WARN, provider.traefik_speaks_the_ports_protocol),  # TLS by name, no h2c
    Rule("P10", DENY, provider.default_provider_is_known),
    Rule("P15", DENY, provider.not_kubernetes),
    Rule("P16", DENY, provider.not_knative),
    Rule("P17", DENY, provider.not_gateway_api),
    Rule("P19", DENY, provider.provider_is_known),
    Rule("P20", DENY, provider.rest_is_supported),  # whatever else the controller would stop at
    # The route that is there.
    Rule("P11", DENY, routes.traefik_service_is_free),  # nobody's routes are overwritten
    Rule("P12", WARN, routes.route_goes_through_the_canary),  # or it gets no traffic
    Rule("P14", WARN, routes.headless_from_the_start),  # cannot be changed
    # Metrics, hooks and alerts. M05, M15: the schema.
    Rule("M01", DENY, metrics.there_is_a_query),  # nothing to ask
    Rule("M02", DENY, metrics.there_is_a_range),  # nothing to judge by
    Rule("M03", DENY, metrics.success_rate_is_a_percentage),
    Rule("M03", WARN, metrics.success_rate_has_a_least),  # 0% passes
    Rule("M04", DENY, metrics.duration_can_be_kept),
    Rule("M04", WARN, metrics.duration_is_in_milliseconds),  # not seconds
    Rule("M06", WARN, metrics.each_says_one_thing),  # what is said twice is ignored once
    Rule("M07", DENY, queries.templates_can_be_asked),
    Rule("M07", WARN, queries.templates_exist),  # it may come later
    Rule("M08", DENY, queries.queries_can_be_filled_in),  # or each check fails
    Rule("M09", DENY, queries.variables_have_names),
    Rule("M09", WARN, queries.variables_are_used),  # mostly a typo
    Rule("M10", WARN, metrics.something_is_checked),  # promotion without a check
    Rule("M11", WARN, metrics.windows_fit_the_analysis),  # sees what was before
    Rule("M13", WARN, alerts.providers_exist),  # nobody is told
    Rule("M14", DENY, hooks.urls_can_be_read),
    Rule("M14", WARN, hooks.clear_text_stays_at_home),
    Rule("M16", WARN, hooks.rounds_have_time_for_hooks),  # rounds stretch
    Rule("M17", WARN, hooks.certificates_are_verified),
    Rule("M17", WARN, hooks.no_secrets_are_told),
    Rule("M18", WARN, hooks.names_are_told_apart),
    Rule("M18", WARN, hooks.gates_are_opened_one_by_one),
    Rule("M21", DENY, metrics.metrics_server_can_be_read),
    # The target and other objects, when the Canary comes to stand on them.
    Rule("O01", DENY, neighbours.nothing_is_shared, CHANGE),  # two would undo each other's work
    Rule("O02", DENY, target.pods_have_a_label, CHANGE),  # cannot be told from the primary's
    Rule("O03", DENY, target.pods_are_nobody_elses, CHANGE),  # others would get traffic
    Rule("O03", WARN, target.one_label_is_enough, CHANGE),
    Rule("O04", WARN, target.target_exists, CHANGE),  # it may come later
    Rule("O05", DENY, neighbours.generated_names_are_free, CHANGE),  # nothing is overwritten
    Rule("O06", DENY, neighbours.apex_can_be_taken_over, CHANGE),
    Rule("O06", WARN, neighbours.apex_keeps_its_selector, CHANGE),
    Rule("O07", DENY, target.port_is_a_containers, CHANGE),  # no endpoints
    Rule("O07", WARN, target.port_is_declared, CHANGE),  # mostly a mistake
    Rule("O09", WARN, target.target_can_be_rolled_out, CHANGE),
    Rule("O10", DENY, scaling.autoscaler_is_named, CHANGE),  # the primary would have none
    Rule("O10", DENY, scaling.autoscaler_scales_the_target, CHANGE),
    Rule("O10", WARN, scaling.autoscaler_exists, CHANGE),  # it may come later
    Rule("O11", DENY, scaling.bounds_go_together),
    Rule("O13", WARN, neighbours.others_select_the_primary_too, CHANGE),
    Rule("O15", WARN, target.deadline_is_the_canarys, CHANGE),  # the shorter one counts
    Rule("O16", WARN, scaling.quota_has_room_for_the_primary, CHANGE),
    # Who asks.
    Rule("C01", DENY, access.user_may_change_the_objects, CHANGE),  # no confused deputy
    # What an update may change.
    Rule("U01", DENY, changes.identity_stays, CHANGE, breakable=True),  # old primary and routes stay behind
    Rule("U02", DENY, changes.ports_stay_during_a_rollout, CHANGE, breakable=True),
    Rule("U03", DENY, changes.weight_is_not_overtaken, CHANGE, breakable=True),  # promotes at once
    Rule("U03", WARN, changes.threshold_is_not_overtaken, CHANGE),  # the next failure rolls back
    Rule("U05", WARN, changes.analysis_is_not_cut_short, CHANGE),  # promotes at once
    Rule("U06", WARN, changes.revert_stays_during_a_rollout, CHANGE),
    Rule("U09", DENY, changes.only_the_controller_writes_the_status, STATUS),  # it says what passed
    Rule("U11", WARN, changes.suspension_leaves_no_traffic, CHANGE),  # split, and not analysed
    # What a delete leaves.
    Rule("U07", DENY, deletion.pods_are_left, DELETE, breakable=True),  # no app without pods
    Rule("U07", WARN, deletion.no_rollout_runs, DELETE),
)

METRIC_TEMPLATE_RULES: tuple[Rule[MetricTemplate], ...] = (
    Rule("V26", WARN, unknown_fields.metric_template_fields, WRITTEN),  # typos are dropped in silence
    Rule("T01", DENY, templates.provider_can_be_asked),
    Rule("T01", DENY, templates.provider_has_an_address),
    Rule("T01", WARN, templates.credentials_are_given_once),  # the Secret's win
    Rule("T03", WARN, templates.query_gives_one_value),  # several are no measurement
    Rule("T04", WARN, templates.certificate_is_verified),
    Rule("M08", DENY, templates.query_can_be_read),  # or each check fails
    Rule("C01", DENY, access.user_may_read_the_templates_secret, CHANGE),  # no confused deputy
    Rule("U10", WARN, deletion.no_metric_asks_for_it, DELETE),  # its Canaries' rounds would fail
)

ALERT_PROVIDER_RULES: tuple[Rule[AlertProvider], ...] = (
    Rule("V26", WARN, unknown_fields.alert_provider_fields, WRITTEN),  # typos are dropped in silence
    Rule("A01", DENY, alerts.addresses_can_be_read),
    Rule("A01", WARN, alerts.alerts_are_sent),  # not yet, by this version
    Rule("C01", DENY, access.user_may_read_the_providers_secret, CHANGE),  # no confused deputy
    Rule("U10", WARN, deletion.no_alert_is_sent_by_it, DELETE),  # nobody would be told
)

KINDS: tuple[Kind[Any], ...] = (
    Kind(CANARIES, parse_canary, CANARY_RULES),
    Kind(METRIC_TEMPLATES, parse_metric_template, METRIC_TEMPLATE_RULES),
    Kind(ALERT_PROVIDERS, parse_alert_provider, ALERT_PROVIDER_RULES),
)
"""Everything that rules are about."""
