"""C: the confused deputy: who writes a Canary could do himself what the controller does for him."""

from collections.abc import Iterator
from dataclasses import dataclass

from admission.lookup import Lookup
from admission.request import Operation
from admission.rules.rule import Change
from admission.rules.surroundings import founded
from admission.rules.wording import forbidden
from shared.errors import Problem
from shared.names import TRAEFIK_GROUPS, canary_name, primary_name
from shared.resources import DEPLOYMENTS, HPAS, SECRETS, SERVICES, Resource, traefik_services
from shared.types.alert import AlertProvider
from shared.types.canary import Canary
from shared.types.meta import SecretRef
from shared.types.metric import MetricTemplate


@dataclass(frozen=True, slots=True)
class Access:
    """Something that a user may do or not."""

    verb: str
    resource: Resource
    namespace: str
    name: str = ""
    """Empty for any name: at a creation nothing has one yet."""

    def __str__(self) -> str:
        """As in `kubectl auth can-i`."""
        of_group = f".{self.resource.group}" if self.resource.group else ""
        name = f' "{self.name}"' if self.name else ""
        return f'{self.verb} {self.resource.plural}{of_group}{name} in namespace "{self.namespace}"'


def canary_access(change: Change[Canary]) -> Iterator[tuple[str, Access]]:
    """What the controller does for whoever makes this change, by the field that asks for it.

    Of Traefik's two groups both are named; who asks the API server leaves out the one that it does not serve.
    """
    if not founded(change):
        return
    canary = change.subject
    namespace, target, apex = canary.metadata.namespace, canary.spec.target_ref.name, canary.spec.apex_name
    for name in (target, primary_name(target)):
        yield "spec.targetRef.name", Access("patch", DEPLOYMENTS, namespace, name)
    yield "spec.targetRef.name", Access("create", DEPLOYMENTS, namespace)
    for name in (apex, primary_name(apex), canary_name(apex)):
        yield "spec.service.name", Access("patch", SERVICES, namespace, name)
    yield "spec.service.name", Access("create", SERVICES, namespace)
    for resource in map(traefik_services, TRAEFIK_GROUPS):
        yield "spec.service.name", Access("patch", resource, namespace, apex)
        yield "spec.service.name", Access("create", resource, namespace)
    if canary.spec.autoscaler_ref is not None:
        name = primary_name(canary.spec.autoscaler_ref.name)
        yield "spec.autoscalerRef.name", Access("patch", HPAS, namespace, name)
        yield "spec.autoscalerRef.name", Access("create", HPAS, namespace)


def template_access(change: Change[MetricTemplate]) -> Iterator[tuple[str, Access]]:
    """The Secret that the controller sends to an address of this change."""
    old, new = change.old, change.new
    if new is None or change.operation is Operation.DELETE:
        return
    now = new.spec.provider
    before = old.spec.provider if old is not None else None
    if before is None or (before.secret_ref, before.address) != (now.secret_ref, now.address):
        yield from _secret("spec.provider.secretRef.name", new.metadata.namespace, now.secret_ref)


def alert_access(change: Change[AlertProvider]) -> Iterator[tuple[str, Access]]:
    """The Secret that the controller uses for this change."""
    old, new = change.old, change.new
    if new is None or change.operation is Operation.DELETE:
        return
    before = (old.spec.secret_ref, old.spec.proxy) if old is not None else None
    if before != (new.spec.secret_ref, new.spec.proxy):
        yield from _secret("spec.secretRef.name", new.metadata.namespace, new.spec.secret_ref)


def _secret(field: str, namespace: str, ref: SecretRef | None) -> Iterator[tuple[str, Access]]:
    if ref is not None:
        yield field, Access("get", SECRETS, namespace, ref.name)


def user_may_change_the_objects(change: Change[Canary], lookup: Lookup) -> Iterator[Problem]:
    """Whoever writes a Canary may himself change what the controller changes for it.

    That is the target, the primary, the Services, the TraefikService and the primary's autoscaler.
    Otherwise a Canary would be a way to scale down or reroute what is not one's own. Asked
    (SubjectAccessReview) at the creation, and when target, Services, provider or autoscaler change.

        spec.targetRef.name: Forbidden: user "jane" may not patch deployments.apps "podinfo" in namespace
        "test", which the Canary would do in their place; ask for that right, or let somebody with it apply
        the Canary
    """
    yield from _denied(change, canary_access(change), lookup, "Canary")


def user_may_read_the_templates_secret(change: Change[MetricTemplate], lookup: Lookup) -> Iterator[Problem]:
    """Whoever writes a MetricTemplate may himself read the Secret that it names.

    The controller sends what is in it to the template's address.

        spec.provider.secretRef.name: Forbidden: user "jane" may not get secrets "prometheus" in namespace
        "test", which the MetricTemplate would do in their place; ask for that right, or let somebody with
        it apply the MetricTemplate
    """
    yield from _denied(change, template_access(change), lookup, "MetricTemplate")


def user_may_read_the_providers_secret(change: Change[AlertProvider], lookup: Lookup) -> Iterator[Problem]:
    """Whoever writes an AlertProvider may himself read the Secret that it names.

    The controller uses the address in it.

        spec.secretRef.name: Forbidden: user "jane" may not get secrets "slack" in namespace "test", which
        the AlertProvider would do in their place; ask for that right, or let somebody with it apply the
        AlertProvider
    """
    yield from _denied(change, alert_access(change), lookup, "AlertProvider")


def _denied(
    change: Change[Canary] | Change[MetricTemplate] | Change[AlertProvider],
    asked: Iterator[tuple[str, Access]],
    lookup: Lookup,
    kind: str,
) -> Iterator[Problem]:
    user = change.user.name if change.user is not None else ""
    for field, access in asked:
        if not lookup.allowed(access.verb, access.resource, access.namespace, access.name):
            why = (
                f'user "{user}" may not {access}, which the {kind} would do in their place; ask for that '
                f"right, or let somebody with it apply the {kind}"
            )
            yield forbidden(field, why)
