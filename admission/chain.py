"""A request about a Canary, MetricTemplate or AlertProvider: read it, gather what is around, ask all rules.

    Request ──► metadata only? ──► check.read ──► gatherer ──► check.check ──► Answer

`handlers` calls it. The thinking is `check`'s, which is pure; here is what has to wait.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from admission import check
from admission.answer import ALLOWED, Answer
from admission.lookup import Lookup
from admission.request import Operation, Request
from admission.rules.rule import Change, Options
from shared.resources import Resource
from shared.types.meta import Json


class Gatherer(Protocol):
    """Fetches what rules may ask for."""

    async def gather(self, request: Request, change: Change[Any]) -> Lookup:
        """The objects around the one under review; the sides of `change` that cannot be read are None."""


async def review(request: Request, gatherer: Gatherer, options: Options | None = None) -> Answer:
    """The answer: every violation at once. What leaves the spec as it is is not refused.

    Raises:
        ClusterError: what the rules need could not be gathered.
    """
    kind = check.kind_of(request.resource)
    if kind is None or _is_leaving(request):
        return ALLOWED
    change: Change[Any] = Change(
        operation=request.operation,
        new=None,
        old=None,
        raw_new=request.new,
        raw_old=request.old,
        user=request.user,
        options=options or Options(),
    )
    if request.subresource:
        return Answer(check.check_status(check.Reading(kind, change), NOTHING))
    changed = _changed_fields(request)
    if not changed:
        return ALLOWED
    reading = check.read(kind, change)
    if changed == {"suspend"}:
        return Answer(check.effects(reading, NOTHING))
    return Answer(check.check(reading, await gatherer.gather(request, reading.change)))


class Nothing:
    """A Lookup of nothing, for rules that look at nothing else than the change."""

    complete = False

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """None."""

    def list(self, resource: Resource, namespace: str) -> Sequence[Json]:
        """Empty."""
        return ()

    def allowed(self, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        """True."""
        return True


NOTHING = Nothing()


def _is_leaving(request: Request) -> bool:
    """Whether the object is being deleted, so that nothing acts on its spec any more."""
    if request.operation is not Operation.UPDATE or request.new is None:
        return False
    return bool((request.new.get("metadata") or {}).get("deletionTimestamp"))


def _changed_fields(request: Request) -> set[str]:
    """The fields of the spec that an update changes; of other operations all there are, and one at least."""
    if request.operation is not Operation.UPDATE:
        return {"*"}
    new, old = (side.get("spec") if side else None for side in (request.new, request.old))
    if new == old:
        return set()
    if not isinstance(new, dict) or not isinstance(old, dict):
        return {"*"}
    return {field for field in {**new, **old} if new.get(field) != old.get(field)}
