"""Every error that crosses a module's edge; each edge translates what its libraries raise (`raise ... from`).

    AppError
      InvalidSpec               the user must change the object; no retry until its generation changes
      Blocked                   a rollout cannot go on as the cluster is; looked at again when that changes
      ConfigError               this process was started wrongly (settings, kubeconfig)
      ClusterError              talking to the API server
        NotFound  Conflict  AlreadyExists  Forbidden  Invalid  Gone
        Throttled               carries retry_after
        ClusterUnavailable      no answer, or none to be trusted
      MetricsError              reading a measurement
        NoData  ManySeries  MetricsUnavailable
      RoutingError              a router's object cannot be used, for example its weights cannot be read
      UnusableCertificate       what is to be served cannot be; what was served before still is
      BadReview                 an admission request that cannot be read; answered with HTTP 400

Expected answers (refused, not ready, check failed) are values, not errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ProblemReason(StrEnum):
    """What is wrong with a field, as in `details.causes[].reason` of a Kubernetes Status."""

    INVALID = "FieldValueInvalid"
    REQUIRED = "FieldValueRequired"
    UNSUPPORTED = "FieldValueNotSupported"
    TOO_LONG = "FieldValueTooLong"
    TOO_MANY = "FieldValueTooMany"
    WRONG_TYPE = "FieldValueTypeInvalid"
    FORBIDDEN = "FieldValueForbidden"
    NOT_FOUND = "FieldValueNotFound"
    DUPLICATE = "FieldValueDuplicate"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an object; its text has the form that Kubernetes uses."""

    field: str
    """Path from the object's root: `spec.analysis.webhooks[0].url`. Empty for the object itself."""
    reason: ProblemReason
    message: str
    """`Invalid value: 120: must be between 1 and 100`, without the field."""

    def __str__(self) -> str:
        return f"{self.field or '<object>'}: {self.message}"


class AppError(Exception):
    """Any error of ours."""


class InvalidSpec(AppError):
    """An object says something that cannot be done. The message lists every problem."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class Blocked(AppError):
    """A rollout has to wait for something that only a change of the cluster brings."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """CamelCase, for the condition."""
        self.message = message


class ConfigError(AppError):
    """The process cannot run as it was started; the message says what to set."""


class ClusterError(AppError):
    """The API server refused, or was not reached."""


class NotFound(ClusterError):
    """404: there is no such object, or no such resource."""


class Conflict(ClusterError):
    """409: the object changed since it was read, or another field manager owns the field."""


class AlreadyExists(ClusterError):
    """409 on create: the name is taken."""


class Forbidden(ClusterError):
    """401 or 403: the credentials do not allow it."""


class Invalid(ClusterError):
    """422 and its like: the request itself will never be accepted."""


class Gone(ClusterError):
    """410: the resource version is too old, list again."""


class Throttled(ClusterError):
    """429: asked to slow down."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the server asked to wait."""


class ClusterUnavailable(ClusterError):
    """5xx, no connection, or no answer in time."""


class MetricsError(AppError):
    """A measurement could not be taken."""


class NoData(MetricsError):
    """The query has no value (nothing, or NaN)."""


class ManySeries(MetricsError):
    """The query has several series, and none is the right one."""


class MetricsUnavailable(MetricsError):
    """The metrics server was not reached, or did not answer the query."""


class RoutingError(AppError):
    """An object of the router is not as the product can use it."""


class UnusableCertificate(AppError):
    """A certificate and key that no server can use, or none at all."""


class BadReview(AppError):
    """What was sent to a webhook is no admission request that can be answered."""
