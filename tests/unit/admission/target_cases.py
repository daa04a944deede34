"""For every O rule a Canary among objects that break it, and its nearest good neighbour."""

from typing import Any

from shared.types.meta import Json
from tests.unit.admission.rule_cases import DENY, WARN, Case, Edits, canary, deployment, edited, thing

TARGET = "spec.targetRef.name"
POD = "spec.template.spec"
OWNED: Json = {
    "ownerReferences": [
        {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "name": "podinfo",
            "uid": "u",
            "controller": True,
        }
    ]
}


def target(edits: Edits | None = None) -> Json:
    """The Deployment, which no rule has anything against."""
    container = {
        "name": "podinfod",
        "ports": [{"name": "http", "containerPort": 9898}],
        "readinessProbe": {"p": 1},
    }
    usual = {f"{POD}.containers": [container], "spec.progressDeadlineSeconds": 600}
    return edited(deployment(replicas=2), {**usual, **(edits or {})})


def scaled(name: str = "podinfo", **replicas: int) -> Edits:
    """A Canary with an autoscaler; `replicas` are the primary's bounds."""
    ref: Json = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": name}
    return {"spec.autoscalerRef": {**ref, "primaryScalerReplicas": replicas}}


def other_canary(edits: Edits | None = None) -> Json:
    """Another Canary, of other things."""
    usual = {"metadata.name": "podinfo-2", TARGET: "shop", "spec.service.name": "shop"}
    return canary({**usual, **(edits or {})})


def service(name: str = "podinfo", **parts: Any) -> Json:
    """A Service; `parts` are those of its spec, and its metadata."""
    metadata = parts.pop("metadata", {})
    return thing("Service", name, "v1", metadata=metadata, spec=parts)


def hpa(name: str = "podinfo", scales: str = "podinfo", **spec: int) -> Json:
    """An autoscaler of a Deployment."""
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": scales}
    return thing(
        "HorizontalPodAutoscaler",
        name,
        "autoscaling/v2",
        spec={"scaleTargetRef": ref, "maxReplicas": 4, **spec},
    )


def budget(**selector: Any) -> Json:
    """A PodDisruptionBudget."""
    return thing("PodDisruptionBudget", "podinfo", "policy/v1", spec={"selector": selector})


def quota(hard: str, used: str, **spec: Any) -> Json:
    """A ResourceQuota of CPU."""
    status = {"hard": {"requests.cpu": hard}, "used": {"requests.cpu": used}}
    return thing("ResourceQuota", "small", "v1", spec=spec, status=status)


def stateful_set(app: str) -> Json:
    """A StatefulSet whose pods have that label."""
    return {**deployment("db", app=app), "kind": "StatefulSet"}


SMALL = target({f"{POD}.containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]})

NEIGHBOURS = (
    Case(
        "O01",
        DENY,
        {},
        f'{TARGET}: Duplicate value: "podinfo": is the target of Canary test/podinfo-2 already; change '
        "that one, "
        "or delete it first",
        {},
        around=[other_canary({TARGET: "podinfo"})],
        good_around=[other_canary()],
    ),
    Case(
        "O01",
        DENY,
        {},
        'spec.service.name: Duplicate value: "podinfo": is the apex of Canary test/podinfo-2 already; change '
        "that one, or delete it first",
        {},
        around=[other_canary({"spec.service.name": "podinfo"})],
        good_around=[other_canary({"spec.service.name": "podinfo", "metadata.namespace": "prod"})],
    ),
    Case(
        "O01",
        DENY,
        scaled(),
        'spec.autoscalerRef.name: Duplicate value: "podinfo": is the autoscaler of Canary test/podinfo-2 '
        "already; change that one, or delete it first",
        {},
        around=[other_canary(scaled())],
    ),
    Case(
        "O05",
        DENY,
        {},
        f"{TARGET}: Forbidden: Deployment test/podinfo-primary is there already and not of this Canary; "
        "delete "
        "or rename it",
        {},
        around=[deployment("podinfo-primary")],
        good_around=[
            edited(deployment("podinfo-primary"), {"metadata.ownerReferences": OWNED["ownerReferences"]})
        ],
    ),
    Case(
        "O05",
        DENY,
        {},
        "spec.service.name: Forbidden: Service test/podinfo-canary is there already and not of this Canary; "
        "delete or rename it",
        {},
        around=[service("podinfo-canary")],
        good_around=[service("podinfo")],
    ),
    Case(
        "O05",
        DENY,
        {},
        "spec.service.name: Forbidden: Service test/podinfo is there already and not of this Canary; "
        "delete or "
        "rename it",
        {},
        around=[
            service(metadata={"ownerReferences": [{"kind": "Knative", "name": "x", "controller": True}]})
        ],
        good_around=[service(metadata={"ownerReferences": [{"kind": "Knative", "name": "x"}]})],
    ),
    Case(
        "O05",
        DENY,
        scaled(),
        "spec.autoscalerRef.name: Forbidden: HorizontalPodAutoscaler test/podinfo-primary is there "
        "already and "
        "not of this Canary; delete or rename it",
        {},
        around=[hpa("podinfo-primary", "podinfo-primary")],
    ),
    Case(
        "O06",
        DENY,
        {},
        "spec.service.name: Forbidden: Service test/podinfo is of type ExternalName, which has no pods; "
        "delete "
        "it, or choose another name",
        {},
        around=[service(type="ExternalName")],
        good_around=[service(type="NodePort")],
    ),
    Case(
        "O06",
        DENY,
        {},
        'spec.service.portName: Invalid value: "http": port 8080 of Service test/podinfo has that name; '
        "choose "
        "another, or remove that port",
        {},
        around=[service(ports=[{"name": "http", "port": 8080}])],
        good_around=[service(ports=[{"name": "http", "port": 80}, {"name": "metrics", "port": 8080}])],
    ),
    Case(
        "O06",
        WARN,
        {},
        'spec.service.name: Invalid value: "podinfo": the selector of Service test/podinfo loses '
        "component; see "
        "that app=podinfo-primary is enough",
        {},
        around=[target(), service(selector={"app": "podinfo", "component": "web"})],
        good_around=[target(), service(selector={"app": "podinfo"})],
    ),
    Case(
        "O13",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": PodDisruptionBudget test/podinfo selects the target\'s pods '
        "and not "
        "the primary's; let it select app=podinfo-primary as well",
        {},
        around=[target(), budget(matchLabels={"app": "podinfo"})],
        good_around=[
            target(),
            budget(
                matchExpressions=[{"key": "app", "operator": "In", "values": ["podinfo", "podinfo-primary"]}]
            ),
        ],
    ),
    Case(
        "O13",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": NetworkPolicy test/inside selects the target\'s pods and '
        "not the "
        "primary's; let it select app=podinfo-primary as well",
        {},
        around=[
            target(),
            thing(
                "NetworkPolicy",
                "inside",
                "networking.k8s.io/v1",
                spec={
                    "podSelector": {
                        "matchExpressions": [
                            {"key": "app", "operator": "NotIn", "values": ["podinfo-primary"]},
                            {"key": "app", "operator": "Exists"},
                            {"key": "db", "operator": "DoesNotExist"},
                        ]
                    }
                },
            ),
        ],
        good_around=[
            target(),
            thing("NetworkPolicy", "all", "networking.k8s.io/v1", spec={"podSelector": {}}),
        ],
    ),
)

PODS = (
    Case(
        "O02",
        DENY,
        {},
        f'{TARGET}: Invalid value: "podinfo": the selector of Deployment test/podinfo has none of the labels '
        "app, name, app.kubernetes.io/name, by which its pods could be told from the primary's; create "
        "it again "
        "with one",
        {},
        around=[target({"spec.selector.matchLabels": {"run": "podinfo"}})],
        good_around=[target({"spec.selector.matchLabels": {"name": "podinfo"}})],
    ),
    Case(
        "O03",
        DENY,
        {},
        f"{TARGET}: Forbidden: pods of StatefulSet test/db have label app=podinfo too, by which the Services "
        "select the target's; give one of the two another value",
        {},
        around=[target(), stateful_set("podinfo")],
        good_around=[target(), stateful_set("db"), deployment("podinfo-primary", app="podinfo-primary")],
    ),
    Case(
        "O03",
        DENY,
        {},
        f"{TARGET}: Forbidden: pods of Deployment test/old have label app=podinfo-primary too, by which the "
        "Services select the primary's; give one of the two another value",
        {},
        around=[target(), deployment("old", app="podinfo-primary")],
        good_around=[target(), deployment("old", app="podinfo-old")],
    ),
    Case(
        "O03",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": the Services select by app=podinfo alone and not by '
        "component; let "
        "no other pods of the namespace have that label",
        {},
        around=[target({"spec.selector.matchLabels": {"app": "podinfo", "component": "web"}})],
        good_around=[target()],
    ),
    Case(
        "O04",
        WARN,
        {},
        f'{TARGET}: Not found: "test/podinfo": the Canary waits until this Deployment is there',
        {},
        good_around=[target()],
    ),
    Case(
        "O07",
        DENY,
        {"spec.service.targetPort": "web"},
        'spec.service.targetPort: Invalid value: "web": no container of Deployment test/podinfo has a '
        "port of "
        "that name; its ports are http",
        {"spec.service.targetPort": "http"},
        around=[target()],
    ),
    Case(
        "O07",
        WARN,
        {"spec.service.targetPort": None},
        "spec.service.targetPort: Invalid value: 80: no container of Deployment test/podinfo declares "
        "that port; "
        "they declare 9898",
        {"spec.service.targetPort": 9898},
        around=[target()],
    ),
    Case(
        "O09",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": Deployment test/podinfo is paused, so that no revision of '
        "it ever "
        "runs; resume it",
        {},
        around=[target({"spec.paused": True})],
        good_around=[target({"spec.paused": True, "metadata.annotations": {"pinfeather.dev/hold": "{}"}})],
    ),
    Case(
        "O09",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": Deployment test/podinfo has 0 replicas, so that the primary '
        "starts "
        "with one pod; scale it first",
        scaled(),
        around=[target({"spec.replicas": 0})],
    ),
    Case(
        "O09",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": Deployment test/podinfo has strategy Recreate, with which a '
        "promotion stops every pod of the primary before the first new one starts; choose RollingUpdate",
        {},
        around=[target({"spec.strategy": {"type": "Recreate"}})],
        good_around=[target({"spec.strategy": {"type": "RollingUpdate"}})],
    ),
    Case(
        "O09",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": container podinfod of Deployment test/podinfo has no '
        "readinessProbe, so that it gets traffic before it can answer; give it one",
        {},
        around=[target({f"{POD}.containers": [{"name": "podinfod", "ports": [{"containerPort": 9898}]}]})],
        good_around=[target({f"{POD}.containers": [{"name": "logs"}]})],
    ),
    Case(
        "O15",
        WARN,
        {"spec.progressDeadlineSeconds": 900},
        "spec.progressDeadlineSeconds: Invalid value: 900: Deployment test/podinfo gives up after 600 "
        "seconds by "
        "its own progressDeadlineSeconds, and is rolled back then; raise that",
        {"spec.progressDeadlineSeconds": 600},
        around=[target()],
    ),
)

SCALING = (
    Case(
        "O10",
        DENY,
        {},
        "spec.autoscalerRef: Required value: HorizontalPodAutoscaler test/podinfo scales the target, and the "
        "primary would have none; name it here",
        scaled(),
        around=[hpa()],
    ),
    Case(
        "O10",
        DENY,
        scaled(),
        'spec.autoscalerRef.name: Invalid value: "podinfo": HorizontalPodAutoscaler test/shop scales the '
        "target; "
        "name that one here",
        scaled(),
        around=[hpa("shop")],
        good_around=[hpa("podinfo"), hpa("shop", "shop")],
    ),
    Case(
        "O10",
        DENY,
        scaled("shop"),
        'spec.autoscalerRef.name: Invalid value: "shop": HorizontalPodAutoscaler test/shop scales '
        "Deployment shop "
        "and not the target; name the target's own",
        scaled(),
        around=[hpa(), hpa("shop", "shop")],
    ),
    Case(
        "O10",
        WARN,
        scaled(),
        'spec.autoscalerRef.name: Not found: "test/podinfo": the Canary waits until this '
        "HorizontalPodAutoscaler "
        "is there",
        scaled(),
        good_around=[hpa()],
    ),
    Case(
        "O11",
        DENY,
        scaled(minReplicas=6, maxReplicas=4),
        "spec.autoscalerRef.primaryScalerReplicas.minReplicas: Invalid value: 6: must be at most "
        "maxReplicas, "
        "which is 4",
        scaled(minReplicas=4, maxReplicas=4),
    ),
    Case(
        "O11",
        DENY,
        scaled(maxReplicas=2),
        "spec.autoscalerRef.primaryScalerReplicas.maxReplicas: Invalid value: 2: must be at least "
        "minReplicas, "
        "which is 3",
        scaled(maxReplicas=3),
        around=[hpa(minReplicas=3)],
    ),
    Case(
        "O16",
        WARN,
        {},
        f'{TARGET}: Invalid value: "podinfo": ResourceQuota test/small has 100m of requests.cpu left, and '
        "the "
        "primary needs 200m; raise it",
        {},
        around=[SMALL, quota("1", "900m")],
        good_around=[SMALL, quota("1", "0.8"), quota("0", "0", scopes=["BestEffort"])],
    ),
)

CASES = (*NEIGHBOURS, *PODS, *SCALING)
