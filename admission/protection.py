"""Who may write what a Canary generated: the controller, and others as far as they break nothing. Pure.

`handlers` calls it for the validating webhook of governed objects, after all mutations. Refused are the
fields that the controller writes; whatever else an object has is its users' business.
"""

from collections.abc import Callable, Iterator
from typing import Any

from admission.answer import ALLOWED, Answer, PatchOp, Violation
from admission.governed import Governed
from admission.marks import glass_broken, glass_warning, is_generated, label_in, owner_of
from admission.pinning import escaped, mutate
from admission.request import Operation, Request
from shared.errors import Problem, ProblemReason
from shared.names import ANNOTATION_PREFIX, BREAK_GLASS_ANNOTATION, CANARY_LABEL, HOLD_ANNOTATION
from shared.resources import DEPLOYMENTS, HPAS, SERVICES
from shared.types.meta import Json

RULE = "U08"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_HOLD_PATH = f"/metadata/annotations/{escaped(HOLD_ANNOTATION)}"
_ROUTED = ("name", "kind", "namespace", "port", "weight")


def protect(request: Request, governed: Governed | None) -> Answer:
    """The answer to an update or delete of a labelled object. `governed` is the Canary of the label."""
    old = request.old
    if old is None:
        return ALLOWED
    if glass_broken(request):
        return Answer(warnings=(glass_warning(request),))
    if not is_generated(old) or _is_target(request, governed):
        return _target(request, governed)
    gone = governed is None or governed.deleting
    if request.operation is Operation.DELETE:
        return ALLOWED if gone else _refused([_forbidden(request, "", "delete the Canary, which removes it")])
    return _refused(_changes(request, old, request.new or {}))


def _is_target(request: Request, governed: Governed | None) -> bool:
    """Whether it is the Canary's target, whoever is said to own it."""
    return request.resource == DEPLOYMENTS and governed is not None and governed.target == request.name


def _target(request: Request, governed: Governed | None) -> Answer:
    """The target itself: what `pinning` made of the write has to be what is stored."""
    if request.resource != DEPLOYMENTS or (governed is not None and governed.target != request.name):
        return ALLOWED
    if request.operation is Operation.DELETE:
        if governed is None or governed.deleting:
            return ALLOWED
        where = f"Canary {governed.namespace}/{governed.name}"
        return Answer(warnings=(f"{where} cannot roll out without its target {request.name}",))
    problems = list[Problem]()
    if any(map(_holds, mutate(request, governed).patch)):
        why = "the new template has to wait, and another admission webhook let it go"
        problems.append(Problem("spec.paused", ProblemReason.FORBIDDEN, f"Forbidden: {why}"))
    if is_generated(request.new or {}):
        why = "no Canary owns its target, which would be deleted with it"
        problems.append(Problem("metadata.ownerReferences", ProblemReason.FORBIDDEN, f"Forbidden: {why}"))
    return _refused(problems)


def _holds(operation: PatchOp) -> bool:
    """Whether a patch of `pinning` is about a hold; its others may be late without harm."""
    if operation.op == "remove":
        return False
    annotations = operation.value if operation.path == "/metadata/annotations" else None
    if isinstance(annotations, dict) and HOLD_ANNOTATION in annotations:
        return True
    return operation.path in ("/spec/paused", _HOLD_PATH)


def _refused(problems: list[Problem]) -> Answer:
    return Answer(tuple(Violation(RULE, problem) for problem in problems)) if problems else ALLOWED


def _changes(request: Request, old: Json, new: Json) -> list[Problem]:
    """Every change of a generated object that nobody but the controller may make."""
    problems = list[Problem]()
    label = f"metadata.labels[{CANARY_LABEL}]"
    if label_in(old) != label_in(new):
        problems.append(_forbidden(request, label, "keep the label"))
    if owner_of(new) != owner_of(old):  # another uid, and the garbage collector deletes it
        problems.append(_forbidden(request, "metadata.ownerReferences", "keep the Canary as the controller"))
    problems += [
        _forbidden(request, f"metadata.annotations[{key}]", "leave it out") for key in _forged(old, new)
    ]
    owned, way = _OWNED.get(request.resource.plural, (_route, "change the Canary"))
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return problems
    was, now = dict(owned(before)), dict(owned(after))
    fields = [field for field in {**was, **now} if was.get(field) != now.get(field)]
    way = way.format(source=request.name.removesuffix("-primary"))
    return problems + [_forbidden(request, field, way) for field in fields]


def _forged(old: Json, new: Json) -> Iterator[str]:
    """Annotations by which the controller knows what it has done, with something else in them."""
    was, now = ((side.get("metadata") or {}).get("annotations") or {} for side in (old, new))
    for key, value in now.items():
        if key.startswith(ANNOTATION_PREFIX) and was.get(key) != value:
            yield key


def _forbidden(request: Request, field: str, way: str) -> Problem:
    canary = label_in(request.old or {})
    message = (
        f"Forbidden: {request.name} is written by Canary {request.namespace}/{canary} alone; {way}; "
        f"in an emergency set annotation {BREAK_GLASS_ANNOTATION} first"
    )
    return Problem(field, ProblemReason.FORBIDDEN, message)


Fields = Iterator[tuple[str, Any]]


def _primary(spec: Json) -> Fields:
    """All of a primary's spec, but for its size and for the mark that `kubectl rollout restart` sets."""
    for name, value in spec.items():
        if name == "template":
            metadata = value.get("metadata") or {}
            kept = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != _RESTARTED}
            yield "spec.template", {**value, "metadata": {**metadata, "annotations": kept}}
        elif name != "replicas":
            yield f"spec.{name}", value


def _service(spec: Json) -> Fields:
    """Which pods a Service means, and by which ports."""
    ports = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec.get("ports") or ()]
    yield "spec.selector", spec.get("selector")
    yield "spec.ports", sorted(ports, key=lambda port: (port.get("port", 0), port.get("protocol", "")))
    yield "spec.type", spec.get("type")
    yield "spec.trafficDistribution", spec.get("trafficDistribution")


def _route(spec: Json) -> Fields:
    """Which Services a TraefikService weighs, and how; and what would be used instead of the weights."""
    services = (spec.get("weighted") or {}).get("services") or ()
    yield "spec.weighted.services", [{key: each.get(key) for key in _ROUTED} for each in services]
    for rival in ("mirroring", "failover", "highestRandomWeight"):
        yield f"spec.{rival}", spec.get(rival)


def _autoscaler(spec: Json) -> Fields:
    return iter((f"spec.{name}", value) for name, value in spec.items())


_OWNED: dict[str, tuple[Callable[[Json], Fields], str]] = {
    DEPLOYMENTS.plural: (
        _primary,
        "change Deployment {source}, and the template that passes its analysis comes here",
    ),
    SERVICES.plural: (_service, "change spec.service of the Canary"),
    HPAS.plural: (_autoscaler, "change HorizontalPodAutoscaler {source}, which is copied here"),
}
