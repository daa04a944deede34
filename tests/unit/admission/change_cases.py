"""For every U rule about Canaries an update that breaks it and its nearest good neighbour."""

from tests.unit.admission.rule_cases import DENY, WARN, Case

A = "spec.analysis"
RUNNING = {"status": {"phase": "Progressing", "canaryWeight": 30, "failedChecks": 3}}
DONE = {"status": {"phase": "Succeeded", "canaryWeight": 0, "failedChecks": 0}}
HPA = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
WAIT = (
    "cannot be changed while Canary podinfo is Progressing; wait for the end, or take the revision back first"
)
GLASS = (
    "once the primary is there; make a Canary for the other, or set annotation pinfeather.dev/break-glass "
    "to a reason"
)

CASES = (
    Case(
        "U01",
        DENY,
        {"spec.targetRef.name": "shop", "spec.service.name": "podinfo"},
        f'spec.targetRef.name: Forbidden: cannot be changed from "podinfo" to "shop" {GLASS}',
        {"spec.service.name": "podinfo"},
        before={},
    ),
    Case(
        "U01",
        DENY,
        {"spec.service.name": "shop"},
        f'spec.service.name: Forbidden: cannot be changed from "podinfo" to "shop" {GLASS}',
        {"status.phase": "Initializing"},
        before={},
    ),
    Case(
        "U01",
        DENY,
        {"spec.autoscalerRef": None},
        f'spec.autoscalerRef.kind: Forbidden: cannot be changed from "HorizontalPodAutoscaler" to none '
        f"{GLASS}",
        {},
        before={"spec.autoscalerRef": HPA},
    ),
    Case(
        "U02",
        DENY,
        {"spec.service.port": 8080},
        f"spec.service.port: Forbidden: {WAIT}",
        {"spec.service.portName": "web"},
        before=RUNNING,
    ),
    Case(
        "U02",
        DENY,
        {"spec.service.targetPort": 8080},
        f"spec.service.targetPort: Forbidden: {WAIT}",
        {"spec.service.apex": {"labels": {"team": "a"}}},
        before=RUNNING,
    ),
    Case(
        "U03",
        DENY,
        {f"{A}.maxWeight": 20},
        f"{A}.maxWeight: Invalid value: 20: Canary podinfo is at weight 30 and would promote at once; wait "
        "for "
        "the end, or set at least 30",
        {f"{A}.maxWeight": 30},
        before=RUNNING,
    ),
    Case(
        "U03",
        DENY,
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [5, 25]},
        f"{A}.stepWeights: Invalid value: 25: Canary podinfo is at weight 30 and would promote at once; "
        "wait for "
        "the end, or set at least 30",
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [5, 35]},
        before=RUNNING,
    ),
    Case(
        "U03",
        DENY,
        {f"{A}.stepWeight": None, f"{A}.iterations": 5},
        f"{A}: Forbidden: the strategy {WAIT}",
        {f"{A}.stepWeight": 5},
        before=RUNNING,
    ),
    Case(
        "U03",
        WARN,
        {f"{A}.threshold": 2},
        f"{A}.threshold: Invalid value: 2: 3 checks have failed already, so that the next one rolls back",
        {f"{A}.threshold": 4},
        before=RUNNING,
    ),
    Case(
        "U05",
        WARN,
        {"spec.skipAnalysis": True},
        "spec.skipAnalysis: Invalid value: true: Canary podinfo is Progressing and promotes this revision at "
        "once, unless you take this back",
        {"spec.skipAnalysis": False},
        before=RUNNING,
    ),
    Case(
        "U06",
        WARN,
        {"spec.revertOnDeletion": False},
        "spec.revertOnDeletion: Invalid value: false: Canary podinfo is Progressing; deleting it now would "
        "not "
        "put the workload back",
        {f"{A}.threshold": 11},
        before={**RUNNING, "spec.revertOnDeletion": True},
    ),
    Case(
        "U11",
        WARN,
        {"spec.suspend": True},
        "spec.suspend: Invalid value: true: 30% of the traffic stays on the canary, and nobody analyses "
        "it; take "
        "the revision back first",
        {f"{A}.threshold": 11},
        before=RUNNING,
    ),
)
