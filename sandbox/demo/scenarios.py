"""The story that the demo plays. Data only: `play` carries it out, `judge` compares how it went.

A new scene is one more Scenario in STORY. Commands are written as a user types them in the checkout's
folder; `*` in an expected event or output stands for anything.
"""

from dataclasses import dataclass

from shared.types.status import Phase

NAMESPACE, CANARY = "test", "podinfo"
APP_URL = "http://app.example.com"


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the audience something."""

    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """Type a command; it has to succeed, unless it has to be refused, and to say these texts."""

    command: str
    says: tuple[str, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Climb:
    """Wait until the canary has climbed this many steps."""

    steps: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Wait until it is this version's turn to have users, and tell how many have had it before."""

    version: str


@dataclass(frozen=True, slots=True)
class Admit:
    """Let users in, who stay to the end of the story, and wait until the first is served."""


@dataclass(frozen=True, slots=True)
class Quicken:
    """Shorten the Canary's times, where the pace is a quick one."""

    metrics: int
    """How many metrics it has."""


@dataclass(frozen=True, slots=True)
class Load:
    """Once the canary has climbed this many steps, run a load, again and again until the scenario ends."""

    command: str
    after_steps: int = 2


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait until what the last release did has left the window over which metrics are taken."""


Step = Say | Run | Climb | Turn | Admit | Quicken | Load | Settle


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scene, and how it has to end."""

    name: str
    story: str
    """For the audience, in a line of 76 characters at most."""
    steps: tuple[Step, ...]
    ends: Phase | None
    """The phase that it ends in; None: the Canary is to stay in the one that it is in."""
    told: tuple[str, ...] = ()
    """Events that are to be told, in this order, others between them."""
    serves: str = ""
    """The version that users are on at the end; empty: whichever."""
    turns: tuple[str, ...] = ()
    """The versions that the canary has, each with a climb of its own, before which no user may get it."""


GUIDE, BACKEND = "manifests/examples/guide", "manifests/examples/backend.yaml"
TURN = "The turn of {version}: of {total} requests so far, it has answered {had}."
SET_IMAGE = "kubectl -n test set image deployment/podinfo podinfod=stefanprodan/podinfo:"

REFUSAL = Scenario(
    name="refusal",
    story="A Canary that cannot work is refused, with all that is wrong in it.",
    steps=(
        Run("kubectl -n test apply -k manifests/examples/podinfo"),
        Run(
            "kubectl apply -f sandbox/demo/wrong-canary.yaml",
            says=(
                'The Canary "podinfo" is invalid:*',
                "* spec.analysis.stepWeights*V09*",
                "* spec.analysis.metrics*templateRef*M01*",
                "* spec.analysis.metrics*thresholdRange*M02*",
                "* spec.analysis.metrics*thresholdRange.min*M03*",
                "* spec.service.targetPort*O07*",
                "* spec.autoscalerRef*O10*",
            ),
            refused=True,
        ),
    ),
    ends=None,
)

BOOTSTRAP = Scenario(
    name="bootstrap",
    story="An application, its route and its Canary: the rest is generated.",
    steps=(
        Run(f"kubectl apply -f {GUIDE}/podinfo-ingressroute.yaml"),
        Run(f"kubectl apply -f {GUIDE}/podinfo-canary.yaml"),
        Quicken(metrics=2),
        Say("And a second application, which has no autoscaler."),
        Run(f"kubectl apply -f {BACKEND}"),
    ),
    ends=Phase.INITIALIZED,
    told=("Initialization done! podinfo.test",),
)

PROMOTION = Scenario(
    name="promotion",
    story="A healthy release gets more users step by step, and then all of them.",
    steps=(Admit(), Run(SET_IMAGE + "4.0.6")),
    ends=Phase.SUCCEEDED,
    told=(
        "New revision detected! Scaling up podinfo.test",
        "Starting canary analysis for podinfo.test",
        "Pre-rollout check acceptance-test passed",
        "Advance podinfo.test canary weight *",
        "Copying podinfo.test template spec to podinfo-primary.test",
        "Routing all traffic to primary",
        "Promotion completed! Scaling down podinfo.test",
    ),
    serves="4.0.6",
    turns=("4.0.6",),
)

HOLD = Scenario(
    name="hold",
    story="A release that lands in mid-analysis waits, and is analysed from the start.",
    steps=(
        Run(SET_IMAGE + "4.0.7"),
        Climb(2),
        Say("Users are on 4.0.7 by now. Without a hold, 4.0.8 would take its place at once."),
        Run(SET_IMAGE + "4.0.8", says=("Warning: Canary test/podinfo holds the new template of podinfo*",)),
        Turn("4.0.8"),
    ),
    ends=Phase.SUCCEEDED,
    told=(
        "New revision detected! Scaling up podinfo.test",
        "Advance podinfo.test canary weight *",
        "New revision detected! Restarting analysis for podinfo.test",
        "Starting canary analysis for podinfo.test",
        "Pre-rollout check acceptance-test passed",
        "Advance podinfo.test canary weight *",
        "Copying podinfo.test template spec to podinfo-primary.test",
        "Promotion completed! Scaling down podinfo.test",
    ),
    serves="4.0.8",
    turns=("4.0.7", "4.0.8"),
)

HAND_EDITS = Scenario(
    name="hand edits",
    story="What serves changes by promotion alone; sizes go where the users are.",
    steps=(
        Run(
            "kubectl -n test set image deployment/podinfo-primary podinfod=stefanprodan/podinfo:4.0.9",
            says=("*podinfo-primary is written by Canary test/podinfo alone*",),
            refused=True,
        ),
        Run("kubectl -n test scale deployment/backend-primary --replicas=1"),
        Say("GitOps finds Deployment backend without pods, and applies the manifest, with replicas: 2."),
        Run(
            f"kubectl apply -f {BACKEND}",
            says=("Warning: Canary test/backend: replicas 2 goes to backend-primary*",),
        ),
        Run(
            "kubectl -n test wait deployment/backend-primary --timeout=30s "
            "--for=jsonpath='{.spec.replicas}'=2"
        ),
        Run("kubectl -n test rollout status deployment/backend-primary --timeout=30s"),
        Run(
            "kubectl -n test get deployment backend backend-primary",
            says=("backend * 0/0 *", "backend-primary * 2/2 *"),
        ),
    ),
    ends=None,
    serves="4.0.8",
)

ROLLBACK = Scenario(
    name="rollback",
    story="The next release answers with errors: it is taken back.",
    steps=(
        Say("The guide sets 4.0.6 once more, which would change nothing: this is 4.0.9."),
        Run(SET_IMAGE + "4.0.9"),
        Load(f"hey -z 1m -c 5 -q 5 {APP_URL}/status/500"),
    ),
    ends=Phase.FAILED,
    told=(
        "New revision detected! Scaling up podinfo.test",
        "Starting canary analysis for podinfo.test",
        "Pre-rollout check acceptance-test passed",
        "Advance podinfo.test canary weight *",
        "Halt podinfo.test advancement success rate *% < 99%",
        "Rolling back podinfo.test failed checks threshold reached *",
        "Canary failed! Scaling down podinfo.test",
    ),
    serves="4.0.8",
    turns=("4.0.9",),
)

CUSTOM_METRIC = Scenario(
    name="custom metric",
    story="A query of your own counts pages not found: a release with many goes.",
    steps=(
        Run(f"kubectl apply -f {GUIDE}/not-found-percentage.yaml"),
        Run(f"kubectl apply -f {GUIDE}/podinfo-canary-not-found.yaml"),
        Quicken(metrics=3),
        Settle(),
        Run(SET_IMAGE + "4.0.10"),
        Say("The guide asks for /status/400, which makes no 404s: this is /status/404."),
        Load(f"hey -z 1m -c 5 -q 5 {APP_URL}/status/404"),
    ),
    ends=Phase.FAILED,
    told=(
        "New revision detected! Scaling up podinfo.test",
        "Starting canary analysis for podinfo.test",
        "Advance podinfo.test canary weight *",
        "Halt podinfo.test advancement 404s percentage * > 5",
        "Rolling back podinfo.test failed checks threshold reached *",
        "Canary failed! Scaling down podinfo.test",
    ),
    serves="4.0.8",
    turns=("4.0.10",),
)

STORY = (REFUSAL, BOOTSTRAP, PROMOTION, HOLD, HAND_EDITS, ROLLBACK, CUSTOM_METRIC)

CLEAN_UP = (
    "kubectl -n test delete --ignore-not-found -k manifests/examples/podinfo",
    f"kubectl delete --ignore-not-found -f {GUIDE} -f {BACKEND}",
)
"""Takes away what an earlier run has left in a sandbox that is still up. Targets first: a Canary whose target
has no pods is not deleted, as that would leave the application without any.
"""
