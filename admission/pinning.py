"""What becomes of a write to a Canary's target: held while its pods are live, its size handed to the primary.

`handlers` calls it for the mutating webhooks. Pure: everything rests on the request's own two objects and on
the Canary, as far as it is known. What is said here to the controller stands in annotations (`shared.hold`).

    template, live pods     ─► paused, with a hold that names what waits and what runs
    template, no pods       ─► let through: no pod of it serves before its analysis
    replicas                ─► asked for the primary; the target keeps what the rollout gave it
    our labels, annotations ─► put back

Answering our own answer again changes nothing: the API server asks twice when another webhook came between.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from admission.answer import ALLOWED, Answer, PatchOp
from admission.governed import Governed
from admission.marks import glass_broken, glass_warning, is_generated, label_in
from admission.request import Operation, Request
from shared.hold import Hold, Rollout, hold_of, render, replicas_in, rollout_of
from shared.names import (
    ASKED_REPLICAS_ANNOTATION,
    CANARY_LABEL,
    GIVEN_REPLICAS_ANNOTATION,
    HOLD_ANNOTATION,
    ROLLOUT_ANNOTATION,
    primary_name,
)
from shared.revision import template_hash
from shared.types.canary import Phase
from shared.types.meta import Json


def mutate(request: Request, governed: Governed | None) -> Answer:
    """The answer to a create or update of a Deployment.

    `governed` is the Canary whose target has the request's name, or else the one that its label names. Where
    none is known, a target that is labelled as governed is held all the same: the cache may be behind.
    """
    new, old = request.new, request.old
    if new is None or _is_free(request, governed):
        return ALLOWED
    canary = governed.name if governed is not None else label_in(old or new)
    if canary is None:
        return ALLOWED
    if glass_broken(request):
        return Answer(warnings=(glass_warning(request),))
    pin = _Pin(request, new, old, canary, governed)
    return Answer(warnings=tuple(pin.warnings()), patch=tuple(pin.patch()))


def _is_free(request: Request, governed: Governed | None) -> bool:
    """Whether it is known to be no target. A label may be copied, and an owner claimed, with the write itself
    or at the creation.
    """
    if governed is not None:
        return governed.deleting or governed.target != request.name
    return is_generated(request.old or request.new or {})


class _Pin:
    """One write to one target, taken apart once."""

    def __init__(
        self, request: Request, new: Json, old: Json | None, canary: str, governed: Governed | None
    ) -> None:
        self.request, self.old = request, old or {}
        self.canary, self.governed = canary, governed
        self.spec, self.old_spec = new.get("spec") or {}, self.old.get("spec") or {}
        template, before = self.spec.get("template") or {}, self.old_spec.get("template") or {}
        self.revision = template_hash(template) if old is None or template != before else ""
        self.runs = template_hash(before) if self.revision else ""
        self.changed = self.revision != self.runs
        self.replicas = _replicas(self.spec)
        self.given = _replicas(self.old_spec) if old is not None else 0
        self.metadata, self.old_metadata = new.get("metadata") or {}, self.old.get("metadata") or {}
        self.old_hold, self.said = hold_of(self.old_metadata), hold_of(self.metadata)
        self.hold = self._hold()

    def patch(self) -> Iterator[PatchOp]:
        """What turns the object into the one that is stored."""
        yield from _merged(self.metadata, "labels", {CANARY_LABEL: self.canary})
        yield from _merged(self.metadata, "annotations", self._annotations())
        paused = bool(self.spec.get("paused"))
        if self.hold is not None and not paused:
            yield PatchOp("add", "/spec/paused", value=True)
        if self.hold is None and paused and not self._wants_pause():
            yield PatchOp("remove", "/spec/paused")
        if self._redirected():
            yield PatchOp("add", "/spec/replicas", value=self.given)

    def warnings(self) -> Iterator[str]:
        """What happened to the write, for the person who made it."""
        where = f"Canary {self.request.namespace}/{self.canary}"
        primary, name = primary_name(self.request.name), self.request.name
        if self.hold is not None and (self.changed or not self.spec.get("paused")):
            yield (
                f"{where} holds the new template of {name}: its pods go on as they are until all traffic is "
                f"on {primary}, then it is analysed{self._until_resumed()}"
            )
        elif self.changed and self.governed is not None and self.governed.has_primary and self.old:
            yield f"{where} analyses the new template of {name} before it serves users{self._until_resumed()}"
        if self.governed is not None and self._redirected():
            yield _size(self.governed, self.replicas)

    def _hold(self) -> Hold | None:
        """The hold after this write.

        Of our own earlier answer to the same request, which can only be told by what it says, the parts are
        kept that this one would make anew.
        """
        before = self.old_hold
        if before is not None:
            revision = self.revision if self.changed else before.revision
            if self.changed and revision == before.runs:
                return None
            return replace(before, revision=revision, paused=self._wants_pause())
        if not self.changed or not self._live():
            return None
        hold = Hold(
            revision=self.revision,
            runs=self.runs,
            since=self.request.received.replace(microsecond=0),
            paused=self._wants_pause(),
        )
        said = self.said
        same = said is not None and (said.revision, said.runs) == (hold.revision, hold.runs)
        return replace(hold, since=said.since) if said is not None and same else hold

    def _live(self) -> bool:
        """Whether pods of the target may be there, or traffic for those that come next: one that somebody
        scaled to zero has its share in the route until the controller takes it away. Never at its creation.
        """
        status, phase = self.old.get("status") or {}, self.governed.phase if self.governed else Phase.NONE
        routed = phase in (Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING)
        return bool(self.old) and (_replicas(self.old_spec) > 0 or status.get("replicas", 0) > 0 or routed)

    def _wants_pause(self) -> bool:
        """Whether somebody besides us wants the Deployment paused."""
        if self.said is not None and self.said != self.old_hold:
            return self.said.paused
        return bool(self.spec.get("paused")) and (self.old_hold is None or self.old_hold.paused)

    def _redirected(self) -> bool:
        ours = self.governed is not None and self.governed.has_primary
        return ours and self.replicas != self.given

    def _until_resumed(self) -> str:
        suspended = self.governed is not None and self.governed.suspended
        return "; the Canary is suspended: resume it first" if suspended else ""

    def _annotations(self) -> dict[str, str | None]:
        """Our annotations as they have to be; None for those that have to be absent."""
        before, said = (side.get("annotations") or {} for side in (self.old_metadata, self.metadata))
        asked = said.get(ASKED_REPLICAS_ANNOTATION, "")
        return {
            HOLD_ANNOTATION: render(self.hold) if self.hold is not None else None,
            ROLLOUT_ANNOTATION: self._rollout() if self.changed else before.get(ROLLOUT_ANNOTATION),
            GIVEN_REPLICAS_ANNOTATION: before.get(GIVEN_REPLICAS_ANNOTATION),
            ASKED_REPLICAS_ANNOTATION: self._asked()
            or (asked if replicas_in(asked) is not None else before.get(ASKED_REPLICAS_ANNOTATION)),
        }

    def _asked(self) -> str | None:
        autoscaled = self.governed is not None and self.governed.autoscaler
        return str(self.replicas) if self._redirected() and self.replicas and not autoscaled else None

    def _rollout(self) -> str:
        """Who did it. Of an earlier answer to this request only the time is kept."""
        user, at = self.request.user.name, self.request.received.replace(microsecond=0)
        said = rollout_of(self.metadata)
        if said is not None and (said.revision, said.user) == (self.revision, user):
            at = said.at
        return render(Rollout(self.revision, user, at, _images_changed(self.old_spec, self.spec)))


def scale(request: Request, governed: Governed | None) -> Answer:
    """The answer to a write of a target's `/scale`: let through, for the controller to pass on."""
    if governed is None or not governed.has_primary or request.new is None or governed.deleting:
        return ALLOWED
    number = _replicas(request.new.get("spec") or {})
    if request.operation is Operation.UPDATE and number == _replicas((request.old or {}).get("spec") or {}):
        return ALLOWED
    return Answer(warnings=(_size(governed, number),))


def _size(governed: Governed, number: int) -> str:
    """What becomes of a number of replicas that somebody set on the target."""
    where, primary = f"Canary {governed.namespace}/{governed.name}", primary_name(governed.target)
    if governed.autoscaler:
        return f"{where} ignores replicas {number}: autoscaler {governed.autoscaler} decides"
    if number == 0:
        return f"{where} ignores replicas 0: whoever wants to take the application down scales {primary}"
    when = " when the Canary is resumed" if governed.suspended else ""
    return (
        f"{where}: replicas {number} goes to {primary}{when}; the rollout decides those of {governed.target}"
    )


def _replicas(spec: Json) -> int:
    number = spec.get("replicas")
    return 1 if number is None else int(number)


def _merged(metadata: Json, field: str, wanted: dict[str, Any]) -> Iterator[PatchOp]:
    """Set the wanted keys of a map that may be missing; None removes."""
    there = metadata.get(field) or {}
    set_ = {key: value for key, value in wanted.items() if value is not None and there.get(key) != value}
    if set_ and not there:
        yield PatchOp("add", f"/metadata/{field}", value=set_)
        return
    for key, value in set_.items():
        yield PatchOp("add", f"/metadata/{field}/{escaped(key)}", value=value)
    for key, value in wanted.items():
        if value is None and key in there:
            yield PatchOp("remove", f"/metadata/{field}/{escaped(key)}")


def escaped(key: str) -> str:
    """A key as a part of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _images_changed(old: Json, new: Json) -> dict[str, tuple[str, str]]:
    before, after = dict(_images(old)), dict(_images(new))
    names = [*after, *(name for name in before if name not in after)]
    pairs = {name: (before.get(name, ""), after.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _images(spec: Json) -> Iterable[tuple[str, str]]:
    pods = (spec.get("template") or {}).get("spec") or {}
    for field in ("initContainers", "containers"):
        for container in pods.get(field) or ():
            yield container.get("name", ""), container.get("image", "")
