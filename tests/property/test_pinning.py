"""What the webhooks make of a write to a target, whatever was there and whoever writes whatever."""

import copy
from dataclasses import replace
from datetime import timedelta

import jsonpatch
import orjson
from hypothesis import assume, event, given
from hypothesis import strategies as st

from admission.answer import Answer
from admission.governed import Governed
from admission.pinning import mutate
from admission.protection import protect
from admission.request import User
from shared.hold import Hold, Rollout, hold_of, render
from shared.names import (
    ANNOTATION_PREFIX,
    ASKED_REPLICAS_ANNOTATION,
    BREAK_GLASS_ANNOTATION,
    CANARY_LABEL,
    GIVEN_REPLICAS_ANNOTATION,
    HOLD_ANNOTATION,
    ROLLOUT_ANNOTATION,
)
from shared.revision import template_hash
from shared.types.canary import Phase
from tests.builders import Json
from tests.writes import (
    ALICE,
    FIRST,
    NOW,
    SECOND,
    THIRD,
    annotations,
    edited,
    governed,
    hold,
    request,
    stored,
    target,
    with_image,
)

IMAGES = (FIRST, SECOND, THIRD)
HASHES = st.sampled_from([template_hash(target(image)["spec"]["template"]) for image in IMAGES] + ["x"])
TIMES = st.integers(-3600, 3600).map(lambda seconds: NOW + timedelta(seconds=seconds))
HOLDS = st.builds(Hold, HASHES, HASHES, TIMES, st.booleans()).map(render)
ROLLOUTS = st.builds(
    Rollout, HASHES, st.sampled_from(["alice", "bob"]), TIMES, st.just({"podinfod": ("", "evil:1")})
).map(render)
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(["0", "7", "-1", "9" * 20, "{}", "null", "[1]"]))
MARKS = st.fixed_dictionaries(
    {},
    optional={
        HOLD_ANNOTATION: st.one_of(HOLDS, TEXTS),
        ROLLOUT_ANNOTATION: st.one_of(ROLLOUTS, TEXTS),
        GIVEN_REPLICAS_ANNOTATION: TEXTS,
        ASKED_REPLICAS_ANNOTATION: TEXTS,
        f"{ANNOTATION_PREFIX}somebodys": TEXTS,
        "team~a/b": TEXTS,
    },
)
USERS = st.sampled_from([ALICE, User("bob"), User("system:serviceaccount:flux-system:kustomize-controller")])
CANARIES = st.one_of(
    st.none(),
    st.builds(
        governed,
        st.sampled_from(list(Phase)),
        autoscaler=st.sampled_from(["", "podinfo"]),
        suspended=st.booleans(),
    ),
)
"""Those that admission may know; a target that is labelled is governed although none is known."""


@st.composite
def deployments(draw: st.DrawFn, *, labelled: bool | None = None, held: bool | None = None) -> Json:
    """podinfo in any state, consistent or not."""
    obj = target(draw(st.sampled_from(IMAGES)), replicas=draw(st.integers(0, 3)))
    if not (draw(st.booleans()) if labelled is None else labelled):
        obj["metadata"]["labels"] = draw(st.sampled_from([{}, {"app": "podinfo"}]))
    if not obj["metadata"]["labels"] and draw(st.booleans()):
        del obj["metadata"]["labels"]
    marks = draw(st.one_of(st.none(), MARKS))
    if marks is not None:
        obj["metadata"]["annotations"] = marks
    if held:
        obj["metadata"]["annotations"] = {**(marks or {}), HOLD_ANNOTATION: draw(HOLDS)}
    paused = draw(st.sampled_from([None, True, False]))
    if paused is not None:
        obj["spec"]["paused"] = paused
    obj["status"]["replicas"] = draw(st.integers(0, 2))
    if draw(st.integers(0, 3)) == 0:
        template(obj)["metadata"]["annotations"] = {"note": "n"}
    return obj


GOVERNED = deployments(labelled=True)


def is_live(obj: Json) -> bool:
    return bool(obj["spec"]["replicas"] or obj["status"]["replicas"])


def template(obj: Json) -> Json:
    found: Json = obj["spec"]["template"]
    return found


def not_ours(obj: Json) -> Json:
    """All of it that no webhook of ours has any business with."""
    rest = copy.deepcopy(obj)
    rest["spec"] = {k: v for k, v in rest["spec"].items() if k not in ("paused", "replicas")}
    for field in ("labels", "annotations"):
        pairs = rest["metadata"].pop(field, None) or {}
        rest["metadata"][field] = {k: v for k, v in pairs.items() if not k.startswith(ANNOTATION_PREFIX)}
    return rest


@given(st.one_of(st.none(), deployments()), deployments(), CANARIES, USERS)
def test_a_patch_applies_and_touches_nothing_but_our_marks_paused_and_replicas(
    old: Json | None, new: Json, known: Governed | None, user: User
) -> None:
    asked = request(new, old, user=user)
    before = copy.deepcopy((new, old))
    answer = mutate(asked, known)
    assert (new, old) == before, "what is under review is not changed in place"
    for operation in answer.patch:
        assert operation.path.startswith(
            ("/metadata/labels", "/metadata/annotations", "/spec/paused", "/spec/replicas")
        )
    assert not_ours(stored(new, answer)) == not_ours(new)
    assert len(orjson.dumps(jsonpatch.make_patch(new, stored(new, answer)).patch)) < 3000


@given(st.one_of(st.none(), deployments()), deployments(), CANARIES, USERS, st.integers(0, 90))
def test_to_answer_an_answer_again_changes_nothing(
    old: Json | None, new: Json, known: Governed | None, user: User, seconds: int
) -> None:
    first = stored(new, mutate(request(new, old, user=user), known))
    later = NOW + timedelta(seconds=seconds)
    assert mutate(request(first, old, user=user, at=later), known).patch == ()


def another_webhook(obj: Json, edits: set[str], image: str) -> Json:
    """What other mutating webhooks may do between two calls of ours."""
    new = copy.deepcopy(obj)
    if "image" in edits:
        new = with_image(new, image)
    if "sidecar" in edits:
        template(new)["spec"]["containers"].append({"name": "sidecar", "image": "sidecar:1"})
    if "resumes" in edits:
        new["spec"].pop("paused", None)
    if "replicas" in edits:
        new["spec"]["replicas"] = 9
    if "marks" in edits:
        new["metadata"]["annotations"] = {}
    if "label" in edits:
        new["metadata"].pop("labels", None)
    return new


EDITS = st.sets(st.sampled_from(["image", "sidecar", "resumes", "replicas", "marks", "label"]))


@given(GOVERNED, deployments(), CANARIES, EDITS, st.sampled_from(IMAGES))
def test_what_another_webhook_did_in_between_is_mended_when_asked_again(
    old: Json, new: Json, known: Governed | None, edits: set[str], image: str
) -> None:
    first = stored(new, mutate(request(new, old), known))
    between = another_webhook(first, edits, image)
    last = stored(between, mutate(request(between, old), known))
    assert mutate(request(last, old), known).patch == ()
    assert protect(request(last, old), known).allowed
    at_once = another_webhook(new, edits, image)
    straight = stored(at_once, mutate(request(at_once, old), known))
    assert (hold(last) is None) == (hold(straight) is None)
    if not edits & {"marks", "resumes"}:
        assert bool(last["spec"].get("paused")) == bool(straight["spec"].get("paused"))


@given(GOVERNED, deployments(), CANARIES, EDITS, st.sampled_from(IMAGES))
def test_what_is_stored_without_a_hold_that_is_needed_is_refused(
    old: Json, new: Json, known: Governed | None, edits: set[str], image: str
) -> None:
    """The last word is the validating webhook's: whatever came after the mutating one."""
    final = another_webhook(stored(new, mutate(request(new, old), known)), edits, image)
    answer = protect(request(final, old), known)
    runs = held.runs if (held := hold(old)) is not None else template_hash(template(old))
    waits = is_live(old) and template_hash(template(final)) != runs
    if waits and template_hash(template(final)) != template_hash(template(old)):
        safe = bool(final["spec"].get("paused")) and hold(final) is not None
        event(f"safe: {safe}")
        assert safe or not answer.allowed


@given(GOVERNED, deployments(), CANARIES, USERS)
def test_a_new_template_on_live_pods_or_with_traffic_is_always_paused_and_held(
    old: Json, new: Json, known: Governed | None, user: User
) -> None:
    held = hold(old)
    runs = held.runs if held is not None else template_hash(template(old))
    revision = template_hash(template(new))
    routed = known is not None and known.phase in (
        Phase.PROGRESSING,
        Phase.WAITING_PROMOTION,
        Phase.PROMOTING,
    )
    assume((is_live(old) or routed) and revision not in (runs, template_hash(template(old))))
    kept = stored(new, mutate(request(new, old, user=user), known))
    waits = hold(kept)
    assert kept["spec"]["paused"] is True
    assert waits is not None
    assert (waits.revision, waits.runs) == (revision, runs)
    if held is not None:
        assert waits.since == held.since


@given(deployments(labelled=True, held=True), deployments(), CANARIES, USERS)
def test_only_the_template_that_runs_ends_a_hold(
    old: Json, new: Json, known: Governed | None, user: User
) -> None:
    held = hold(old)
    assert held is not None
    kept = stored(new, mutate(request(new, old, user=user), known))
    changed = template_hash(template(new)) != template_hash(template(old))
    taken_back = changed and template_hash(template(new)) == held.runs
    event(f"taken back: {taken_back}")
    if taken_back:
        assert hold(kept) is None
        assert bool(kept["spec"].get("paused")) in (False, bool(new["spec"].get("paused")))
    else:
        assert hold(kept) is not None and kept["spec"]["paused"] is True


@given(st.one_of(st.none(), deployments()), deployments(), USERS)
def test_glass_that_is_broken_lets_everything_through_as_it_is(
    old: Json | None, new: Json, user: User
) -> None:
    broken = edited(new, lambda obj: obj["metadata"].update(annotations={BREAK_GLASS_ANNOTATION: "x"}))
    answer = mutate(request(broken, old, user=user), governed())
    assert answer.patch == () and len(answer.warnings) == 1
    assert protect(request(broken, old or new, user=user), governed()).allowed


@given(st.one_of(st.none(), deployments()), deployments(), CANARIES, USERS)
def test_the_controllers_own_marks_are_written_by_nobody_else(
    old: Json | None, new: Json, known: Governed | None, user: User
) -> None:
    assume(known is not None or CANARY_LABEL in ((old or new)["metadata"].get("labels") or {}))
    kept = annotations(stored(new, mutate(request(new, old, user=user), known)))
    before = annotations(old) if old is not None else {}
    assert kept.get(GIVEN_REPLICAS_ANNOTATION) == before.get(GIVEN_REPLICAS_ANNOTATION)
    changed = old is None or template_hash(template(old)) != template_hash(template(new))
    if not changed:
        assert kept.get(ROLLOUT_ANNOTATION) == before.get(ROLLOUT_ANNOTATION)
    else:
        told = orjson.loads(kept[ROLLOUT_ANNOTATION])
        assert (told["user"], told["revision"]) == (user.name, template_hash(template(new)))
        assert "evil:1" not in str(told["images"])
    if old is None or (hold(old) is None and not changed):
        assert HOLD_ANNOTATION not in kept


@given(st.one_of(st.none(), deployments()), deployments(), CANARIES)
def test_who_has_a_primary_has_a_size_of_the_rollouts_own(
    old: Json | None, new: Json, known: Governed | None
) -> None:
    kept = stored(new, mutate(request(new, old), known))
    given_ = old["spec"]["replicas"] if old is not None else 0
    if known is None or not known.has_primary:
        assert kept["spec"]["replicas"] == new["spec"]["replicas"]
        return
    assert kept["spec"]["replicas"] == given_
    if new["spec"]["replicas"] not in (given_, 0) and not known.autoscaler:
        assert annotations(kept)[ASKED_REPLICAS_ANNOTATION] == str(new["spec"]["replicas"])


@given(deployments(labelled=False), deployments(labelled=False), USERS, st.booleans())
def test_a_deployment_of_nobody_is_left_alone(
    old: Json,
    new: Json,
    user: User,
    created: bool,  # noqa: FBT001 - drawn
) -> None:
    assert mutate(request(new, None if created else old, user=user), None) == Answer()


@given(GOVERNED, deployments(), CANARIES)
def test_the_target_of_a_canary_that_goes_is_free(old: Json, new: Json, known: Governed | None) -> None:
    going = replace(known or governed(), deleting=True)
    assert mutate(request(new, old), going) == Answer()
    assert protect(request(new, old), going).allowed


@given(st.one_of(HOLDS, ROLLOUTS, TEXTS, st.text()), st.booleans())
def test_any_mark_can_be_read_and_written_again(text: str, reread: bool) -> None:  # noqa: FBT001 - drawn
    found = hold_of({"annotations": {HOLD_ANNOTATION: text}})
    assert found is not None and found.since.tzinfo is not None
    assert NOW - found.since is not None
    if reread:
        assert hold_of({"annotations": {HOLD_ANNOTATION: render(found)}}) == found
