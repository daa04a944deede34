"""What tests of rules are made of: a change of podinfo's Canary, what is around it, what is said of it."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from admission import check
from admission.answer import Severity, Violation
from admission.request import Operation, User
from admission.rules import KINDS
from admission.rules.rule import Change, Options
from shared.resources import CANARIES, Resource
from shared.types.meta import Json

Edits = Mapping[str, Any]
"""New values by path, as `spec.analysis.stepWeight`; None takes the field out."""

DENY, WARN = Severity.DENY, Severity.WARN


@dataclass
class Around:
    """A Lookup of some objects; `allowed` says yes to everything."""

    objects: Sequence[Json] = ()
    complete: bool = True

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        found = (obj for obj in self.list(resource, namespace) if obj["metadata"]["name"] == name)
        return next(found, None)

    def list(self, resource: Resource, namespace: str) -> Sequence[Json]:
        return [
            obj
            for obj in self.objects
            if obj["apiVersion"] == resource.api_version
            and obj["kind"] == resource.kind
            and obj["metadata"]["namespace"] == (namespace or obj["metadata"]["namespace"])
        ]

    def allowed(self, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        return True


def canary(edits: Edits | None = None) -> Json:
    """podinfo's Canary, which no rule has anything against."""
    obj: Json = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "progressDeadlineSeconds": 60,
            "service": {"port": 80, "targetPort": 9898},
            "analysis": {
                "interval": "10s",
                "threshold": 10,
                "maxWeight": 50,
                "stepWeight": 5,
                "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}],
            },
        },
        "status": {"phase": "Succeeded", "canaryWeight": 0, "failedChecks": 0},
    }
    return edited(obj, edits or {})


def edited(obj: Json, edits: Edits) -> Json:
    """A copy with other values."""
    result = copy.deepcopy(obj)
    for path, value in edits.items():
        *parents, last = path.split(".")
        node = result
        for name in parents:
            node = node.setdefault(name, {})
        if value is None:
            node.pop(last, None)
        else:
            node[last] = value
    return result


def thing(kind: str, name: str, api: str, **parts: Any) -> Json:
    """Any object of namespace test."""
    metadata = {"name": name, "namespace": "test", **parts.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **parts}


def deployment(name: str = "podinfo", *, replicas: int = 0, app: str = "podinfo") -> Json:
    """The target."""
    labels = {"app": app}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "podinfod"}]}},
    }
    return thing("Deployment", name, "apps/v1", spec=spec)


@dataclass(frozen=True)
class Case:
    """A change that breaks a rule, what is said then, and the nearest one that does not."""

    rule: str
    severity: Severity
    bad: Edits
    says: str
    """The whole problem."""
    good: Edits
    before: Edits | None = None
    """The Canary before an update; None where it is created."""
    around: Sequence[Json] = ()
    good_around: Sequence[Json] | None = None
    """What is around the good one, where it differs."""
    options: Options = field(default_factory=Options)

    def __str__(self) -> str:
        return f"{self.rule} {self.says}"

    def refused(self) -> list[tuple[Severity, str]]:
        """What the rule says of the bad one."""
        return said(self.rule, self._run(self.bad, self.around))

    def passed(self) -> list[tuple[Severity, str]]:
        """What the rule says of the good one: nothing, if it is right."""
        around = self.around if self.good_around is None else self.good_around
        return said(self.rule, self._run(self.good, around))

    def _run(self, edits: Edits, around: Sequence[Json]) -> tuple[Violation, ...]:
        before = None if self.before is None else canary(self.before)
        new = canary({**(self.before or {}), **edits})
        return violations(new, before, around=around, options=self.options)


def violations(
    new: Json | None,
    old: Json | None = None,
    *,
    around: Sequence[Json] = (),
    complete: bool = True,
    resource: Resource = CANARIES,
    options: Options | None = None,
) -> tuple[Violation, ...]:
    """All violations of a create, update or delete."""
    operation = Operation.DELETE if new is None else Operation.CREATE if old is None else Operation.UPDATE
    (kind,) = (kind for kind in KINDS if kind.resource == resource)
    user = User("kim")
    change: Change[Any] = Change(operation, None, None, new, old, user, options or Options())
    return check.check(check.read(kind, change), Around(around, complete=complete))


def said(rule: str, found: Sequence[Violation]) -> list[tuple[Severity, str]]:
    """What a rule says, with how serious it is."""
    return [(each.severity, str(each.problem)) for each in found if each.rule == rule]


def rules_of(found: Iterable[Violation]) -> list[str]:
    """The ids of the rules that are broken."""
    return [each.rule for each in found]
