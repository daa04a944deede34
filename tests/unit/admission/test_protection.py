"""What a Canary generated is changed by nobody else; what is its users' business, they may change."""

from collections.abc import Callable
from typing import Any

import pytest

from admission.answer import Answer
from admission.governed import Governed
from admission.pinning import mutate
from admission.protection import RULE, protect
from controller.autoscalers import reconcile_hpa
from controller.decision import Create
from controller.observation import Options
from controller.projections import manifest, workload
from controller.services import desired_services
from controller.workloads.deployment import REVISION_ANNOTATION, render_primary
from shared.names import BREAK_GLASS_ANNOTATION, CANARY_LABEL, HOLD_ANNOTATION
from shared.resources import DEPLOYMENTS, HPAS, SERVICES, Resource
from shared.types.canary import Phase
from shared.types.meta import Json
from tests.builders import ROUTES, canary, deployment, route
from tests.writes import SECOND, THIRD, edited, governed, request, stored, target, with_image

Edit = Callable[[Json], Any]

BY_THE_CANARY = "is written by Canary test/podinfo alone"
IN_AN_EMERGENCY = "in an emergency set annotation pinfeather.dev/break-glass first"
TO_THE_TARGET = "change Deployment podinfo, and the template that passes its analysis comes here"
REF = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
AUTOSCALER: Json = {
    "metadata": {"name": "podinfo", "namespace": "test", "uid": "h1", "resourceVersion": "4"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "minReplicas": 2,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource"}],
    },
}


def primary() -> Json:
    """podinfo-primary as the controller makes it."""
    obj = render_primary(canary(), workload(deployment(replicas=2)), Options())
    obj["metadata"]["uid"] = "p1"
    return obj


def service(name: str = "podinfo-canary") -> Json:
    """A generated Service with all that a Canary can ask for."""
    wanted = {"port": 80, "targetPort": 9898, "appProtocol": "http", "trafficDistribution": "PreferClose"}
    return desired_services(canary(service=wanted), workload(deployment()), Options())[name]


def traefik_service() -> Json:
    """The route at ten percent."""
    whole = route(10).json()
    metadata = {**whole["metadata"], "name": "podinfo", "namespace": "test"}
    return {
        "apiVersion": ROUTES.api_version,
        "kind": ROUTES.kind,
        "metadata": metadata,
        "spec": whole["spec"],
    }


def autoscaler() -> Json:
    """The primary's."""
    written = reconcile_hpa(canary(autoscalerRef=REF), manifest(AUTOSCALER), None)
    assert isinstance(written, Create)
    return written.manifest


GENERATED: dict[str, tuple[Resource, Callable[[], Json]]] = {
    "primary": (DEPLOYMENTS, primary),
    "service": (SERVICES, service),
    "route": (ROUTES, traefik_service),
    "autoscaler": (HPAS, autoscaler),
}


def asked(
    what: str,
    edit: Edit | None,
    known: Governed | None = governed(),  # noqa: B008 - frozen
) -> Answer:
    """The answer to an edit of a generated object; without one to its deletion."""
    resource, make = GENERATED[what]
    old = make()
    new = edited(old, edit) if edit is not None else None
    return protect(request(new, old, resource=resource), known)


def refusals(answer: Answer) -> list[str]:
    """What is refused, one line each."""
    assert all(violation.rule == RULE for violation in answer.violations)
    return [f"{each.problem.field}: {each.problem.message}" for each in answer.violations]


def into(path: str, value: object) -> Edit:
    """Set what is at a path such as `spec.ports.0.port`; None takes it out."""

    def edit(obj: Json) -> None:
        *parents, last = path.split(".")
        at: Any = obj
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        key: Any = int(last) if isinstance(at, list) else last
        if value is None:
            del at[key]
        else:
            at[key] = value

    return edit


def restarted(obj: Json) -> None:
    """`kubectl rollout restart`."""
    annotations = obj["spec"]["template"]["metadata"].setdefault("annotations", {})
    annotations["kubectl.kubernetes.io/restartedAt"] = "2026-11-23T08:00:00Z"


CONTAINER = "spec.template.spec.containers.0"


@pytest.mark.parametrize(
    ("what", "edit", "field"),
    [
        ("primary", into(f"{CONTAINER}.image", SECOND), "spec.template"),
        ("primary", into(f"{CONTAINER}.env", [{"name": "A", "value": "b"}]), "spec.template"),
        ("primary", into("spec.template.metadata.annotations", {"restartedAt": "now"}), "spec.template"),
        ("primary", into("spec.template.metadata.labels.app", "podinfo"), "spec.template"),
        ("primary", into("spec.selector.matchLabels.app", "podinfo"), "spec.selector"),
        ("primary", lambda obj: obj["spec"].update(paused=True), "spec.paused"),
        ("primary", into("spec.strategy", {"type": "Recreate"}), "spec.strategy"),
        ("primary", into("spec.strategy", None), "spec.strategy"),
        ("service", into("spec.selector.app", "evil"), "spec.selector"),
        ("service", into("spec.selector", None), "spec.selector"),
        ("service", into("spec.type", "ExternalName"), "spec.type"),
        ("service", into("spec.ports.0.port", 81), "spec.ports"),
        ("service", into("spec.ports.0.targetPort", 9899), "spec.ports"),
        ("service", into("spec.ports.0.name", "web"), "spec.ports"),
        ("service", into("spec.ports.0.appProtocol", None), "spec.ports"),
        ("service", lambda obj: obj["spec"]["ports"].append({"port": 9797}), "spec.ports"),
        ("service", into("spec.trafficDistribution", None), "spec.trafficDistribution"),
        ("route", into("spec.weighted.services.0.weight", 1), "spec.weighted.services"),
        ("route", into("spec.weighted.services.1.name", "evil"), "spec.weighted.services"),
        ("route", into("spec.weighted.services.1.kind", None), "spec.weighted.services"),
        ("route", into("spec.weighted.services.1.namespace", "other"), "spec.weighted.services"),
        ("route", into("spec.weighted.services.1", None), "spec.weighted.services"),
        ("route", into("spec.weighted", None), "spec.weighted.services"),
        ("route", into("spec.mirroring", {"name": "evil"}), "spec.mirroring"),
        ("route", into("spec.failover", {"service": "evil"}), "spec.failover"),
        ("route", into("spec.highestRandomWeight", {"services": []}), "spec.highestRandomWeight"),
        ("autoscaler", into("spec.maxReplicas", 400), "spec.maxReplicas"),
        ("autoscaler", into("spec.minReplicas", None), "spec.minReplicas"),
        ("autoscaler", into("spec.scaleTargetRef.name", "podinfo"), "spec.scaleTargetRef"),
        ("autoscaler", into("spec.behavior", {"scaleDown": {}}), "spec.behavior"),
    ],
)
def test_what_the_controller_writes_is_refused_to_others(what: str, edit: Edit, field: str) -> None:
    (refusal,) = refusals(asked(what, edit))
    assert refusal.startswith(f"{field}: Forbidden: ")


@pytest.mark.parametrize(
    ("what", "edit"),
    [
        ("primary", into("spec.replicas", 7)),
        ("primary", into("spec.replicas", 0)),
        ("primary", restarted),
        ("service", into("spec.ports.0.nodePort", 30080)),
        ("service", into("spec.sessionAffinity", "ClientIP")),
        ("service", into("spec.externalTrafficPolicy", "Local")),
        ("service", into("spec.clusterIPs", ["10.96.0.9"])),
        ("route", into("spec.weighted.sticky", {"cookie": {"name": "lb"}})),
        ("route", into("spec.weighted.services.0.scheme", "h2c")),
        ("route", into("spec.weighted.services.0.serversTransport", "slow")),
        *((what, into("metadata.labels.team", "a")) for what in GENERATED),
        *((what, into("metadata.annotations", {"note": "n"})) for what in GENERATED),
        *((what, into("metadata.finalizers", ["example.org/wait"])) for what in GENERATED),
        *((what, into("status", {"replicas": 1})) for what in GENERATED),
        *((what, lambda obj: None) for what in GENERATED),
    ],
)
def test_what_is_the_users_own_business_is_let_through(what: str, edit: Edit) -> None:
    answer = asked(what, edit)
    assert refusals(answer) == [] and answer.warnings == ()


@pytest.mark.parametrize(
    ("what", "edit", "refusal"),
    [
        (
            "primary",
            into(f"{CONTAINER}.image", SECOND),
            f"spec.template: Forbidden: podinfo-primary {BY_THE_CANARY}; {TO_THE_TARGET}; {IN_AN_EMERGENCY}",
        ),
        (
            "service",
            into("spec.selector.app", "evil"),
            f"spec.selector: Forbidden: podinfo-canary {BY_THE_CANARY}; "
            f"change spec.service of the Canary; {IN_AN_EMERGENCY}",
        ),
        (
            "route",
            into("spec.weighted.services.0.weight", 1),
            f"spec.weighted.services: Forbidden: podinfo {BY_THE_CANARY}; change the Canary; "
            f"{IN_AN_EMERGENCY}",
        ),
        (
            "autoscaler",
            into("spec.maxReplicas", 400),
            f"spec.maxReplicas: Forbidden: podinfo-primary {BY_THE_CANARY}; "
            f"change HorizontalPodAutoscaler podinfo, which is copied here; {IN_AN_EMERGENCY}",
        ),
    ],
)
def test_a_refusal_says_the_way_to_do_it_right(what: str, edit: Edit, refusal: str) -> None:
    assert refusals(asked(what, edit)) == [refusal]


def test_all_that_is_wrong_with_one_edit_is_said() -> None:
    def edit(obj: Json) -> None:
        obj["metadata"]["labels"].pop(CANARY_LABEL)
        obj["metadata"].pop("ownerReferences")
        obj["spec"]["selector"], obj["spec"]["type"] = {}, "NodePort"

    fields = [refusal.partition(": Forbidden: ")[0] for refusal in refusals(asked("service", edit))]
    assert fields == [
        "metadata.labels[pinfeather.dev/canary]",
        "metadata.ownerReferences",
        "spec.selector",
        "spec.type",
    ]


@pytest.mark.parametrize("what", GENERATED)
class TestEveryKind:
    def test_its_label_stays(self, what: str) -> None:
        for change in (None, "other"):

            def edit(obj: Json, change: str | None = change) -> None:
                labels = {CANARY_LABEL: change} if change else {}
                obj["metadata"]["labels"] = {**obj["metadata"]["labels"], **labels}
                if not labels:
                    del obj["metadata"]["labels"][CANARY_LABEL]

            (refusal,) = refusals(asked(what, edit))
            assert refusal.startswith(f"metadata.labels[{CANARY_LABEL}]: Forbidden: ")
            assert "; keep the label; " in refusal

    @pytest.mark.parametrize(
        ("owner", "value"),
        [
            ("metadata.ownerReferences", None),
            ("metadata.ownerReferences.0.controller", None),
            ("metadata.ownerReferences.0.uid", "nobody's, so that the garbage collector deletes it"),
            ("metadata.ownerReferences.0.name", "other"),
        ],
    )
    def test_its_owner_stays(self, what: str, owner: str, value: str | None) -> None:
        (refusal,) = refusals(asked(what, into(owner, value)))
        assert refusal.startswith("metadata.ownerReferences: Forbidden: ")
        assert "; keep the Canary as the controller; " in refusal

    def test_what_the_controller_remembers_on_it_is_not_forged(self, what: str) -> None:
        forged = {REVISION_ANNOTATION: "0" * 32, "note": "n"}
        (refusal,) = refusals(asked(what, into("metadata.annotations", forged)))
        assert refusal.startswith(f"metadata.annotations[{REVISION_ANNOTATION}]: Forbidden: ")

    def test_it_is_deleted_with_the_canary_alone(self, what: str) -> None:
        (refusal,) = refusals(asked(what, None))
        assert refusal.endswith(f"{BY_THE_CANARY}; delete the Canary, which removes it; {IN_AN_EMERGENCY}")
        for free in (None, governed(deleting=True)):
            assert refusals(asked(what, None, free)) == []

    def test_in_an_emergency_everything_is_let_through_with_a_warning(self, what: str) -> None:
        resource, make = GENERATED[what]
        broken = edited(make(), into("metadata.annotations", {BREAK_GLASS_ANNOTATION: "incident 42"}))
        changed = edited(make(), into("spec", {}), into("metadata.labels", {}))
        for new, old in ((changed, broken), (edited(broken, into("spec", {})), make()), (None, broken)):
            answer = protect(request(new, old, resource=resource), governed())
            name = make()["metadata"]["name"]
            assert refusals(answer) == []
            assert answer.warnings == (
                f"annotation pinfeather.dev/break-glass of test/{name} takes all protection off: "
                "new templates may serve users at once; remove it when you are done",
            )

    def test_it_stays_protected_while_its_canary_is_not_known(self, what: str) -> None:
        edit = into(f"{CONTAINER}.image", SECOND) if what == "primary" else into("spec", {})
        assert refusals(asked(what, edit, None))


@pytest.mark.parametrize("what", GENERATED)
def test_no_field_that_the_controller_writes_is_forgotten(what: str) -> None:
    """Whatever a Canary makes the controller write into a spec, others may not take out."""
    _, make = GENERATED[what]
    for field in make()["spec"].keys() - {"replicas"}:
        assert refusals(asked(what, into(f"spec.{field}", None))), field


class TestTheTarget:
    def test_a_hold_that_another_webhook_undid_is_refused(self) -> None:
        old = target()
        new = with_image(old, SECOND)
        kept = stored(new, mutate(request(new, old), governed()))
        assert refusals(protect(request(kept, old), governed())) == []
        undone: list[Edit] = [
            into("spec.paused", None),
            into("metadata.annotations", None),
            lambda obj: obj["metadata"]["annotations"].pop(HOLD_ANNOTATION),
            lambda obj: obj["metadata"]["annotations"].update({HOLD_ANNOTATION: "{}"}),
            into(f"{CONTAINER}.image", THIRD),
        ]
        for edit in undone:
            assert refusals(protect(request(edited(kept, edit), old), governed())) == [
                "spec.paused: Forbidden: the new template has to wait, "
                "and another admission webhook let it go"
            ]

    def test_without_pods_nothing_has_to_wait(self) -> None:
        old = target(replicas=0)
        at_rest = governed(Phase.SUCCEEDED)
        assert refusals(protect(request(with_image(old, SECOND), old), at_rest)) == []

    def test_it_is_one_whoever_was_said_to_own_it_when_it_was_created(self) -> None:
        owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}
        old = edited(target(), into("metadata.ownerReferences", [owner]))
        new = with_image(edited(old, into("metadata.ownerReferences", None)), SECOND)
        kept = stored(new, mutate(request(new, old), governed()))
        assert kept["spec"]["paused"] is True
        assert refusals(protect(request(kept, old), governed())) == []
        assert refusals(protect(request(new, old), governed()))

    def test_it_is_not_given_to_the_canary(self) -> None:
        owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "controller": True}
        claimed = edited(target(), into("metadata.ownerReferences", [owner]))
        assert refusals(protect(request(claimed, target()), governed())) == [
            "metadata.ownerReferences: Forbidden: no Canary owns its target, which would be deleted with it"
        ]
        theirs = {"apiVersion": "example.org/v1", "kind": "App", "name": "podinfo", "controller": True}
        adopted = edited(target(), into("metadata.ownerReferences", [theirs]))
        assert refusals(protect(request(adopted, target()), governed())) == []

    def test_its_deletion_is_let_through_with_a_word(self) -> None:
        answer = protect(request(None, target()), governed())
        assert answer.allowed
        assert answer.warnings == ("Canary test/podinfo cannot roll out without its target podinfo",)
        for gone in (None, governed(deleting=True)):
            assert protect(request(None, target()), gone).warnings == ()

    @pytest.mark.parametrize("resource", [SERVICES, HPAS, ROUTES, DEPLOYMENTS])
    def test_what_only_has_the_label_is_its_owners(self, resource: Resource) -> None:
        """An object that somebody copied, label and all, or whose Canary was deleted without it."""
        old = edited(target(), into("metadata.name", "worker"))
        for new in (with_image(old, SECOND), edited(old, into("metadata.labels", {})), None):
            answer = protect(request(new, old, resource=resource), governed())
            assert refusals(answer) == [] and answer.warnings == ()
