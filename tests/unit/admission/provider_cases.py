"""For every P rule a Canary that breaks it and its nearest good neighbour."""

from admission.rules.rule import Options
from shared.types.meta import Json
from tests.unit.admission.rule_cases import DENY, WARN, Case, thing

A = "spec.analysis"
ONLY_TRAEFIK = 'supported values: "traefik"'


def traefik_service(owner: str, group: str = "traefik.io") -> Json:
    owners = [
        {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": owner, "uid": "1", "controller": True}
    ]
    return thing("TraefikService", "podinfo", f"{group}/v1alpha1", metadata={"ownerReferences": owners})


def route(kind: str | None, name: str = "podinfo", **service: str) -> Json:
    backend = {"name": name, **({"kind": kind} if kind else {}), **service}
    routes = [{"match": "Host(`a`)", "services": [backend]}]
    return thing("IngressRoute", "podinfo", "traefik.io/v1alpha1", spec={"routes": routes})


def service(cluster_ip: str) -> Json:
    return thing("Service", "podinfo", "v1", spec={"clusterIP": cluster_ip})


PAST_THE_WEIGHTS = (
    'spec.service.name: Invalid value: "podinfo": IngressRoute test/podinfo routes to the Service of that '
    "name, "
    "past the weights; set kind: TraefikService there"
)
TAKEN = (
    "spec.service.name: Forbidden: TraefikService test/podinfo is there already and not of this Canary; "
    "delete "
    "it, or choose another name"
)

CASES = (
    Case(
        "P01",
        DENY,
        {f"{A}.match": [{"headers": {"x": {"exact": "y"}}}]},
        f"{A}.match: Forbidden: this version does not do A/B testing; remove it to roll out by weight",
        {f"{A}.match": []},
    ),
    Case(
        "P02",
        DENY,
        {f"{A}.mirror": True},
        f"{A}.mirror: Forbidden: this version does not do mirroring; remove it to roll out by weight",
        {f"{A}.mirror": False},
    ),
    Case(
        "P03",
        DENY,
        {f"{A}.sessionAffinity": {"cookieName": "who"}},
        f"{A}.sessionAffinity: Forbidden: this version does not do session affinity; remove it",
        {},
    ),
    Case(
        "P04",
        DENY,
        {f"{A}.stepWeight": None, f"{A}.iterations": 5},
        f"{A}.iterations: Forbidden: this version does not do A/B testing and Blue/Green; set stepWeight or "
        "stepWeights",
        {f"{A}.stepWeight": 5},
    ),
    Case(
        "P05",
        WARN,
        {f"{A}.maxWeight": None},
        f"{A}.maxWeight: Required value: without it the analysis goes up to 100%, where a failure meets "
        "every "
        "user; set 50, for instance",
        {f"{A}.maxWeight": 90},
    ),
    Case(
        "P05",
        WARN,
        {f"{A}.maxWeight": 100},
        f"{A}.maxWeight: Invalid value: 100: the analysis goes up to 100%, where a failure meets every user; "
        "set 50, for instance",
        {f"{A}.maxWeight": 99},
    ),
    Case(
        "P05",
        WARN,
        {f"{A}.stepWeight": None, f"{A}.maxWeight": None, f"{A}.stepWeights": [50, 100]},
        f"{A}.stepWeights[1]: Invalid value: 100: the analysis goes up to 100%, where a failure meets every "
        "user; set 50, for instance",
        {f"{A}.stepWeight": None, f"{A}.maxWeight": None, f"{A}.stepWeights": [50, 99]},
    ),
    Case(
        "P07",
        DENY,
        {"spec.targetRef.kind": "DaemonSet"},
        'spec.targetRef.kind: Unsupported value: "DaemonSet": supported values: "Deployment"',
        {"spec.targetRef.kind": "Deployment"},
    ),
    Case(
        "P08",
        WARN,
        {"spec.service.hosts": ["app.example.com"]},
        'spec.service.hosts: Invalid value: "array": is not used with Traefik; the IngressRoute matches '
        "hosts",
        {"spec.service.hosts": []},
    ),
    Case(
        "P08",
        WARN,
        {"spec.service.corsPolicy": {"maxAge": "1m"}},
        'spec.service.corsPolicy: Invalid value: "object": is not used with Traefik; use a Middleware of the '
        "IngressRoute",
        {},
    ),
    Case(
        "P08",
        WARN,
        {"spec.ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "a"}},
        'spec.ingressRef: Invalid value: "object": is not used with Traefik; remove it',
        {},
    ),
    Case(
        "P09",
        WARN,
        {"spec.service.portName": "grpc"},
        'spec.service.portName: Invalid value: "grpc": Traefik speaks HTTP/1.1 to pods whatever the name; '
        "set "
        "scheme: h2c on the entries of the TraefikService once it is there",
        {"spec.service.portName": "web"},
    ),
    Case(
        "P09",
        WARN,
        {"spec.service.port": 443},
        "spec.service.port: Invalid value: 443: Traefik speaks TLS to pods behind it; choose another if "
        "they do "
        "not",
        {"spec.service.port": 8443},
    ),
    Case(
        "P09",
        WARN,
        {"spec.service.portName": "https-web"},
        'spec.service.portName: Invalid value: "https-web": Traefik speaks TLS to pods behind it; choose '
        "another "
        "if they do not",
        {"spec.service.portName": "http"},
    ),
    Case(
        "P10",
        DENY,
        {"spec.provider": None},
        f'spec.provider: Unsupported value: "istio": {ONLY_TRAEFIK}',
        {"spec.provider": "traefik"},
        options=Options(provider="istio"),
    ),
    Case(
        "P11", DENY, {}, TAKEN, {}, around=[traefik_service("shop")], good_around=[traefik_service("podinfo")]
    ),
    Case(
        "P11",
        DENY,
        {},
        TAKEN,
        {"spec.service.name": "shop"},
        around=[traefik_service("shop", "traefik.containo.us")],
    ),
    Case("P12", WARN, {}, PAST_THE_WEIGHTS, {}, around=[route(None)], good_around=[route("TraefikService")]),
    Case(
        "P12",
        WARN,
        {},
        PAST_THE_WEIGHTS,
        {},
        around=[route("Service")],
        good_around=[route("Service", namespace="other"), route("TraefikService")],
    ),
    Case(
        "P12",
        WARN,
        {},
        'spec.service.name: Invalid value: "podinfo": no IngressRoute of namespace test routes to the '
        "TraefikService of that name; make one",
        {},
        around=[route("Service", "shop")],
        good_around=[],
    ),
    Case(
        "P14",
        WARN,
        {"spec.service.headless": True},
        "spec.service.headless: Invalid value: true: Service test/podinfo has a cluster IP, which cannot be "
        "taken away; delete it first",
        {"spec.service.headless": True},
        around=[service("10.0.0.1")],
        good_around=[service("None")],
    ),
    Case(
        "P15",
        DENY,
        {"spec.provider": "kubernetes"},
        f'spec.provider: Unsupported value: "kubernetes": {ONLY_TRAEFIK}',
        {},
    ),
    Case(
        "P16",
        DENY,
        {"spec.provider": "knative"},
        f'spec.provider: Unsupported value: "knative": {ONLY_TRAEFIK}',
        {},
    ),
    Case(
        "P17",
        DENY,
        {"spec.provider": "gatewayapi:v1"},
        f'spec.provider: Unsupported value: "gatewayapi:v1": {ONLY_TRAEFIK}',
        {},
    ),
    Case(
        "P19",
        DENY,
        {"spec.provider": "nginx"},
        f'spec.provider: Unsupported value: "nginx": {ONLY_TRAEFIK}',
        {},
    ),
    Case(
        "P20",
        DENY,
        {"spec.autoscalerRef": {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo"}},
        'spec.autoscalerRef.kind: Unsupported value: "ScaledObject": supported values: '
        '"HorizontalPodAutoscaler"',
        {
            "spec.autoscalerRef": {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "name": "podinfo",
            }
        },
    ),
)
