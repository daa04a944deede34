"""Every way to change a Deployment with kubectl, for somebody with `edit` rights: what is stored, what is
said, how the command ends. As a table: each way on a target with users, and on one at rest.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.apiserver import ApiServer, Config
from shared.hold import hold_of, rollout_of
from shared.names import (
    ASKED_REPLICAS_ANNOTATION,
    BREAK_GLASS_ANNOTATION,
    CANARY_LABEL,
    GIVEN_REPLICAS_ANNOTATION,
    HOLD_ANNOTATION,
    ROLLOUT_ANNOTATION,
)
from shared.resources import DEPLOYMENTS
from shared.revision import template_hash
from tests.integration.controller.conftest import installed
from tests.integration.controller.gate import Gate, gate
from tests.integration.controller.objects import FIRST, SECOND, THIRD, image
from tests.integration.controller.ways import (
    ANALYSES,
    HOLDS,
    MADE_AGAIN,
    RESIZED,
    ROLLOUTS,
    SERVER_SIDE,
    Case,
    Way,
    marked,
    marks,
    set_image,
)
from tests.integration.kubectl.command import BINARY
from tests.integration.real_api_server import RealApiServer

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not BINARY.exists(), reason="kubectl is not installed beside this Python"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sandbox", "real"])
async def here(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gate]:
    folder, server = tmp_path_factory.mktemp("gate"), None
    if request.param == "real":
        real: RealApiServer = request.getfixturevalue("real_api_server")
        kubeconfig = real.kubeconfig
    else:
        server = ApiServer(Config(state=folder / "apiserver"))
        await server.start()
        kubeconfig = folder / "apiserver/kubeconfig"
    await installed(kubeconfig)
    async with gate(kubeconfig, folder) as opened:
        yield opened
    if server is not None:
        await server.stop()


@pytest.mark.parametrize("way", ROLLOUTS, ids=lambda way: way.__name__)
async def test_a_new_template_is_held_while_there_are_pods_with_users(here: Gate, way: Way) -> None:
    case = Case(await here.target(live=True))
    before = await case.target.stored()
    said = await way(case)
    stored = await marked(case.target)
    assert said.count("Warning:") == 1
    assert f"Canary {here.namespace}/{case.target.name} {HOLDS} of {case.target.name}" in said
    waits, told = hold_of(stored["metadata"]), rollout_of(stored["metadata"])
    assert stored["spec"]["paused"] is True and stored["spec"]["replicas"] == 2
    assert waits is not None
    assert waits.runs == template_hash(before["spec"]["template"])
    assert waits.revision == template_hash(stored["spec"]["template"]) != waits.runs
    assert told is not None and (told.user, told.revision) == (here.user, waits.revision)


@pytest.mark.parametrize("way", ROLLOUTS, ids=lambda way: way.__name__)
async def test_a_new_template_without_pods_goes_straight_to_its_analysis(here: Gate, way: Way) -> None:
    case = Case(await here.target(live=False))
    said = await way(case)
    stored = await marked(case.target)
    assert said.count("Warning:") == 1 and ANALYSES in said
    assert hold_of(stored["metadata"]) is None
    assert "paused" not in stored["spec"] and stored["spec"]["replicas"] == 0
    told = rollout_of(stored["metadata"])
    assert told is not None and told.user == here.user


@pytest.mark.parametrize("live", [True, False], ids=["live", "at rest"])
@pytest.mark.parametrize("way", RESIZED, ids=lambda way: way.__name__)
async def test_a_size_goes_to_the_primary(here: Gate, way: Way, live: bool) -> None:  # noqa: FBT001 - a parameter
    case = Case(await here.target(live=live))
    said = await way(case)
    stored = await marked(case.target)
    assert f"replicas 5 goes to {case.target.name}-primary" in said
    assert stored["spec"]["replicas"] == (2 if live else 0)
    assert marks(stored)[ASKED_REPLICAS_ANNOTATION] == "5"
    assert hold_of(stored["metadata"]) is None and "paused" not in stored["spec"]


@pytest.mark.parametrize("way", MADE_AGAIN, ids=lambda way: way.__name__)
async def test_a_target_that_is_made_again_starts_without_pods(here: Gate, way: Way) -> None:
    case = Case(await here.target(live=True))
    said = await way(case)
    stored = await case.target.stored()
    assert f"replicas 5 goes to {case.target.name}-primary" in said
    assert stored["metadata"]["labels"] == {"team": "a", CANARY_LABEL: case.target.name}
    assert stored["spec"]["replicas"] == 0 and marks(stored)[ASKED_REPLICAS_ANNOTATION] == "5"
    assert hold_of(stored["metadata"]) is None


async def test_server_side_apply_without_force_says_whose_field_it_is(here: Gate) -> None:
    case = Case(await here.target(live=True))
    before = await case.target.stored()
    ran = await case.run(*SERVER_SIDE, stdin=case.manifest(replicas=5))
    assert ran.code == 1
    assert 'conflict with "pinfeather" using apps/v1: .spec.replicas' in ran.err
    assert (await case.target.stored())["spec"] == before["spec"]


async def test_scale_is_let_through_for_the_controller_to_hand_on(here: Gate) -> None:
    case = Case(await here.target(live=True))
    said = await case.does("scale", "deploy/APP", "--replicas=5")
    assert f"replicas 5 goes to {case.target.name}-primary" in said
    stored = await marked(case.target)
    assert stored["spec"]["replicas"] == 5 and marks(stored)[GIVEN_REPLICAS_ANNOTATION] == "2"


@pytest.mark.parametrize(
    "command",
    [
        ("autoscale", "deploy/APP", "--min=2", "--max=5"),
        ("label", "deploy/APP", "tier=web"),
        ("annotate", "deploy/APP", "reviewed=yes"),
        ("label", "deploy/APP", f"{CANARY_LABEL}-"),
        ("label", "deploy/APP", f"{CANARY_LABEL}=other", "--overwrite"),
        ("annotate", "deploy/APP", f"{GIVEN_REPLICAS_ANNOTATION}=9", "--overwrite"),
        ("annotate", "deploy/APP", f"{GIVEN_REPLICAS_ANNOTATION}-"),
        ("annotate", "deploy/APP", f"{HOLD_ANNOTATION}=x"),
        ("annotate", "deploy/APP", f"{ROLLOUT_ANNOTATION}=x"),
        ("rollout", "status", "deploy/APP", "--watch=false"),
    ],
    ids=lambda command: " ".join(command).replace("pinfeather.dev/", ""),
)
async def test_what_changes_neither_template_nor_size_changes_nothing_of_ours(
    here: Gate, command: tuple[str, ...]
) -> None:
    case = Case(await here.target(live=True))
    before = await case.target.stored()
    assert "Canary" not in await case.does(*command)
    stored = await case.target.stored()
    assert stored["spec"] == before["spec"]
    for mark in (HOLD_ANNOTATION, ROLLOUT_ANNOTATION, GIVEN_REPLICAS_ANNOTATION):
        assert marks(stored).get(mark) == marks(before).get(mark)
    assert stored["metadata"]["labels"][CANARY_LABEL] == case.target.name


class TestWhatIsHeld:
    """After `kubectl set image` on a target with users."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def held(self, here: Gate) -> Case:
        case = Case(await here.target(live=True))
        await set_image(case)
        return case

    async def test_resuming_is_told_why_not(self, held: Case) -> None:
        before = await held.target.stored()
        assert HOLDS in await held.does("rollout", "resume", "deploy/APP")
        assert (await held.target.stored())["spec"] == before["spec"]

    @pytest.mark.parametrize("what", ["restart", "undo", "pause"])
    async def test_kubectl_itself_says_that_it_is_paused(self, held: Case, what: str) -> None:
        before = await held.target.stored()
        ran = await held.run("rollout", what, "deploy/APP")
        assert ran.code == 1 and "paused" in ran.err
        assert (await held.target.stored())["spec"] == before["spec"]

    @pytest.mark.parametrize(
        "command",
        [
            ("annotate", "deploy/APP", f"{HOLD_ANNOTATION}-"),
            ("annotate", "deploy/APP", f"{HOLD_ANNOTATION}={{}}", "--overwrite"),
            ("label", "deploy/APP", f"{CANARY_LABEL}-"),
            ("patch", "deploy/APP", "--type=merge", "-p", '{"metadata":{"annotations":null,"labels":null}}'),
            ("patch", "deploy/APP", "--type=json", "-p", '[{"op":"remove","path":"/spec/paused"}]'),
        ],
        ids=["annotation off", "annotation changed", "label off", "all off", "pause off"],
    )
    async def test_no_mark_can_be_taken_off(self, held: Case, command: tuple[str, ...]) -> None:
        before = await held.target.stored()
        await held.does(*command)
        stored = await held.target.stored()
        assert stored["spec"] == before["spec"]
        assert marks(stored)[HOLD_ANNOTATION] == marks(before)[HOLD_ANNOTATION]
        assert stored["metadata"]["labels"][CANARY_LABEL] == held.target.name

    async def test_a_newer_one_takes_its_place(self, held: Case) -> None:
        before = hold_of((await held.target.stored())["metadata"])
        assert HOLDS in await held.does("set", "image", "deploy/APP", f"podinfod={image(THIRD)}")
        stored = await marked(held.target)
        after = hold_of(stored["metadata"])
        assert before is not None and after is not None
        assert (after.runs, after.since) == (before.runs, before.since)
        assert after.revision == template_hash(stored["spec"]["template"]) != before.revision

    async def test_taking_it_back_ends_the_hold(self, held: Case) -> None:
        await held.does("set", "image", "deploy/APP", f"podinfod={image(FIRST)}")
        stored = await marked(held.target)
        assert hold_of(stored["metadata"]) is None and "paused" not in stored["spec"]

    async def test_break_glass_is_the_way_out(self, held: Case) -> None:
        said = await held.does("annotate", "deploy/APP", f"{BREAK_GLASS_ANNOTATION}=incident")
        assert "takes all protection off" in said
        assert "takes all protection off" in await held.does("rollout", "resume", "deploy/APP")
        assert "paused" not in (await held.target.stored())["spec"]


async def test_a_pause_of_the_persons_own_outlives_a_hold(here: Gate) -> None:
    case = Case(await here.target(live=True))
    assert await case.does("rollout", "pause", "deploy/APP") == ""
    assert HOLDS in await set_image(case)
    stored = await marked(case.target)
    waits = hold_of(stored["metadata"])
    assert waits is not None and waits.paused
    await case.does("set", "image", "deploy/APP", f"podinfod={image(FIRST)}")
    stored = await marked(case.target)
    assert hold_of(stored["metadata"]) is None and stored["spec"]["paused"] is True


async def test_a_copy_of_a_target_label_and_all_is_no_target(here: Gate) -> None:
    case = Case(await here.target(live=True))
    await set_image(case)
    copied = await case.target.stored()
    name = f"{case.target.name}-copy"
    kept = {key: copied["metadata"][key] for key in ("labels", "annotations", "namespace")}
    manifest = {**copied, "metadata": {**kept, "name": name}, "status": {}}
    assert await case.does("create", "-f", "-", stdin=manifest) == ""
    assert await case.does("set", "image", f"deploy/{name}", f"podinfod={image(THIRD)}") == ""
    assert await case.does("label", f"deploy/{name}", f"{CANARY_LABEL}-") == ""
    assert await case.does("delete", f"deploy/{name}") == ""


KUBERNETES = (
    "system:serviceaccount:kube-system:deployment-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
    "system:kube-controller-manager",
)


@pytest.mark.parametrize("user", KUBERNETES)
async def test_kubernetes_own_controllers_are_never_stood_in_the_way_of(here: Gate, user: str) -> None:
    target = await here.target(live=True)
    theirs = await here.acting(user)
    ran = await theirs.run("set", "image", f"deploy/{target.name}", f"podinfod={image(SECOND)}")
    assert (ran.code, ran.err) == (0, "")
    assert (await theirs.run("scale", f"deploy/{target.name}", "--replicas=5")).err == ""
    stored = await target.stored()
    assert hold_of(stored["metadata"]) is None and stored["spec"]["replicas"] == 5
    assert "paused" not in stored["spec"]
    assert (await theirs.run("delete", f"deploy/{target.name}")).err == ""


async def test_the_controller_is_known_by_its_exact_name(here: Gate) -> None:
    target = await here.target(live=True)
    body = {"spec": {"template": target.manifest(SECOND)["spec"]["template"]}}
    written = await here.controller.patch(DEPLOYMENTS, target.name, here.namespace, body)
    assert hold_of(written["metadata"]) is None
    for user in (
        f"{here.user}-2",
        "system:serviceaccount:kube-systems:x",
        "system:masters",
        "kubernetes-admin",
    ):
        theirs = await here.acting(user)
        other = await here.target(live=True)
        ran = await theirs.run("set", "image", f"deploy/{other.name}", f"podinfod={image(SECOND)}")
        assert ran.code == 0 and HOLDS in ran.err, user
