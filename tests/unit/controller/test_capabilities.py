"""What admission lets through, the controller can run: the shared table has what its own tables have."""

from controller.metrics import PROVIDERS as METRICS
from controller.metrics.queries import BUILTIN
from controller.routers import ROUTERS
from controller.workloads import WORKLOADS
from shared.capabilities import BUILTIN_METRICS, METRIC_PROVIDERS, PROVIDERS, TARGET_KINDS


def test_the_table_of_capabilities_has_what_the_controller_has() -> None:
    assert METRICS.keys() == METRIC_PROVIDERS
    assert ROUTERS.keys() == PROVIDERS == BUILTIN.keys()
    assert WORKLOADS.keys() == TARGET_KINDS
    assert {metric for queries in BUILTIN.values() for metric in queries} == BUILTIN_METRICS
