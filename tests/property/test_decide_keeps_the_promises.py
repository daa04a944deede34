"""The promises, one step at a time, over arbitrary observations, whether they can be reached or not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.decide import decide
from controller.decision import Create, Decision, Patch, RunChecks, Scale
from controller.observation import Check, CheckKind, Elapsed, Endpoints, Failure, Observation, Result, Round
from controller.phases.initialization import unborn
from controller.rounds_plan import round_id
from shared.hold import Hold
from shared.names import HOLD_ANNOTATION
from shared.types.canary import Phase
from tests.builders import NEW, NEWER, NOW, OLD, Json, canary, observation, primary, route, target

HASHES = st.sampled_from([OLD, NEW, NEWER])
METRIC = {"metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]}
ANALYSES: list[Json] = [
    {},
    METRIC,
    {"stepWeightPromotion": 20},
    {"stepWeight": None, "stepWeights": [5, 30]},
]
PHASES = st.sampled_from([phase for phase in Phase if phase not in (Phase.TERMINATING, Phase.TERMINATED)])
ROUTED = (Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING)
HOLDS = st.builds(Hold, HASHES, HASHES, st.sampled_from([NOW, NOW - timedelta(hours=1)]), st.booleans())
SECONDS = st.sampled_from([0.0, 1.0, 3.0, 10.0, 61.0, 3600.0])


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Any combination of what can be seen of a Canary, consistent or not."""
    phase = draw(PHASES)
    weight = draw(st.sampled_from([0, 10, 20, 50])) if phase in ROUTED else 0
    status: dict[str, Any] = {
        "canaryWeight": weight,
        "failedChecks": draw(st.integers(0, 4)),
        "lastAppliedSpec": draw(HASHES),
        "lastPromotedSpec": draw(HASHES),
    }
    of = canary(
        phase,
        analysis=draw(st.sampled_from(ANALYSES)),
        status=status,
        suspend=draw(st.booleans()),
        skipAnalysis=draw(st.booleans()),
    )
    live = target(
        draw(HASHES),
        replicas=draw(st.integers(0, 3)),
        ready=draw(st.booleans()),
        hold=draw(st.one_of(st.none(), HOLDS)),
        given=draw(st.sampled_from([None, 0, 2])),
        asked=draw(st.sampled_from([None, 0, 5])),
    )
    main = primary(draw(HASHES), replicas=draw(st.integers(0, 3)), ready=draw(st.booleans()))
    seen = observation(
        of,
        target=draw(st.sampled_from([live, live, live, None])),
        primary=draw(st.sampled_from([main, main, main, None])),
        route=draw(st.one_of(st.none(), st.sampled_from([0, 10, 50, 100]).map(lambda w: route(w, of)))),
        endpoints=draw(st.builds(Endpoints, st.integers(0, 2), st.integers(0, 2))),
        elapsed=Elapsed(draw(SECONDS), draw(st.booleans()), draw(SECONDS), draw(SECONDS), draw(SECONDS)),
    )
    return replace(seen, round=draw(st.one_of(st.none(), rounds(seen))))


def rounds(seen: Observation) -> st.SearchStrategy[Round]:
    """A round for what is seen now, or for another weight; good, bad or unfinished."""
    check = Check(CheckKind.METRIC, 0, "request-success-rate")
    results = st.sampled_from(
        [Result(check, value=100.0), Result(check, value=1.0), Result(check, failure=Failure.NO_DATA)]
    )
    if not seen.canary.spec.analysis.metrics:
        return st.just(Round(round_id(seen), done=True))
    return st.builds(
        lambda result, done, drift: Round(
            replace(round_id(seen), weight=seen.canary.status.canary_weight + drift), done, (result,)
        ),
        results,
        st.booleans(),
        st.sampled_from([0, 5]),
    )


def routed(seen: Observation, decision: Decision) -> dict[str, int]:
    """What Traefik has after the decision: weights by Service; empty while there is no route."""
    for action in decision.actions:
        if isinstance(action, Create | Patch) and action.resource.plural == "traefikservices":
            body = action.manifest if isinstance(action, Create) else action.body
            if "spec" in body:
                return {s["name"]: s["weight"] for s in body["spec"]["weighted"]["services"]}
    if seen.route is None:
        return {}
    return {s["name"]: s["weight"] for s in seen.route.json()["spec"]["weighted"]["services"]}


@given(observations())
@settings(max_examples=400, deadline=None)
def test_what_is_routed_is_safe_whatever_is_seen(seen: Observation) -> None:
    decision = decide(seen)
    weights = routed(seen, decision)
    if not weights:
        return
    on_canary = weights.get("podinfo-canary", 0)
    assert sum(weights.values()) == 100
    assert 0 not in weights.values()
    if decision.status.phase in (Phase.NONE, Phase.INITIALIZING) and seen.route is not None:
        return  # nothing is routed before the primary is up; a route that is there already is not touched
    if seen.endpoints.canary == 0:
        assert on_canary == 0, "traffic to a canary without ready endpoints"
    if on_canary not in (0, 100):
        assert on_canary == decision.status.canary_weight
    if on_canary == 0 and decision.status.canary_weight:
        assert (
            seen.endpoints.canary == 0
            or seen.target is None
            or seen.target.runs != decision.status.last_applied_spec
        )
    if on_canary == 100 and decision.status.canary_weight != 100:
        assert seen.endpoints.primary == 0, "everything on the canary although the primary is there"
    if on_canary:
        assert decision.status.phase in ROUTED
    if on_canary:
        assert seen.target is not None
        assert seen.target.runs == decision.status.last_applied_spec, "traffic to what is not analysed"


@given(observations())
@settings(max_examples=400, deadline=None)
def test_the_primary_is_written_only_by_promotion_of_the_analysed_template(seen: Observation) -> None:
    decision = decide(seen)
    for action in decision.actions:
        if (
            isinstance(action, Patch)
            and action.name == "podinfo-primary"
            and action.resource.plural == "deployments"
            and "template" in action.body.get("spec", {})
        ):
            if seen.canary.status.phase is Phase.INITIALIZING:
                assert unborn(seen)
                continue
            assert seen.canary.status.phase is Phase.PROMOTING
            assert seen.target is not None
            assert seen.target.template_hash == seen.canary.status.last_applied_spec
        if isinstance(action, Create) and action.resource.plural == "deployments":
            assert seen.canary.status.phase is Phase.INITIALIZING


@given(observations())
@settings(max_examples=400, deadline=None)
def test_the_target_gives_up_pods_only_when_they_carry_nothing_and_the_primary_serves(
    seen: Observation,
) -> None:
    decision = decide(seen)
    for action in decision.actions:
        if isinstance(action, Scale) and action.replicas == 0:
            assert seen.endpoints.primary > 0
            assert decision.status.canary_weight == 0
            assert seen.elapsed.route >= seen.options.drain


@given(observations())
@settings(max_examples=400, deadline=None)
def test_a_held_template_is_let_go_only_when_its_pods_carry_nothing(seen: Observation) -> None:
    decision, target = decide(seen), seen.target
    for action in decision.actions:
        if isinstance(action, Patch) and HOLD_ANNOTATION in (
            action.body.get("metadata", {}).get("annotations") or {}
        ):
            assert target is not None and target.hold is not None
            assert action.body["metadata"]["resourceVersion"] == target.resource_version
            assert decision.status.canary_weight == 0 and routed(seen, decision).get("podinfo-canary", 0) == 0
            if target.replicas:
                assert seen.elapsed.route >= seen.options.drain or unborn(seen)


@given(observations())
@settings(max_examples=400, deadline=None)
def test_no_revision_is_lost(seen: Observation) -> None:
    """A template is taken as handled only when its analysis starts, or when it is the promoted one."""
    decision, before = decide(seen), seen.canary.status
    after = decision.status
    if after.last_applied_spec != before.last_applied_spec and before.phase is not Phase.INITIALIZING:
        assert seen.target is not None
        assert after.last_applied_spec == seen.target.template_hash
        assert after.phase is Phase.PROGRESSING or after.last_applied_spec == before.last_promoted_spec
    if after.last_promoted_spec != before.last_promoted_spec and before.phase is not Phase.INITIALIZING:
        assert (before.phase, after.phase) == (Phase.FINALISING, Phase.SUCCEEDED)
        assert after.last_promoted_spec == before.last_applied_spec


@given(observations())
@settings(max_examples=400, deadline=None)
def test_weights_rise_only_after_a_round_that_passed_and_only_by_a_step(seen: Observation) -> None:
    decision, before = decide(seen), seen.canary.status
    if decision.status.canary_weight > before.canary_weight:
        assert decision.status.canary_weight in seen.canary.spec.analysis.steps
        assert before.phase in (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
        assert decision.judged
        if before.canary_weight and seen.canary.spec.analysis.metrics:
            assert seen.round is not None and seen.round.done
            assert seen.round.id == round_id(seen)
            assert [result.value for result in seen.round.results] == [100.0]


@given(observations())
@settings(max_examples=400, deadline=None)
def test_deciding_twice_is_deciding_once(seen: Observation) -> None:
    assert decide(seen) == decide(seen)


@given(observations())
@settings(max_examples=400, deadline=None)
def test_a_decision_is_never_a_busy_wait(seen: Observation) -> None:
    """Whatever does nothing now either waits for an event or for a time that is still to come."""
    decision = decide(seen)
    idle = not decision.actions and decision.status == seen.canary.status
    if idle and decision.requeue_after is not None:
        assert decision.requeue_after > 0
    if any(isinstance(action, RunChecks) for action in decision.actions):
        assert not decision.judged
