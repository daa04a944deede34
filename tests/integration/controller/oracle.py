"""The oracle: reads what was written, in the API server's order, and says what must never have been.

    feed.changes ─► replayed by resourceVersion ─► one view of each Canary after every write ─► violations

I1  weights sum to 100 and are one of the plan's steps
I2  no traffic to a canary without ready pods, nor to a primary without any while its canary is being
    analysed and has some
I3  the primary's template changes only by promotion of the template that was analysed, step by step
I4  a template is taken up only from the target, and taken as promoted only after its promotion
I5  traffic to the canary means that a running analysis is about the template that its pods run
I6  the status never claims less canary traffic than is routed
I7  nothing is written but what is the Canary's own

What the controller itself writes has to be right at once. What others bring about, it has to mend within
`grace`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from controller.workloads.deployment import REVISION_ANNOTATION
from shared.duration import parse
from shared.names import ANNOTATION_PREFIX, CANARY_LABEL
from shared.resources import CANARIES, DEPLOYMENTS, EVENTS, SERVICES
from shared.revision import template_hash
from shared.types.meta import Json
from tests.integration.controller.feed import Change, Feed, Ref
from tests.integration.controller.tap import Record, Sent
from tests.integration.controller.view import View

ROUTED = ("Progressing", "WaitingPromotion", "Promoting")
ANALYSED = ("Progressing", "WaitingPromotion")


def _shares_wrong(view: View) -> str | None:
    """I1, as far as a write alone can be judged."""
    if view.route is None:
        return None
    shares, canary = view.shares, view.on_canary
    known = {f"{view.apex}-primary", f"{view.apex}-canary"}
    if not shares.keys() <= known or not all(shares.values()) or sum(s or 0 for s in shares.values()) != 100:
        return f"I1: Traefik was given {shares}"
    if canary not in view.plans | {100}:
        return f"I1: {canary} is no weight of the plan {sorted(view.plans)}"
    return None


def _everything(view: View) -> str | None:
    """I1: the canary has everything although the plan does not say so and the primary is there."""
    if view.on_canary == 100 and 100 not in view.plans and view.ready(f"{view.apex}-primary"):
        return "I1: 100% for the canary, and the primary is ready"
    return None


def _into_the_void(view: View) -> str | None:
    """I2."""
    if view.on_canary and not view.ready(f"{view.apex}-canary"):
        return f"I2: {view.on_canary}% for a canary without ready endpoints"
    to_primary = 100 - view.on_canary if view.route else 0
    canary_serves = view.weight > 0 and view.ready(f"{view.apex}-canary") and view.analysed
    if to_primary and canary_serves and not view.ready(f"{view.apex}-primary"):
        return f"I2: {to_primary}% for a primary without ready endpoints while the canary has some"
    return None


def _unanalysed(view: View) -> str | None:
    """I5."""
    if view.on_canary and (view.phase not in ROUTED or not view.analysed):
        return f"I5: {view.on_canary}% for the canary in phase {view.phase}, analysed: {view.analysed}"
    return None


def _missing(view: View) -> str | None:
    """I6: nothing is routed at all, although the primary serves."""
    if view.route is None and view.phase not in ("", "Initializing"):
        return f"I6: there is no route in phase {view.phase}"
    return None


def _understated(view: View) -> str | None:
    """I6."""
    if view.on_canary > view.weight and view.ready(f"{view.apex}-primary"):
        return f"I6: {view.on_canary}% routed, the status says {view.weight}%"
    return None


MENDED: tuple[Callable[[View], str | None], ...] = (
    _shares_wrong,
    _everything,
    _into_the_void,
    _unanalysed,
    _understated,
    _missing,
)


@dataclass
class Oracle:
    """Judges a namespace. `grace` is in seconds."""

    feed: Feed
    record: Record
    grace: float = 1.0
    violations: list[str] = field(default_factory=list)
    excused: set[Ref] = field(default_factory=set)
    """Objects that the test itself puts into a wrong state for longer than the grace."""
    _state: dict[Ref, Json] = field(default_factory=dict)
    _templates: dict[str, Json] = field(default_factory=dict)
    _wrong: dict[tuple[str, int], tuple[float, str]] = field(default_factory=dict)
    _weighs: dict[str, tuple[float, int]] = field(default_factory=dict)
    _taken: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lost: dict[str, float] = field(default_factory=dict)
    """When a Deployment last was deleted, or said that it had exceeded its progress deadline."""
    _plans: dict[str, frozenset[int]] = field(default_factory=dict)
    _replayed: int = 0

    def check(self, now: float) -> None:
        """Judge everything since the last call. Raises AssertionError with all that is wrong."""
        fresh = sorted(self.feed.changes[self._replayed :], key=lambda change: change.version)
        self._replayed = len(self.feed.changes)
        ours = {sent.version: sent for sent in self.record.writes}
        for change in fresh:
            self._apply(change, ours.get(change.version))
        for since, problem in self._wrong.values():
            if now - since > self.grace:
                self.violations.append(f"{since:9.3f} and ever since: {problem}")
        assert not self.violations, "\n".join(self.violations)

    def excuse(self, now: float) -> None:
        """Take everything in, and count what is wrong from now on only."""
        grace, self.grace = self.grace, float("inf")
        try:
            self.check(now)
        finally:
            self.grace = grace
        self._wrong = {key: (now, problem) for key, (_, problem) in self._wrong.items()}

    def _apply(self, change: Change, sent: Sent | None) -> None:
        before = self._state.get(change.ref)
        if sent is not None:
            self.violations += [f"{change}: {problem}" for problem in foreign(sent, self._state)]
        if change.obj is None:
            self._state.pop(change.ref, None)
            self._lost[change.ref[1]] = change.at
        else:
            self._state[change.ref] = change.obj
        if change.ref[0] == DEPLOYMENTS.plural and change.obj is not None:
            template = change.obj["spec"]["template"]
            self._templates[template_hash(template)] = template
            if _gave_up(change.obj):
                self._lost[change.ref[1]] = change.at
        for view in self._views():
            self._mended(view, change)
            if sent is not None:
                for problem in self._written(view, change, before):
                    self.violations.append(f"{change}: {problem}")
            self._paced(view, change)

    def _views(self) -> Iterator[View]:
        for (plural, name), obj in self._state.items():
            if plural == CANARIES.plural and (plural, name) not in self.excused:
                self._plans[name] = View(obj, self._state, self._plans.get(name, frozenset())).planned
                yield View(obj, self._state, self._plans[name])

    def _mended(self, view: View, change: Change) -> None:
        """What may be wrong for a moment, and how long it was."""
        for number, rule in enumerate(MENDED):
            key = (view.canary["metadata"]["name"], number)
            problem = rule(view)
            since, _ = self._wrong.setdefault(key, (change.at, problem or ""))
            if problem is None:
                del self._wrong[key]
                if change.at - since > self.grace:
                    self.violations.append(f"{change}: wrong for {change.at - since:.2f}s: {rule.__doc__}")
            else:
                self._wrong[key] = (since, problem)

    def _paced(self, view: View, change: Change) -> None:
        """Each step has an interval to itself. Not judged below a second: there watches are too coarse."""
        name, interval = view.canary["metadata"]["name"], view.canary["spec"]["analysis"]["interval"]
        since, weight = self._weighs.get(name, (change.at, 0))
        if view.weight == weight:
            return
        self._weighs[name] = (change.at, view.weight)
        least = parse(interval).total_seconds()
        if least >= 1 and view.weight > weight > 0 and change.at - since < least:
            self.violations.append(f"{change}: weight {weight} for {change.at - since:.2f}s only")

    def _written(self, view: View, change: Change, before: Json | None) -> Iterator[str]:
        """What is wrong with a write of the controller."""
        name = view.canary["metadata"]["name"]
        if change.ref == ("traefikservices", view.apex) and (problem := _shares_wrong(view)):
            yield problem
        if change.ref == (CANARIES.plural, name) and before is not None:
            yield from _status_steps(View(before, self._state), view)
            yield from self._given_up(View(before, self._state), view, change)
        if change.ref == (DEPLOYMENTS.plural, f"{view.target_name}-primary") and view.primary is not None:
            if before is None:
                return
            if before["spec"]["template"] != view.primary["spec"]["template"]:
                yield from self._promoted(view, view.primary)

    def _given_up(self, old: View, new: View, change: Change) -> Iterator[str]:
        """I4: what fails has failed for a reason of its own."""
        name, revision = new.target_name, str(new.status.get("lastAppliedSpec"))
        taken, since = self._taken.get(name, ("", change.at))
        if taken != revision:
            self._taken[name] = (revision, change.at)
        if new.phase != "Failed" or old.phase not in ANALYSED:
            return
        spec = new.canary["spec"]
        judged = old.status["failedChecks"] + 1 >= max(1, spec["analysis"].get("threshold", 1))
        waited = change.at - since + self.grace >= spec.get("progressDeadlineSeconds", 600)
        lost = self._lost.get(name, -1.0) + self.grace >= since
        lost = lost or (new.target is not None and _gave_up(new.target))
        if not judged and not waited and not lost:
            yield f"I4: {revision} was given up after {change.at - since:.2f}s without a reason of its own"

    def _promoted(self, view: View, primary: Json) -> Iterator[str]:
        """I3."""
        revision = primary["metadata"]["annotations"][REVISION_ANNOTATION]
        unborn = view.phase == "Initializing" and view.route is None
        if not unborn and (view.phase != "Promoting" or revision != view.status["lastAppliedSpec"]):
            yield f"I3: the primary was given {revision} in phase {view.phase}: {view.status}"
        copied = self._templates.get(revision)
        if copied is None or copied["spec"] != primary["spec"]["template"]["spec"]:
            yield f"I3: the primary's pods are not those of {revision}"


def _gave_up(deployment: Json) -> bool:
    status = deployment.get("status") or {}
    if status.get("observedGeneration") != deployment["metadata"]["generation"]:
        return False
    return any(each.get("reason") == "ProgressDeadlineExceeded" for each in status.get("conditions", ()))


def _status_steps(old: View, new: View) -> Iterator[str]:  # noqa: C901 - one rule of the status after the other
    """I3 and I4: the status moves along the plan, and names no revision that it has not handled."""
    was, now = old.status, new.status
    if new.weight > old.weight:
        following = next((step for step in new.steps if step > old.weight), None)
        if new.weight != following or old.phase not in ANALYSED:
            yield f"I3: weight {old.weight} -> {new.weight} in phase {old.phase}"
    if new.phase == "Promoting" != old.phase and not new.canary["spec"].get("skipAnalysis"):
        if old.phase not in ANALYSED or old.weight < new.steps[-1]:
            yield f"I3: promoting from phase {old.phase} at weight {old.weight}"
    if old.phase in ("", "Initializing"):
        return
    if now.get("lastAppliedSpec") != was.get("lastAppliedSpec"):
        if new.phase not in ("Progressing", "Succeeded") or (
            new.phase == "Succeeded" and now["lastAppliedSpec"] != was["lastPromotedSpec"]
        ):
            yield f"I4: took up {now['lastAppliedSpec']} in phase {new.phase}"
        if new.weight:
            yield f"I3: {now['lastAppliedSpec']} begins at weight {new.weight}"
    if now.get("lastPromotedSpec") != was.get("lastPromotedSpec"):
        if (old.phase, new.phase) != ("Finalising", "Succeeded"):
            yield f"I4: took {now['lastPromotedSpec']} as promoted in phase {new.phase}"


def _marks_and_size(patch: Json) -> bool:
    """Whether a patch of a target touches only what is ours there, its size, and whether it is paused."""
    metadata = patch.get("metadata", {})
    marks = [*metadata.get("labels", {}), *metadata.get("annotations", {})]
    return (
        patch.keys() <= {"metadata", "spec"}
        and patch.get("spec", {}).keys() <= {"replicas", "paused"}
        and metadata.keys() <= {"labels", "annotations", "resourceVersion"}
        and all(mark.startswith(ANNOTATION_PREFIX) for mark in marks)
    )


def foreign(sent: Sent, state: dict[Ref, Json]) -> Iterator[str]:
    """I7: what is wrong with a write by where it goes."""
    place = sent.place
    if place.plural == EVENTS.plural or (place.plural, place.subresource) == (CANARIES.plural, "status"):
        return
    canaries = {
        obj["metadata"]["uid"]: View(obj, state)
        for (kind, _), obj in state.items()
        if kind == CANARIES.plural
    }
    if sent.method == "POST":
        owners = {owner["uid"] for owner in sent.body["metadata"].get("ownerReferences", ())}
        if not owners & canaries.keys():
            yield f"I7: {sent}: created for nobody"
        return
    found = state.get((place.plural, place.name))
    owners = {owner["uid"] for owner in (found or {"metadata": {}})["metadata"].get("ownerReferences", ())}
    if found is None or owners & canaries.keys():
        return
    if place.plural == DEPLOYMENTS.plural and _marks_and_size(sent.body):
        targets = {view.target_name for view in canaries.values()}
        if place.name in targets or CANARY_LABEL in (found["metadata"].get("labels") or {}):
            return
    for view in canaries.values():
        if (place.plural, place.name) == (SERVICES.plural, view.apex):
            if sent.body.get("spec", {}).keys() <= {"selector", "ports"}:
                return
    yield f"I7: {sent}: {sent.body}"
