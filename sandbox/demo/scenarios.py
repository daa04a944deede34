"""The story that the demo plays. Data only: `play` carries it out, `judge` compares how it went.

A new scene is one more Scenario in STORY. Commands are written as a user types them in the checkout's
folder; `*` in an expected event stands for anything.
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
    """Type a command; it has to succeed."""

    command: str


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


Step = Say | Run | Admit | Quicken | Load | Settle


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scene, and how it has to end."""

    name: str
    story: str
    """For the audience, in a line of 76 characters at most."""
    steps: tuple[Step, ...]
    ends: Phase
    """The phase that it ends in."""
    told: tuple[str, ...] = ()
    """Events that are to be told, in this order, others between them."""
    serves: str = ""
    """The version that users are on at the end; empty: whichever."""
    climbs: bool = True
    """Whether the canary gets users at all."""


GUIDE = "manifests/examples/guide"
SET_IMAGE = "kubectl -n test set image deployment/podinfo podinfod=stefanprodan/podinfo:"

BOOTSTRAP = Scenario(
    name="bootstrap",
    story="An application, its route and its Canary: the rest is generated.",
    steps=(
        Run("kubectl -n test apply -k manifests/examples/podinfo"),
        Run(f"kubectl apply -f {GUIDE}/podinfo-ingressroute.yaml"),
        Run(f"kubectl apply -f {GUIDE}/podinfo-canary.yaml"),
        Quicken(metrics=2),
    ),
    ends=Phase.INITIALIZED,
    told=("Initialization done! podinfo.test",),
    climbs=False,
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
)

ROLLBACK = Scenario(
    name="rollback",
    story="The next release answers with errors: it is taken back.",
    steps=(
        Say("The guide sets 4.0.6 once more, which would change nothing: this is 4.0.7."),
        Run(SET_IMAGE + "4.0.7"),
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
    serves="4.0.6",
)

CUSTOM_METRIC = Scenario(
    name="custom metric",
    story="A query of your own counts pages not found: a release with many goes.",
    steps=(
        Run(f"kubectl apply -f {GUIDE}/not-found-percentage.yaml"),
        Run(f"kubectl apply -f {GUIDE}/podinfo-canary-not-found.yaml"),
        Quicken(metrics=3),
        Settle(),
        Run(SET_IMAGE + "4.0.8"),
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
    serves="4.0.6",
)

STORY = (BOOTSTRAP, PROMOTION, ROLLBACK, CUSTOM_METRIC)

CLEAN_UP = (
    f"kubectl delete --ignore-not-found -f {GUIDE}",
    "kubectl -n test delete --ignore-not-found -k manifests/examples/podinfo",
)
"""Takes away what an earlier run has left in a sandbox that is still up."""
