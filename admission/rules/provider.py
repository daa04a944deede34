"""P: what the Canary asks of the router. What this build cannot run comes out of `shared.capabilities`."""

from collections.abc import Iterator

from admission.lookup import Lookup
from admission.rules.rule import Change
from admission.rules.wording import invalid
from shared.capabilities import unsupported
from shared.errors import Problem
from shared.types.canary import Canary, Provider
from shared.types.meta import Wire

_SERVICE_FIELDS = {
    "timeout": "set it on a ServersTransport",
    "backend_timeout": "set it on a ServersTransport",
    "gateways": "the IngressRoute names its entry points",
    "gateway_refs": "the IngressRoute names its entry points",
    "hosts": "the IngressRoute matches hosts",
    "delegation": "",
    "traffic_policy": "",
    "match": "the IngressRoute matches requests",
    "rewrite": "use a Middleware of the IngressRoute",
    "retries": "use a Middleware of the IngressRoute",
    "headers": "use a Middleware of the IngressRoute",
    "mirror": "",
    "cors_policy": "use a Middleware of the IngressRoute",
    "mesh_name": "",
    "backends": "",
}
"""Fields of `spec.service` that nothing reads where Traefik routes, and what does their work there."""
_SPEC_FIELDS = ("ingress_ref", "route_ref", "upstream_ref")
_HTTPS_PORT = 443
_OTHER_PROTOCOLS = ("grpc", "h2c", "http2")
_OWN_PROVIDERS = frozenset(
    {Provider.KUBERNETES, Provider.KNATIVE, Provider.GATEWAY_API_V1, Provider.GATEWAY_API_V1BETA1}
)
"""Providers that a rule of their own is about."""

_OWN_FIELDS = frozenset(
    {
        *("spec.analysis.match", "spec.analysis.mirror", "spec.analysis.sessionAffinity"),
        *("spec.analysis.iterations", "spec.targetRef.kind", "spec.provider"),
    }
)
"""Fields that a rule of their own is about."""


def no_request_matching(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """No A/B testing: `match` is not set.

    This version rolls out by weight. Approximating would send every user to the canary.

        spec.analysis.match: Forbidden: this version does not do A/B testing; remove it to roll out by weight
    """
    return _unsupported(change, "spec.analysis.match")


def no_mirroring(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """No mirroring: `mirror` is not set.

    This version sends no copies of requests, and an analysis of none would pass or never end.

        spec.analysis.mirror: Forbidden: this version does not do mirroring; remove it to roll out by weight
    """
    return _unsupported(change, "spec.analysis.mirror")


def no_session_affinity(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """No session affinity: `sessionAffinity` is not set.

    This version keeps no user on a version, and whoever asks for it counts on that.

        spec.analysis.sessionAffinity: Forbidden: this version does not do session affinity; remove it
    """
    return _unsupported(change, "spec.analysis.sessionAffinity")


def no_iterations(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """No A/B testing and no Blue/Green: `iterations` is not set.

    Without weights the canary has no traffic to measure.

        spec.analysis.iterations: Forbidden: this version does not do A/B testing and Blue/Green; set
        stepWeight or stepWeights
    """
    return _unsupported(change, "spec.analysis.iterations")


def target_kind_is_known(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The target is of a kind that can be rolled out.

    Each kind is copied, scaled and watched in its own way.

        spec.targetRef.kind: Unsupported value: "DaemonSet": supported values: "Deployment"
    """
    return _unsupported(change, "spec.targetRef.kind")


def default_provider_is_known(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """A Canary that names no provider means one that can route.

    The cluster's default is a flag of controller and admission (`-mesh-provider`).

        spec.provider: Unsupported value: "istio": supported values: "traefik"
    """
    return _unsupported(change, "spec.provider") if change.subject.spec.provider is None else iter(())


def provider_is_known(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The provider is one that can route.

    An unknown one never falls back to another.

        spec.provider: Unsupported value: "nginx": supported values: "traefik"
    """
    given = change.subject.spec.provider
    return iter(()) if given is None or given in _OWN_PROVIDERS else _unsupported(change, "spec.provider")


def not_kubernetes(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The provider is not `kubernetes`.

    It has no weights, only Blue/Green, which this version does not do.

        spec.provider: Unsupported value: "kubernetes": supported values: "traefik"
    """
    return _provider(change, Provider.KUBERNETES)


def not_knative(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The provider is not `knative`.

    Knative routes its own revisions, which this version does not know.

        spec.provider: Unsupported value: "knative": supported values: "traefik"
    """
    return _provider(change, Provider.KNATIVE)


def not_gateway_api(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """The provider is not of the Gateway API.

    This version writes TraefikServices. A Traefik that serves HTTPRoutes serves them as well.

        spec.provider: Unsupported value: "gatewayapi:v1": supported values: "traefik"
    """
    return _provider(change, Provider.GATEWAY_API_V1, Provider.GATEWAY_API_V1BETA1)


def rest_is_supported(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Everything else that the Canary asks for is something that this version does.

    Both processes read one table of what there is; what the controller would stop at is refused here.

        spec.autoscalerRef.kind: Unsupported value: "ScaledObject": supported values:
        "HorizontalPodAutoscaler"
    """
    found = unsupported(change.subject, change.options.provider)
    return (problem for problem in found if problem.field not in _OWN_FIELDS)


def fields_are_traefiks(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Nothing is set that is for other routers.

    Traefik's routes are the user's own IngressRoutes; these fields do nothing.

        spec.service.hosts: Invalid value: "array": is not used with Traefik; the IngressRoute matches hosts
    """
    spec = change.subject.spec
    if (spec.provider or change.options.provider) != Provider.TRAEFIK:
        return
    for name in _SPEC_FIELDS:
        if value := getattr(spec, name):
            yield _unused(f"spec.{_alias(spec, name)}", value, "remove it")
    for name, way in _SERVICE_FIELDS.items():
        if value := getattr(spec.service, name):
            yield _unused(f"spec.service.{_alias(spec.service, name)}", value, way or "remove it")


def traefik_speaks_the_ports_protocol(change: Change[Canary], _: Lookup) -> Iterator[Problem]:
    """Pods speak plain HTTP/1.1, or somebody tells Traefik otherwise.

    Traefik takes a Service's port 443, or one that is called https, for TLS, and any other for HTTP/1.1.

        spec.service.portName: Invalid value: "grpc": Traefik speaks HTTP/1.1 to pods whatever the name; set
        scheme: h2c on the entries of the TraefikService once it is there
    """
    service = change.subject.spec.service
    field, name = "spec.service.portName", service.port_name
    secure = "Traefik speaks TLS to pods behind it; choose another if they do not"
    if service.port == _HTTPS_PORT:
        yield invalid("spec.service.port", service.port, secure)
    elif name.startswith("https"):
        yield invalid(field, name, secure)
    elif name.startswith(_OTHER_PROTOCOLS):
        why = (
            "Traefik speaks HTTP/1.1 to pods whatever the name; set scheme: h2c on the entries of the "
            "TraefikService once it is there"
        )
        yield invalid(field, name, why)


def _provider(change: Change[Canary], *providers: Provider) -> Iterator[Problem]:
    return _unsupported(change, "spec.provider") if change.subject.spec.provider in providers else iter(())


def _unsupported(change: Change[Canary], field: str) -> Iterator[Problem]:
    found = unsupported(change.subject, change.options.provider)
    return (problem for problem in found if problem.field == field)


def _alias(model: Wire, name: str) -> str:
    """The field's name in the API."""
    return type(model).model_fields[name].alias or name


def _unused(field: str, value: object, way: str) -> Problem:
    shown = "array" if isinstance(value, tuple) else value if isinstance(value, str | bool) else "object"
    return invalid(field, shown, f"is not used with Traefik; {way}")
