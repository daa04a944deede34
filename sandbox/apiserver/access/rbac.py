"""Who may do what: roles and bindings, compiled once, asked on every request.

    roles, bindings -> Grants by subject -> Decision, remembered for the same question
           any write to them -> all forgotten, compiled again when next asked

Asked by `gate.py` for requests, by `reviews.py` for people, and by `escalation.py` about what may be granted.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sandbox.apiserver.access.attributes import Access
from sandbox.apiserver.requests import User
from sandbox.apiserver.resources import Json
from sandbox.apiserver.storage import Store

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
ANYTHING = "*"
_MOST_DECISIONS = 10_000


class Decision(NamedTuple):
    """Whether somebody may do something, and by which binding; the reason is empty for masters."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a role."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    urls: tuple[str, ...]
    source: Json
    """As it is written in the role."""

    def allows(self, access: Access) -> bool:
        if access.verb not in self.verbs and ANYTHING not in self.verbs:
            return False
        if access.path:
            return any(_is_within(access.path, url) for url in self.urls)
        return (
            (access.group in self.groups or ANYTHING in self.groups)
            and self._has_resource(access.resource)
            and (not self.names or access.name in self.names)
        )

    def _has_resource(self, resource: str) -> bool:
        if resource in self.resources or ANYTHING in self.resources:
            return True
        _, slash, subresource = resource.partition("/")
        return bool(slash) and f"*/{subresource}" in self.resources


def _is_within(path: str, url: str) -> bool:
    return path == url or (url.endswith(ANYTHING) and path.startswith(url[:-1]))


def compile_rules(written: list[Json] | None) -> tuple[Rule, ...]:
    """The rules of a role."""
    return tuple(
        Rule(
            verbs=frozenset(rule.get("verbs") or ()),
            groups=frozenset(rule.get("apiGroups") or ()),
            resources=frozenset(rule.get("resources") or ()),
            names=frozenset(rule.get("resourceNames") or ()),
            urls=tuple(rule.get("nonResourceURLs") or ()),
            source=rule,
        )
        for rule in written or ()
    )


@dataclass(frozen=True, slots=True)
class Grant:
    """What one binding gives one subject."""

    rules: tuple[Rule, ...]
    reason: str


class Authorizer:
    """Answers from the roles and bindings of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._grants: dict[tuple[str, str], list[Grant]] | None = None
        self._decisions: dict[tuple[str, tuple[str, ...], Access], Decision] = {}

    def forget(self) -> None:
        """To be called whenever a role or binding was written."""
        self._grants = None
        self._decisions.clear()

    def decide(self, user: User, access: Access) -> Decision:
        if MASTERS in user.groups:
            return Decision(allowed=True)
        question = (user.name, user.groups, access)
        decision = self._decisions.get(question)
        if decision is None:
            if len(self._decisions) >= _MOST_DECISIONS:
                self._decisions.clear()
            decision = self._decisions[question] = self._decide(user, access)
        return decision

    def rules(self, user: User, namespace: str) -> list[Rule]:
        """All that a user is granted in a namespace."""
        return [rule for grant in self._granted(user, namespace) for rule in grant.rules]

    def role_rules(self, kind: str, name: str, namespace: str) -> tuple[Rule, ...] | None:
        """The rules of a Role or ClusterRole; None where there is no such role."""
        plural, key = ("clusterroles", ("", name)) if kind == "ClusterRole" else ("roles", (namespace, name))
        found = self._store.collection(f"{GROUP}/{plural}").get(key)
        return None if found is None else compile_rules(found.obj.get("rules"))

    def _decide(self, user: User, access: Access) -> Decision:
        for grant in self._granted(user, access.namespace):
            if any(rule.allows(access) for rule in grant.rules):
                return Decision(allowed=True, reason=grant.reason)
        return Decision(allowed=False)

    def _granted(self, user: User, namespace: str) -> Iterator[Grant]:
        if self._grants is None:
            self._grants = self._compile()
        for subject in (user.name, *(_group(name) for name in user.groups)):
            yield from self._grants.get((subject, ""), ())
            if namespace:
                yield from self._grants.get((subject, namespace), ())

    def _compile(self) -> dict[tuple[str, str], list[Grant]]:
        """Grants by subject and namespace; those that hold everywhere have none."""
        grants: dict[tuple[str, str], list[Grant]] = defaultdict(list)
        for plural, kind in (("clusterrolebindings", "ClusterRoleBinding"), ("rolebindings", "RoleBinding")):
            for entry in self._store.collection(f"{GROUP}/{plural}").select():
                namespace, name = entry.key
                role = entry.obj["roleRef"]
                rules = self.role_rules(role["kind"], role["name"], namespace)
                binding = f'{kind} "{name}/{namespace}"' if namespace else f'{kind} "{name}"'
                for subject in entry.obj.get("subjects") or () if rules else ():
                    key, who = _subject(subject, namespace)
                    reason = f'RBAC: allowed by {binding} of {role["kind"]} "{role["name"]}" to {who}'
                    grants[key, namespace].append(Grant(rules or (), reason))
        return dict(grants)


def _group(name: str) -> str:
    """Groups share a dictionary with users; a user's name has no NUL."""
    return f"\0{name}"


def _subject(subject: Json, namespace: str) -> tuple[str, str]:
    """The key of a binding's subject, and how reasons name it. `namespace` is the binding's."""
    kind, name = subject["kind"], subject["name"]
    if kind == "ServiceAccount":
        namespace = subject.get("namespace") or namespace
        return f"system:serviceaccount:{namespace}:{name}", f'ServiceAccount "{name}/{namespace}"'
    return (_group(name) if kind == "Group" else name), f'{kind} "{name}"'
