"""What a person, a pipeline or GitOps does to a target becomes a safe rollout."""

from datetime import UTC, timedelta

import pytest

from admission.pinning import mutate, scale
from admission.request import User
from controller.projections import workload
from shared.hold import Rollout, render, rollout_of
from shared.names import (
    ASKED_REPLICAS_ANNOTATION,
    BREAK_GLASS_ANNOTATION,
    CANARY_LABEL,
    GIVEN_REPLICAS_ANNOTATION,
    HOLD_ANNOTATION,
    ROLLOUT_ANNOTATION,
)
from shared.resources import Resource
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

SCALES = Resource("apps", "v1", "deployments", "Scale")


def after(new: Json, old: Json | None, canary: object = ..., *, user: User = ALICE) -> Json:
    """What is stored of a write."""
    known = governed() if canary is ... else canary
    return stored(new, mutate(request(new, old, user=user), known))  # type: ignore[arg-type] # a Governed or None


def revision(obj: Json) -> str:
    return template_hash(obj["spec"]["template"])


def set_image(old: Json, image: str) -> Json:
    """What is stored after `kubectl set image`."""
    return after(with_image(old, image), old)


class TestTemplates:
    def test_a_new_template_on_live_pods_waits(self) -> None:
        kept = set_image(target(), SECOND)
        assert kept["spec"]["paused"] is True
        waits = hold(kept)
        assert waits is not None
        assert (waits.revision, waits.runs) == (revision(kept), revision(target()))
        assert (waits.since, waits.paused) == (NOW, False)

    @pytest.mark.parametrize("phase", list(Phase))
    def test_it_waits_in_every_phase(self, phase: Phase) -> None:
        new = with_image(target(), SECOND)
        assert after(new, target(), governed(phase))["spec"]["paused"] is True

    def test_pods_that_are_still_going_count_as_live(self) -> None:
        old = target(replicas=0)
        old["status"]["replicas"] = 1
        assert hold(set_image(old, SECOND)) is not None

    def test_at_rest_without_pods_there_is_nothing_to_hold(self) -> None:
        old = target(replicas=0)
        kept = after(with_image(old, SECOND), old, governed(Phase.SUCCEEDED))
        assert hold(kept) is None and "paused" not in kept["spec"]

    @pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING])
    def test_a_canary_that_was_scaled_to_zero_may_still_have_traffic_when_it_comes_back(
        self, phase: Phase
    ) -> None:
        old = target(replicas=0)
        assert hold(after(with_image(old, SECOND), old, governed(phase))) is not None

    def test_a_labelled_target_is_held_although_its_canary_is_not_known(self) -> None:
        assert hold(after(with_image(target(), SECOND), target(), None)) is not None

    def test_a_deployment_of_nobody_is_left_alone(self) -> None:
        old = edited(target(), lambda obj: obj["metadata"].pop("labels"))
        answer = mutate(request(with_image(old, SECOND), old), None)
        assert answer.patch == () and answer.warnings == ()

    def test_a_target_without_the_label_yet_gets_it_and_is_held(self) -> None:
        old = edited(target(), lambda obj: obj["metadata"]["labels"].pop(CANARY_LABEL))
        kept = set_image(old, SECOND)
        assert kept["metadata"]["labels"] == {"app": "podinfo", CANARY_LABEL: "podinfo"}
        assert hold(kept) is not None

    def test_the_target_of_a_canary_that_is_being_deleted_is_free(self) -> None:
        new = with_image(target(), SECOND)
        assert after(new, target(), governed(deleting=True)) == new

    def test_the_primary_is_not_a_target(self) -> None:
        owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}
        old = edited(target(), lambda obj: obj["metadata"].update(ownerReferences=[owner]))
        assert mutate(request(with_image(old, SECOND), old), None).patch == ()

    def test_to_claim_that_a_canary_made_it_does_not_let_a_template_through(self) -> None:
        owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}
        new = edited(
            with_image(target(), SECOND), lambda obj: obj["metadata"].update(ownerReferences=[owner])
        )
        for known in (governed(), None):
            assert hold(after(new, target(), known)) is not None
        new.pop("status")
        assert after(new, None)["spec"]["replicas"] == 0

    def test_a_copied_label_makes_no_target(self) -> None:
        old = edited(target(), lambda obj: obj["metadata"].update(name="worker"))
        for new in (with_image(old, SECOND), edited(old, lambda obj: obj["metadata"].pop("labels"))):
            assert after(new, old, governed()) == new

    def test_the_person_is_told(self) -> None:
        new = with_image(target(), SECOND)
        (told,) = mutate(request(new, target()), governed()).warnings
        assert told == (
            "Canary test/podinfo holds the new template of podinfo: its pods go on as they are until all "
            "traffic is on podinfo-primary, then it is analysed"
        )
        (told,) = mutate(request(new, target()), governed(suspended=True)).warnings
        assert told.endswith("; the Canary is suspended: resume it first")
        old = target(replicas=0)
        (told,) = mutate(request(with_image(old, SECOND), old), governed(Phase.SUCCEEDED)).warnings
        assert told == "Canary test/podinfo analyses the new template of podinfo before it serves users"


class TestHolds:
    HELD = set_image(target(), SECOND)

    def test_a_newer_template_takes_the_place_of_the_one_that_waits(self) -> None:
        later = request(with_image(self.HELD, THIRD), self.HELD, at=NOW + timedelta(minutes=5))
        kept = stored(later.new or {}, mutate(later, governed()))
        waits, before = hold(kept), hold(self.HELD)
        assert waits is not None and before is not None
        assert waits.revision == revision(kept) != before.revision
        assert (waits.runs, waits.since) == (before.runs, before.since)

    def test_taking_the_template_back_ends_the_hold(self) -> None:
        kept = set_image(self.HELD, FIRST)
        assert hold(kept) is None and "paused" not in kept["spec"]

    def test_resuming_does_not_end_it(self) -> None:
        new = edited(self.HELD, lambda obj: obj["spec"].pop("paused"))
        answer = mutate(request(new, self.HELD), governed())
        assert stored(new, answer) == self.HELD
        assert len(answer.warnings) == 1

    def test_a_replace_that_knows_nothing_of_it_does_not_end_it(self) -> None:
        def plain(obj: Json) -> None:
            obj["metadata"].pop("annotations")
            obj["metadata"].pop("labels")
            obj["spec"].pop("paused")

        kept = after(edited(self.HELD, plain), self.HELD)
        assert annotations(kept) == annotations(self.HELD)
        assert kept["metadata"]["labels"][CANARY_LABEL] == "podinfo" and kept["spec"]["paused"] is True

    def test_a_pause_of_somebody_else_outlives_it(self) -> None:
        held = set_image(target(paused=True), SECOND)
        waits = hold(held)
        assert waits is not None and waits.paused
        assert set_image(held, FIRST)["spec"]["paused"] is True
        resumed = after(edited(held, lambda obj: obj["spec"].pop("paused")), held)
        waits = hold(resumed)
        assert waits is not None and not waits.paused and resumed["spec"]["paused"] is True

    @pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"revision": 1}', "\x00"])
    def test_an_annotation_that_cannot_be_read_still_holds(self, text: str) -> None:
        old = edited(self.HELD, lambda obj: obj["metadata"]["annotations"].update({HOLD_ANNOTATION: text}))
        assert after(with_image(old, FIRST), old)["spec"]["paused"] is True

    def test_nobody_can_forge_what_the_pods_run(self) -> None:
        forged = '{"revision": "x", "runs": "y", "since": "2020-01-01T00:00:00Z"}'

        def forge(obj: Json) -> None:
            obj["metadata"]["annotations"] = {HOLD_ANNOTATION: forged, GIVEN_REPLICAS_ANNOTATION: "9"}

        kept = after(edited(with_image(target(), SECOND), forge), target())
        waits = hold(kept)
        assert waits is not None and waits.runs == revision(target())
        assert GIVEN_REPLICAS_ANNOTATION not in annotations(kept)
        assert HOLD_ANNOTATION not in annotations(after(edited(target(), forge), target()))

    def test_a_template_that_another_webhook_takes_back_is_not_left_paused(self) -> None:
        old = target()
        first = after(with_image(old, SECOND), old)
        assert first["spec"]["paused"]
        again = after(with_image(first, FIRST), old)
        assert hold(again) is None and "paused" not in again["spec"]

    def test_a_time_that_cannot_be_compared_makes_the_annotation_unreadable(self) -> None:
        for since in ("2020-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "yesterday"):
            text = f'{{"revision": "a", "runs": "b", "since": "{since}"}}'
            waits = hold({"metadata": {"annotations": {HOLD_ANNOTATION: text}}})
            assert waits is not None and (waits.revision, waits.since.tzinfo) == ("", UTC)


class TestWhoDidIt:
    def test_nobody_can_forge_which_images_they_were(self) -> None:
        new = with_image(target(), SECOND)
        said = render(Rollout(revision(new), "alice", NOW, {}))
        forged = edited(new, lambda obj: obj["metadata"].update(annotations={ROLLOUT_ANNOTATION: said}))
        told = rollout_of(after(forged, target())["metadata"])
        assert told is not None and told.images == {"podinfod": (FIRST, SECOND)}

    def test_user_time_and_images_stand_in_an_annotation(self) -> None:
        for old in (target(), target(replicas=0)):
            kept = set_image(old, SECOND)
            assert rollout_of(kept["metadata"]) == Rollout(
                revision(kept), "alice", NOW, {"podinfod": (FIRST, SECOND)}
            )

    def test_another_write_does_not_change_it(self) -> None:
        kept = set_image(target(replicas=0), SECOND)
        again = after(
            edited(kept, lambda obj: obj["metadata"]["labels"].update(team="a")), kept, user=User("bob")
        )
        assert annotations(again)[ROLLOUT_ANNOTATION] == annotations(kept)[ROLLOUT_ANNOTATION]

    def test_containers_come_and_go(self) -> None:
        def swap(obj: Json) -> None:
            obj["spec"]["template"]["spec"]["initContainers"] = [{"name": "init", "image": "busybox:1"}]
            obj["spec"]["template"]["spec"]["containers"] = [{"name": "app", "image": "app:2"}]

        told = rollout_of(after(edited(target(), swap), target())["metadata"])
        assert told is not None
        assert told.images == {"init": ("", "busybox:1"), "app": ("", "app:2"), "podinfod": (FIRST, "")}


class TestReplicas:
    def test_the_size_goes_to_the_primary(self) -> None:
        old = target(replicas=0)
        new = edited(old, lambda obj: obj["spec"].update(replicas=5))
        answer = mutate(request(new, old), governed(Phase.SUCCEEDED))
        kept = stored(new, answer)
        assert kept["spec"]["replicas"] == 0
        assert annotations(kept)[ASKED_REPLICAS_ANNOTATION] == "5"
        assert answer.warnings == (
            "Canary test/podinfo: replicas 5 goes to podinfo-primary; the rollout decides those of podinfo",
        )

    def test_with_an_autoscaler_it_goes_nowhere(self) -> None:
        old = target(replicas=0)
        new = edited(old, lambda obj: obj["spec"].update(replicas=5))
        answer = mutate(request(new, old), governed(autoscaler="podinfo"))
        kept = stored(new, answer)
        assert kept["spec"]["replicas"] == 0 and ASKED_REPLICAS_ANNOTATION not in annotations(kept)
        assert answer.warnings == ("Canary test/podinfo ignores replicas 5: autoscaler podinfo decides",)

    def test_zero_goes_nowhere_and_takes_nothing_down(self) -> None:
        new = edited(target(), lambda obj: obj["spec"].update(replicas=0))
        answer = mutate(request(new, target()), governed())
        kept = stored(new, answer)
        assert kept["spec"]["replicas"] == 2 and ASKED_REPLICAS_ANNOTATION not in annotations(kept)
        assert answer.warnings == (
            "Canary test/podinfo ignores replicas 0: whoever wants to take the application down scales "
            "podinfo-primary",
        )

    def test_before_there_is_a_primary_the_target_is_the_application(self) -> None:
        new = edited(target(), lambda obj: obj["spec"].update(replicas=5))
        assert after(new, target(), governed(Phase.INITIALIZING)) == new

    def test_one_apply_may_bring_a_template_and_a_size(self) -> None:
        new = edited(with_image(target(), SECOND), lambda obj: obj["spec"].update(replicas=5))
        kept = after(new, target())
        assert hold(kept) is not None
        assert (kept["spec"]["replicas"], annotations(kept)[ASKED_REPLICAS_ANNOTATION]) == (2, "5")

    def test_a_target_that_is_created_again_starts_without_pods(self) -> None:
        new = edited(target(replicas=3), lambda obj: obj.pop("status"))
        kept = after(new, None, governed(Phase.SUCCEEDED))
        assert (kept["spec"]["replicas"], annotations(kept)[ASKED_REPLICAS_ANNOTATION]) == (0, "3")
        assert after(new, None, governed(Phase.NONE))["spec"]["replicas"] == 3

    @pytest.mark.parametrize("text", ["", "many", "-1", "2147483648", "9" * 5000])
    def test_a_wish_that_is_no_number_of_replicas_is_none(self, text: str) -> None:
        old = edited(
            target(), lambda obj: obj["metadata"].update(annotations={ASKED_REPLICAS_ANNOTATION: "3"})
        )
        new = edited(
            old, lambda obj: obj["metadata"]["annotations"].update({ASKED_REPLICAS_ANNOTATION: text})
        )
        assert after(new, old) == old
        assert workload(new).asked is None

    def test_scale_is_let_through_with_a_word(self) -> None:
        def scaling(canary: object, number: int = 5) -> tuple[str, ...]:
            old = {"metadata": {"name": "podinfo", "namespace": "test"}, "spec": {"replicas": 2}}
            new = {**old, "spec": {"replicas": number}}
            answer = scale(request(new, old, resource=SCALES), canary)  # type: ignore[arg-type] # a Governed or None
            assert answer.allowed and answer.patch == ()
            return answer.warnings

        told = (
            "Canary test/podinfo: replicas 5 goes to podinfo-primary{}; the rollout decides those of podinfo"
        )
        assert scaling(governed()) == (told.format(""),)
        assert scaling(governed(suspended=True)) == (told.format(" when the Canary is resumed"),)
        assert scaling(governed(autoscaler="hpa")) == (
            "Canary test/podinfo ignores replicas 5: autoscaler hpa decides",
        )
        assert scaling(governed(), 2) == scaling(governed(Phase.INITIALIZING)) == scaling(None) == ()


def test_in_an_emergency_nothing_is_held() -> None:
    def break_glass(obj: Json) -> None:
        obj["metadata"]["annotations"] = {BREAK_GLASS_ANNOTATION: "incident 42"}

    new = edited(with_image(target(), SECOND), break_glass)
    answer = mutate(request(new, target()), governed())
    assert answer.patch == ()
    assert answer.warnings == (
        "annotation pinfeather.dev/break-glass of test/podinfo takes all protection off: "
        "new templates may serve users at once; remove it when you are done",
    )
