"""Which webhooks a write concerns: configurations compiled once, rules, selectors and conditions.

    configuration written -> Webhook (compiled)      write -> rules -> selectors -> conditions -> Invocation

Called by `chain.py`; answers to the calls are no business of this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.apiserver import cel, status
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Catalog, Json, ResourceType
from sandbox.apiserver.selectors import matches_selector
from sandbox.apiserver.storage import Store

REGISTRATION = "admissionregistration.k8s.io"
VARIABLES = frozenset({"object", "oldObject", "request", "namespaceObject"})
"""What conditions may ask for."""

_NAMESPACES = "/namespaces"
_BINDING = "binding"
"""Here it is an update of a pod, which no webhook expects; only the sandbox's own scheduling binds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the objects of a review are."""

    group: str
    version: str
    kind: str

    @property
    def shown(self) -> Json:
        return {"group": self.group, "version": self.version, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Attributes:
    """A write as admission sees it: `old` is None for a create, `new` for a delete.

    Objects are in storage form, unless `kind` says that they are something else: a Scale, for example.
    """

    call: Call
    operation: str
    name: str
    old: Json | None
    new: Json | None
    options: Json | None = None
    """Of a delete; those of other writes are in the call."""
    kind: Kind | None = None

    @property
    def namespace(self) -> str:
        """As webhooks are told it: a Namespace is in itself."""
        target = self.call.target
        return self.name if target.resource.storage == _NAMESPACES else target.namespace


@dataclass(frozen=True, slots=True)
class Webhook:
    """One compiled webhook. `timeout` is seconds."""

    configuration: str
    index: int
    name: str
    client: Json
    rules: Sequence[Json]
    equivalent: bool
    namespace_selector: Json
    object_selector: Json
    conditions: tuple[cel.Expression, ...]
    ignores_failures: bool
    timeout: int
    side_effects: bool
    reinvoked: bool
    version: str

    @property
    def id(self) -> tuple[str, int]:
        return self.configuration, self.index


def compiled(configuration: str, index: int, spec: Json) -> Webhook:
    """A stored, so valid and defaulted, webhook."""
    conditions = spec.get("matchConditions", ())
    return Webhook(
        configuration=configuration,
        index=index,
        name=spec["name"],
        client=spec["clientConfig"],
        rules=spec.get("rules", ()),
        equivalent=spec["matchPolicy"] == "Equivalent",
        namespace_selector=spec["namespaceSelector"],
        object_selector=spec["objectSelector"],
        conditions=tuple(cel.compiled(condition["expression"], VARIABLES) for condition in conditions),
        ignores_failures=spec["failurePolicy"] == "Ignore",
        timeout=spec["timeoutSeconds"],
        side_effects=spec["sideEffects"] not in ("None", "NoneOnDryRun"),
        reinvoked=spec.get("reinvocationPolicy") == "IfNeeded",
        version=next(v for v in spec["admissionReviewVersions"] if v in ("v1", "v1beta1")),
    )


@dataclass(frozen=True, slots=True)
class Invocation:
    """A webhook to call, and the version of the resource that it wants to see."""

    webhook: Webhook
    resource: ResourceType


class Webhooks:
    """The webhooks of one kind of configuration, as they are stored now."""

    def __init__(self, store: Store, catalog: Catalog, plural: str) -> None:
        self._catalog = catalog
        self._collection = store.collection(f"{REGISTRATION}/{plural}")
        self._compiled: list[Webhook] = []
        self._stamp: object = None
        self._candidates: dict[tuple[str, ...], tuple[Invocation, ...]] = {}

    def candidates(self, call: Call, operation: str) -> tuple[Invocation, ...]:
        """Those whose rules fit; selectors and conditions depend on the objects. In the order of calling."""
        if not self._collection.entries or call.target.subresource == _BINDING:
            return ()
        self._refresh()
        target = call.target
        key = (target.resource.api_version, target.resource.plural, target.subresource, operation)
        if key not in self._candidates:
            self._candidates[key] = tuple(self._selected(target.resource, target.subresource, operation))
        return self._candidates[key]

    def _refresh(self) -> None:
        entries = self._collection.entries
        stamp = (self._catalog.revision, *(entry.version for entry in entries.values()))
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._candidates = {}
        self._compiled = [
            compiled(name, index, spec)
            for (_, name), entry in sorted(entries.items())
            for index, spec in enumerate(entry.obj.get("webhooks", ()))
        ]

    def _selected(self, resource: ResourceType, subresource: str, operation: str) -> list[Invocation]:
        if resource.group == REGISTRATION:
            return []  # nobody locks themselves out of repairing the configurations
        found = []
        others = self._equivalents(resource)
        for webhook in self._compiled:
            forms = [resource, *others] if webhook.equivalent else [resource]
            fitting = (
                form
                for form in forms
                for rule in webhook.rules
                if _rule_matches(rule, form, subresource, operation)
            )
            form = next(fitting, None)
            if form is not None:
                found.append(Invocation(webhook, form))
        return found

    def _equivalents(self, resource: ResourceType) -> list[ResourceType]:
        """Other versions and groups in which the same objects are served."""
        return [
            other
            for versions in self._catalog.versions().values()
            for resources in versions.values()
            for other in resources
            if other.storage == resource.storage and other is not resource
        ]


def _rule_matches(rule: Json, resource: ResourceType, subresource: str, operation: str) -> bool:
    return (
        _listed(operation, rule["operations"])
        and _listed(resource.group, rule["apiGroups"])
        and _listed(resource.version, rule["apiVersions"])
        and any(_names(pattern, resource.plural, subresource) for pattern in rule["resources"])
        and rule["scope"] in ("*", "Namespaced" if resource.namespaced else "Cluster")
    )


def _listed(value: str, wanted: Sequence[str]) -> bool:
    return "*" in wanted or value in wanted


def _names(pattern: str, plural: str, subresource: str) -> bool:
    wanted, _, part = pattern.partition("/")
    return wanted in ("*", plural) and part in (("*", subresource) if part == "*" else (subresource,))


def concerns(webhook: Webhook, attributes: Attributes, store: Store) -> bool:
    """Whether the webhook's selectors match. Raises an ApiError (404) without the namespace."""
    return _namespace_matches(webhook.namespace_selector, attributes, store) and _object_matches(
        webhook.object_selector, attributes
    )


def _namespace_matches(selector: Json, attributes: Attributes, store: Store) -> bool:
    if not selector or not attributes.namespace:
        return True
    return matches_selector(selector, _namespace_labels(attributes, store))


def _namespace_labels(attributes: Attributes, store: Store) -> Json:
    target = attributes.call.target
    own = target.resource.storage == _NAMESPACES and not target.subresource
    if own and attributes.new is not None:
        return labels_of(attributes.new)
    space = store.collection(_NAMESPACES).get(("", attributes.namespace))
    if space is None:
        raise status.ApiError(
            status.status_object(
                404,
                "NotFound",
                f'namespaces "{attributes.namespace}" not found',
                {"name": attributes.namespace, "kind": "namespaces"},
            )
        )
    return labels_of(space.obj)


def _object_matches(selector: Json, attributes: Attributes) -> bool:
    if not selector:
        return True
    objects = (attributes.new, attributes.old)
    return any(obj is not None and matches_selector(selector, labels_of(obj)) for obj in objects)


def labels_of(obj: Json) -> Json:
    labels: Json = obj["metadata"].get("labels", {})
    return labels


def conditions_hold(webhook: Webhook, attributes: Attributes, context: cel.Context) -> bool:
    """Whether the webhook's conditions let it be called.

    Raises an ApiError (403) where one cannot be evaluated, none is false, and failures count.
    """
    errors: list[str] = []
    for expression in webhook.conditions:
        try:
            if expression.evaluate(context) is False:
                return False
        except cel.EvaluationError as error:
            errors.append(f"expression '{expression.source}' resulted in error: {error}")
    if not errors:
        return True
    if webhook.ignores_failures:
        return False
    why = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
    raise status.forbidden(attributes.call.target.resource, attributes.name, why)
