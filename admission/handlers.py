"""Which handler answers which request: one table, and who is let through before it.

    Envelope ──► exempt user? ──► HANDLERS[path, resource, subresource] ──► Answer

`server` calls `answer`. Requests that need no look at their objects are answered without one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from admission import chain
from admission.answer import ALLOWED, Answer, Severity
from admission.caches import Caches, label_of
from admission.governed import Governed
from admission.pinning import mutate, scale
from admission.protection import protect
from admission.request import SCALE, Envelope, Operation, Request
from admission.rules.rule import Options
from admission.shapes import fault
from admission.telemetry import Telemetry
from shared.errors import BadReview, ClusterError
from shared.names import CANARY_LABEL, TRAEFIK_GROUPS
from shared.resources import (
    ALERT_PROVIDERS,
    CANARIES,
    DEPLOYMENTS,
    HPAS,
    METRIC_TEMPLATES,
    SERVICES,
    Resource,
    traefik_services,
)

log = logging.getLogger(__name__)

MUTATE = "/mutate"
VALIDATE = "/validate"
KUBERNETES = ("system:serviceaccount:kube-system:", "system:kube-")
"""Users whose names begin so are the cluster's own controllers. They are never stood in the way of."""
_LABEL = CANARY_LABEL.encode()


@dataclass(frozen=True, slots=True)
class Handler:
    """One kind of request."""

    name: str
    """For metrics and logs."""
    answer: Callable[["Handlers", Envelope, "Moment"], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a request came, and until when its answer is of use."""

    received: datetime
    deadline: float
    """In seconds of the loop's clock."""


class Handlers:
    """What the handlers work with."""

    def __init__(
        self, caches: Caches, gatherer: chain.Gatherer, options: Options, telemetry: Telemetry
    ) -> None:
        self._caches = caches
        self._gatherer = gatherer
        self._options = options
        self._telemetry = telemetry

    def find(self, path: str, envelope: Envelope) -> Handler:
        """Who answers that.

        Raises:
            BadReview: nobody.
        """
        found = HANDLERS.get((path, envelope.resource, envelope.subresource))
        if found is None:
            what = "/".join(filter(None, (envelope.resource.plural, envelope.subresource)))
            raise BadReview(f"{what[:300]} is not reviewed at {path}: see the webhook's rules")
        return found

    async def answer(self, handler: Handler, envelope: Envelope, moment: Moment) -> Answer:
        """The answer to a request.

        Raises:
            BadReview: its objects cannot be read.
            TimeoutError: there was not enough time.
            ClusterError: what the answer rests on could not be read.
        """
        user = envelope.user.name
        if user == self._options.controller or user.startswith(KUBERNETES):
            return ALLOWED
        answer = await handler.answer(self, envelope, moment)
        for violation in answer.violations:
            if violation.severity is Severity.DENY:
                self._telemetry.refused(violation.rule)
        return answer

    async def pin(self, envelope: Envelope, moment: Moment) -> Answer:
        """A Deployment is created or updated."""
        if self._is_nobodys(envelope):
            return ALLOWED
        request = envelope.open(moment.received)
        governed = await self._known(self._concerned(request))
        return _checked(request, lambda: mutate(request, governed))

    async def guard(self, envelope: Envelope, moment: Moment) -> Answer:
        """An object with our label is updated or deleted."""
        request = envelope.open(moment.received)
        label = label_of(request.old) or label_of(request.new)
        asked = self._caches.named(request.namespace, label) if label else _nobody()
        # Of a deletion nothing but its Canary says whether it may be: what cannot be asked is not gone.
        deletes = request.operation is Operation.DELETE
        governed = await (asked if deletes else self._known(asked))
        return _checked(request, lambda: protect(request, governed))

    async def scale(self, envelope: Envelope, moment: Moment) -> Answer:
        """Somebody writes a Deployment's /scale."""
        if not self._caches.concerned(envelope.namespace, envelope.name):
            return ALLOWED
        request = envelope.open(moment.received)
        governed = await self._known(self._caches.owner(request.namespace, request.name, None))
        return _checked(request, lambda: scale(request, governed))

    async def review(self, envelope: Envelope, moment: Moment) -> Answer:
        """One of our own objects is written."""
        request = envelope.open(moment.received)
        try:
            async with asyncio.timeout_at(moment.deadline):
                answer = await chain.review(request, self._gatherer, self._options)
        except (TimeoutError, ClusterError):
            raise
        except Exception as error:
            _refuse_misshapen(request, error)
            raise
        is_new = request.resource is CANARIES and request.operation is not Operation.DELETE
        if is_new and answer.allowed and not request.dry_run and not request.subresource:
            self._caches.remember(request.new or {})
        return answer

    async def _concerned(self, request: Request) -> Governed | None:
        """The Canary whose target that is, or else the one that its label names, whose it may not be."""
        label = label_of(request.old) or label_of(request.new)
        found = await self._caches.owner(request.namespace, request.name, label)
        if found is None and label:
            found = await self._caches.named(request.namespace, label)
        return found

    def _is_nobodys(self, envelope: Envelope) -> bool:
        """Whether no Canary is concerned, as far as can be told without a look at the objects."""
        return _LABEL not in envelope.body and not self._caches.concerned(envelope.namespace, envelope.name)

    async def _known(self, asked: Awaitable[Governed | None]) -> Governed | None:
        """The Canary. Where the API server cannot be asked, what the objects say of themselves has to do."""
        try:
            return await asked
        except ClusterError as error:
            log.warning("answering without the API server", extra={"error": str(error)})
            return None


async def _nobody() -> None:
    """No Canary."""


def _checked(request: Request, decide: Callable[[], Answer]) -> Answer:
    try:
        return decide()
    except Exception as error:
        _refuse_misshapen(request, error)
        raise


def _refuse_misshapen(request: Request, error: Exception) -> None:
    """What made a handler fail may be objects that nobody can read; if not, it is a bug of ours."""
    wrong = fault(request)
    if wrong is not None:
        raise BadReview(wrong) from error


def _table() -> Iterator[tuple[tuple[str, Resource, str], Handler]]:
    yield (MUTATE, DEPLOYMENTS, ""), Handler("target", Handlers.pin)
    yield (VALIDATE, DEPLOYMENTS, SCALE), Handler("scale", Handlers.scale)
    for resource in (DEPLOYMENTS, SERVICES, HPAS, *map(traefik_services, TRAEFIK_GROUPS)):
        yield (VALIDATE, resource, ""), Handler(resource.plural, Handlers.guard)
    for resource in (CANARIES, METRIC_TEMPLATES, ALERT_PROVIDERS):
        yield (VALIDATE, resource, ""), Handler(resource.plural, Handlers.review)
    yield (VALIDATE, CANARIES, "status"), Handler("canaries/status", Handlers.review)


HANDLERS: Mapping[tuple[str, Resource, str], Handler] = dict(_table())
