"""MetricTemplate: a query that Canaries share, and the server that answers it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.names import GROUP, VERSION
from shared.types.meta import Json, ObjectMeta, SecretRef, Wire
from shared.types.problems import parse
from shared.types.scalars import Address, Flag, Name, Query, Text


class MetricProviderType(StrEnum):
    """Whose query language it is."""

    PROMETHEUS = "prometheus"
    INFLUXDB = "influxdb"
    DATADOG = "datadog"
    EXTERNAL_METRICS = "externalmetrics"
    STACKDRIVER = "stackdriver"
    CLOUDWATCH = "cloudwatch"
    NEW_RELIC = "newrelic"
    GRAPHITE = "graphite"
    DYNATRACE = "dynatrace"
    KEPTN = "keptn"
    SPLUNK = "splunk"


Headers = Annotated[dict[Name, Annotated[tuple[Text, ...], Field(max_length=16)]], Field(max_length=32)]


class MetricProvider(Wire):
    """The server that answers the query."""

    type: MetricProviderType
    """Kind of server."""
    address: Address | None = None
    """URL of the server."""
    headers: Headers = Field(default_factory=dict)
    """Headers to send with each query."""
    secret_ref: SecretRef | None = None
    """Credentials, in the template's namespace."""
    region: Name | None = None
    """Region of the server. CloudWatch only."""
    insecure_skip_verify: Flag = False
    """Do not verify the server's certificate."""


class MetricTemplateSpec(Wire):
    """A query and who answers it."""

    provider: MetricProvider
    """The server that answers the query."""
    query: Query
    """The query. In double braces, name, namespace, target, service, ingress, route, interval and
    variables.KEY stand for those of the Canary."""


class MetricTemplate(Wire):
    """A query for the analysis of Canaries."""

    api_version: str = f"{GROUP}/{VERSION}"
    kind: str = "MetricTemplate"
    metadata: ObjectMeta
    spec: MetricTemplateSpec
    """A query and who answers it."""


def parse_metric_template(obj: Json) -> MetricTemplate:
    """The MetricTemplate that a JSON object is.

    Raises:
        InvalidSpec: with every problem.
    """
    return parse(MetricTemplate, obj)
