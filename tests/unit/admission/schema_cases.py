"""What the schema refuses, with the id that it is refused under, and the nearest good neighbour."""

from tests.unit.admission.rule_cases import DENY, Case

A = "spec.analysis"

CASES = (
    Case(
        "V01",
        DENY,
        {f"{A}.stepWeight": 2.5},
        f"{A}.stepWeight: Invalid value: 2.5: must be a whole number",
        {f"{A}.stepWeight": 2},
    ),
    Case("V02", DENY, {A: None}, "spec.analysis: Required value", {}),
    Case("V03", DENY, {"spec.service": None}, "spec.service: Required value", {}),
    Case(
        "V03",
        DENY,
        {"spec.service.port": 65536},
        "spec.service.port: Invalid value: 65536: must be between 1 and 65535",
        {"spec.service.port": 65535},
    ),
    Case(
        "V04",
        DENY,
        {"spec.service.targetPort": "HTTP"},
        'spec.service.targetPort: Invalid value: "HTTP": must be a port between 1 and 65535, or a port '
        "name of "
        "at most 15 lower case letters",
        {"spec.service.targetPort": "http"},
    ),
    Case(
        "V05",
        DENY,
        {"spec.service.portName": "-http"},
        "spec.service.portName: Invalid value: \"-http\": must be lower case letters, digits and '-', and "
        "start "
        "and end with a letter or digit",
        {"spec.service.portName": "http-1"},
    ),
    Case(
        "V06",
        DENY,
        {f"{A}.interval": "10s!"},
        f'{A}.interval: Invalid value: "10s!": must be a duration such as 30s, 1m30s or 500ms',
        {f"{A}.interval": "1m10s"},
    ),
    Case(
        "V07",
        DENY,
        {f"{A}.stepWeights": [10]},
        f'{A}: Invalid value: "object": exactly one of iterations, stepWeight and stepWeights must be set',
        {f"{A}.stepWeights": [10], f"{A}.stepWeight": None},
    ),
    Case(
        "V08",
        DENY,
        {f"{A}.stepWeight": 120},
        f"{A}.stepWeight: Invalid value: 120: must be between 1 and 100",
        {f"{A}.stepWeight": 100},
    ),
    Case(
        "V09",
        DENY,
        {f"{A}.stepWeight": None, f"{A}.stepWeights": []},
        f"{A}.stepWeights: Required value: must not be empty",
        {f"{A}.stepWeight": None, f"{A}.stepWeights": [5]},
    ),
    Case(
        "V10",
        DENY,
        {f"{A}.maxWeight": 101},
        f"{A}.maxWeight: Invalid value: 101: must be between 0 and 100",
        {f"{A}.maxWeight": 100},
    ),
    Case(
        "V13",
        DENY,
        {f"{A}.stepWeightPromotion": -5},
        f"{A}.stepWeightPromotion: Invalid value: -5: must be between 0 and 100",
        {f"{A}.stepWeightPromotion": 5},
    ),
    Case(
        "V14",
        DENY,
        {f"{A}.stepWeight": None, f"{A}.iterations": 0},
        f"{A}.iterations: Invalid value: 0: must be between 1 and 10000",
        {f"{A}.stepWeight": None, f"{A}.iterations": 1},
    ),
    Case(
        "V15",
        DENY,
        {f"{A}.threshold": -1},
        f"{A}.threshold: Invalid value: -1: must be between 0 and 2147483647",
        {f"{A}.threshold": 1},
    ),
    Case(
        "V17",
        DENY,
        {f"{A}.canaryReadyThreshold": 101},
        f"{A}.canaryReadyThreshold: Invalid value: 101: must be between 1 and 100",
        {f"{A}.canaryReadyThreshold": 100},
    ),
    Case(
        "V18",
        DENY,
        {"spec.progressDeadlineSeconds": 0},
        "spec.progressDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647",
        {"spec.progressDeadlineSeconds": 600},
    ),
    Case(
        "V19",
        DENY,
        {f"{A}.mirrorWeight": 101},
        f"{A}.mirrorWeight: Invalid value: 101: must be between 0 and 100",
        {f"{A}.mirrorWeight": 100, f"{A}.mirror": True},
    ),
    Case(
        "V20",
        DENY,
        {"spec.service.name": "a" * 60},
        "spec.service.name: Too long: may not be more than 55 characters",
        {"spec.service.name": "a" * 55},
    ),
    Case(
        "V23",
        DENY,
        {f"{A}.sessionAffinity": {}},
        f"{A}.sessionAffinity.cookieName: Required value",
        {f"{A}.sessionAffinity": {"cookieName": "who"}},
    ),
)
