"""Nobody grants more than they have: the checks of writes to roles and bindings, and of applies that create.

    role:    verb `escalate`, or every right in it is held already
    binding: verb `bind`, or every right in its role is held already

Called by `server.py` for each write that is about to be stored.
"""

from collections.abc import Iterator, Sequence

from sandbox.apiserver import status
from sandbox.apiserver.access.attributes import Access
from sandbox.apiserver.access.rbac import GROUP, MASTERS, Authorizer, Rule, compile_rules
from sandbox.apiserver.admission.webhooks import Attributes
from sandbox.apiserver.requests import Call, User
from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import quoted

_OF_COLLECTOR = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
_EVERYTHING = (
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
)


class Escalation:
    """Refuses writes that would give somebody more than the writer may give."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, attributes: Attributes) -> None:
        """Raises an ApiError: 403, or 404 for a binding whose role does not exist."""
        call, old, new = attributes.call, attributes.old, attributes.new
        user, resource = call.user, call.target.resource
        if new is None or MASTERS in user.groups:
            return
        if attributes.operation == "CREATE" and call.verb != "create":
            self._check_create(call)
        if resource.group != GROUP or (old is not None and _same_for_people(old, new)):
            return
        if resource.kind in ("Role", "ClusterRole"):
            self._check_role(call, new)
        else:
            self._check_binding(call, new)

    def _check_create(self, call: Call) -> None:
        """An apply that creates needs both verbs."""
        target = call.target
        access = Access(
            "create", target.resource.group, target.resource.plural, target.namespace, target.name
        )
        if not self._authorizer.decide(call.user, access).allowed:
            raise status.access_denied(call.user.name, access)

    def _check_role(self, call: Call, role: Json) -> None:
        target, name = call.target, role["metadata"]["name"]
        may = Access("escalate", GROUP, target.resource.plural, target.namespace, name)
        if self._authorizer.decide(call.user, may).allowed:
            return
        if role.get("aggregationRule") and self._missing(call.user, "", compile_rules(list(_EVERYTHING))):
            why = "must have cluster-admin privileges to use the aggregationRule"
            raise status.forbidden(target.resource, name, why)
        self._require(call, name, compile_rules(role.get("rules")))

    def _check_binding(self, call: Call, binding: Json) -> None:
        target, name, role = call.target, binding["metadata"]["name"], binding["roleRef"]
        plural = "clusterroles" if role["kind"] == "ClusterRole" else "roles"
        may = Access("bind", GROUP, plural, target.namespace, role["name"])
        if self._authorizer.decide(call.user, may).allowed:
            return
        rules = self._authorizer.role_rules(role["kind"], role["name"], target.namespace)
        if rules is None:
            raise status.not_found(target.resource, role["name"])
        self._require(call, name, rules)

    def _require(self, call: Call, name: str, rules: Sequence[Rule]) -> None:
        missing = self._missing(call.user, call.target.namespace, rules)
        if missing:
            groups = " ".join(quoted(group) for group in call.user.groups)
            why = f"user {quoted(call.user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions"
            listed = "\n".join(sorted(missing))
            raise status.forbidden(call.target.resource, name, f"{why} not currently held:\n{listed}")

    def _missing(self, user: User, namespace: str, rules: Sequence[Rule]) -> list[str]:
        """The rights in `rules` that the user does not have, as refusals list them."""
        held = self._authorizer.rules(user, namespace)
        lacking: dict[str, list[str]] = {}
        for rule in rules:
            for access in _rights(rule):
                # A rule for certain names allows no right to all: the empty name is none of its names.
                if not any(mine.allows(access) for mine in held):
                    lacking.setdefault(_shown(access), []).append(quoted(access.verb))
        return [line for what, verbs in lacking.items() for line in _lines(what, verbs)]


def _rights(rule: Rule) -> Iterator[Access]:
    """Every single right in a rule; without resourceNames its name is empty, which means all."""
    written = rule.source
    for verb in written.get("verbs") or ():
        for url in written.get("nonResourceURLs") or ():
            yield Access(verb, path=url)
    for group in written.get("apiGroups") or ():
        for resource in written.get("resources") or ():
            for name in written.get("resourceNames") or [""]:
                for verb in written.get("verbs") or ():
                    yield Access(verb, group, resource, name=name)


def _shown(right: Access) -> str:
    if right.path:
        return f"NonResourceURLs:[{quoted(right.path)}]"
    names = f", ResourceNames:[{quoted(right.name)}]" if right.name else ""
    return f"APIGroups:[{quoted(right.group)}], Resources:[{quoted(right.resource)}]{names}"


def _lines(what: str, verbs: list[str]) -> Iterator[str]:
    groups = [[verb] for verb in verbs] if what.startswith("NonResource") else [verbs]
    for group in groups:
        yield f"{{{what}, Verbs:[{' '.join(group)}]}}"


def _same_for_people(old: Json, new: Json) -> bool:
    """Whether a write changes only what the garbage collector does."""
    return _without_collected(old) == _without_collected(new)


def _without_collected(obj: Json) -> Json:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _OF_COLLECTOR}
    return {**obj, "metadata": metadata}
