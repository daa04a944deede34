"""For every V rule a Canary that breaks it and its nearest good neighbour."""

from tests.unit.admission.rule_cases import DENY, WARN, Case, deployment

A = "spec.analysis"

CASES = (
    Case(
        "V02",
        DENY,
        {"spec.canaryAnalysis": {"stepWeight": 5}},
        "spec.canaryAnalysis: Forbidden: is not read any more; rename it to analysis",
        {},
    ),
    Case(
        "V04",
        WARN,
        {"spec.service.targetPort": 0},
        "spec.service.targetPort: Invalid value: 0: counts as not set, so that port 80 is used; name the "
        "container's port, or remove it",
        {"spec.service.targetPort": None},
    ),
    Case(
        "V06",
        WARN,
        {f"{A}.interval": "5s"},
        f'{A}.interval: Invalid value: "5s": is taken as written, where Flagger waits 10s; keep it above the '
        "interval at which Prometheus scrapes",
        {f"{A}.interval": "10s"},
    ),
    Case(
        "V09",
        DENY,
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [20, 10]},
        f"{A}.stepWeights[1]: Invalid value: 10: must be greater than 20, the step before it",
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [10, 20]},
    ),
    Case(
        "V09",
        DENY,
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [10, 10]},
        f"{A}.stepWeights[1]: Duplicate value: 10: is the step before it as well; remove one of them",
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [10, 11]},
    ),
    Case(
        "V11",
        WARN,
        {f"{A}.stepWeight": 20, f"{A}.maxWeight": 50},
        f"{A}.maxWeight: Invalid value: 50: is no multiple of stepWeight 20, so that the last step goes "
        "from 40 "
        "to 50; choose 40 or 60",
        {f"{A}.stepWeight": 20, f"{A}.maxWeight": 60},
    ),
    Case(
        "V11",
        WARN,
        {f"{A}.stepWeight": 60, f"{A}.maxWeight": 50},
        f"{A}.maxWeight: Invalid value: 50: is no multiple of stepWeight 60, so that the last step goes "
        "from 0 "
        "to 50; choose 60",
        {f"{A}.stepWeight": 50, f"{A}.maxWeight": 50},
    ),
    Case(
        "V12",
        WARN,
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [10, 80]},
        f"{A}.maxWeight: Invalid value: 50: is not used with stepWeights, which end at 80; remove it",
        {f"{A}.stepWeight": None, f"{A}.maxWeight": None, f"{A}.stepWeights": [10, 80]},
    ),
    Case(
        "V15",
        WARN,
        {f"{A}.threshold": 0},
        f"{A}.threshold: Invalid value: 0: counts as 1; set how many failed checks roll back",
        {f"{A}.threshold": 1},
    ),
    Case(
        "V16",
        WARN,
        {f"{A}.threshold": 3, f"{A}.metrics": [{"name": "request-duration"}]},
        f"{A}.threshold: Invalid value: 3: the rounds until then take 30s, but request-duration looks 1m "
        "back, "
        "so that what was before can roll a revision back; raise threshold or interval, or shorten the "
        "metric's "
        "interval",
        {f"{A}.threshold": 6, f"{A}.metrics": [{"name": "request-duration"}]},
    ),
    Case(
        "V17",
        WARN,
        {f"{A}.canaryReadyThreshold": 20},
        f"{A}.canaryReadyThreshold: Invalid value: 20: traffic would go to a workload with most of its pods "
        "missing; set at least 50",
        {f"{A}.canaryReadyThreshold": 50},
    ),
    Case(
        "V17",
        WARN,
        {f"{A}.primaryReadyThreshold": 49},
        f"{A}.primaryReadyThreshold: Invalid value: 49: traffic would go to a workload with most of its pods "
        "missing; set at least 50",
        {f"{A}.primaryReadyThreshold": 50},
    ),
    Case(
        "V18",
        WARN,
        {"spec.progressDeadlineSeconds": 5},
        "spec.progressDeadlineSeconds: Invalid value: 5: a revision is rolled back when its pods need "
        "longer; "
        "set at least 30",
        {"spec.progressDeadlineSeconds": 30},
    ),
    Case(
        "V19",
        WARN,
        {f"{A}.mirrorWeight": 20},
        f"{A}.mirrorWeight: Invalid value: 20: is not used without mirror; remove it",
        {f"{A}.mirrorWeight": 20, f"{A}.mirror": True},
    ),
    Case(
        "V20",
        DENY,
        {"spec.targetRef.name": "podinfo.v2"},
        "spec.targetRef.name: Invalid value: \"podinfo.v2\": must be lower case letters, digits and '-', and "
        "start with a letter; or set spec.service.name, by which Services are named then",
        {"spec.targetRef.name": "podinfo.v2", "spec.service.name": "podinfo-v2"},
    ),
    Case(
        "V20",
        DENY,
        {"metadata.name": "a" * 64},
        f'metadata.name: Invalid value: "{"a" * 64}": must be at most 63 characters, as it is a label of '
        "what "
        "is generated",
        {"metadata.name": "a" * 63},
    ),
    Case(
        "V20",
        DENY,
        {},
        'spec.targetRef.name: Invalid value: "podinfo": label app='
        + "b" * 56
        + " of its selector is too long: "
        "the primary's pods get -primary appended, and 63 characters is the limit; use a shorter label",
        {},
        around=[deployment(app="b" * 56)],
        good_around=[deployment(app="b" * 55)],
    ),
    Case(
        "V20",
        DENY,
        {"spec.targetRef.name": "c" * 246, "spec.service.name": "c"},
        f'spec.targetRef.name: Invalid value: "{"c" * 127}...: must be at most 245 characters, to leave '
        "room for "
        "-primary",
        {"spec.targetRef.name": "c" * 245, "spec.service.name": "c"},
    ),
    Case(
        "V21",
        DENY,
        {"spec.targetRef.name": "podinfo-primary"},
        'spec.targetRef.name: Invalid value: "podinfo-primary": -primary is for what is generated; name the '
        "workload itself",
        {"spec.targetRef.name": "primary-podinfo"},
    ),
    Case(
        "V21",
        DENY,
        {"spec.service.name": "shop-canary"},
        'spec.service.name: Invalid value: "shop-canary": -canary is for what is generated; choose another '
        "name",
        {"spec.service.name": "shop"},
    ),
    Case(
        "V22",
        WARN,
        {"spec.targetRef.apiVersion": "extensions/v1beta1"},
        'spec.targetRef.apiVersion: Invalid value: "extensions/v1beta1": a Deployment is read as apps/v1; '
        "write "
        "that",
        {"spec.targetRef.apiVersion": "apps/v1"},
    ),
    Case(
        "V24",
        DENY,
        {"spec.service.apex": {"labels": {"app": "shop"}}},
        "spec.service.apex.labels[app]: Forbidden: is the label that tells the target's pods apart, and is "
        "set "
        "by the controller; remove it",
        {"spec.service.apex": {"labels": {"name": "shop"}}},
        around=[deployment()],
    ),
    Case(
        "V24",
        DENY,
        {"spec.service.primary": {"annotations": {"a b": "c"}}},
        'spec.service.primary.annotations: Invalid value: "a b": must be at most 63 letters, digits, '
        "'-', '_' "
        "or '.', after a prefix and '/' if there is one",
        {"spec.service.primary": {"annotations": {"example.com/a_b": "any text: c"}}},
    ),
    Case(
        "V24",
        DENY,
        {"spec.service.canary": {"labels": {"team": "a b"}}},
        'spec.service.canary.labels[team]: Invalid value: "a b": must be at most 63 letters, digits, '
        "'-', '_' "
        "or '.', a letter or digit at both ends",
        {"spec.service.canary": {"labels": {"team": ""}}},
    ),
    Case(
        "V24",
        DENY,
        {"spec.service.apex": {"labels": {"pinfeather.dev/canary": "shop"}}},
        "spec.service.apex.labels[pinfeather.dev/canary]: Forbidden: is set by the controller; remove it",
        {"spec.service.apex": {"labels": {"example.com/canary": "shop"}}},
    ),
    Case(
        "V25",
        WARN,
        {"spec.skipAnalysis": True},
        "spec.skipAnalysis: Invalid value: true: every revision is promoted as soon as its pods are ready, "
        "without a check; set it for an emergency only",
        {"spec.skipAnalysis": False},
    ),
    Case(
        "V26",
        WARN,
        {f"{A}.stepWieght": 10},
        f"{A}.stepWieght: Invalid value: 10: is no field and will be dropped; did you mean stepWeight?",
        {f"{A}.stepWeight": 10},
    ),
    Case(
        "V26",
        WARN,
        {f"{A}.metrics": [{"name": "request-duration", "zebra": {"a": 1}}]},
        f'{A}.metrics[0].zebra: Invalid value: "object": is no field and will be dropped; remove it',
        {f"{A}.metrics": [{"name": "request-duration", "templateVariables": {"zebra": "a"}}]},
    ),
)
