"""What a role or binding must be like, in the words of kube-apiserver 1.36. Called by `validation.py`."""

from collections.abc import Callable, Iterator

from sandbox.apiserver.resources import Json
from sandbox.apiserver.status import FieldError

_GROUP = "rbac.authorization.k8s.io"
_SUBJECT_GROUPS = {"ServiceAccount": "", "User": _GROUP, "Group": _GROUP}


def _role(obj: Json) -> Iterator[FieldError]:
    for index, rule in enumerate(obj.get("rules") or ()):
        yield from _rule(rule, f"rules[{index}]", namespaced=True)


def _cluster_role(obj: Json) -> Iterator[FieldError]:
    for index, rule in enumerate(obj.get("rules") or ()):
        yield from _rule(rule, f"rules[{index}]", namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is not None and not aggregation.get("clusterRoleSelectors"):
        why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        yield FieldError.required("aggregationRule.clusterRoleSelectors", why)


def _rule(rule: Json, path: str, *, namespaced: bool) -> Iterator[FieldError]:
    if not rule.get("verbs"):
        yield FieldError.required(f"{path}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            yield FieldError.invalid(f"{path}.nonResourceURLs", urls, why)
        if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            yield FieldError.invalid(f"{path}.nonResourceURLs", urls, why)
        return
    if not rule.get("apiGroups"):
        yield FieldError.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield FieldError.required(f"{path}.resources", "resource rules must supply at least one resource")


def _role_binding(obj: Json) -> Iterator[FieldError]:
    yield from _binding(obj, ("Role", "ClusterRole"))


def _cluster_role_binding(obj: Json) -> Iterator[FieldError]:
    yield from _binding(obj, ("ClusterRole",))


def _binding(obj: Json, kinds: tuple[str, ...]) -> Iterator[FieldError]:
    role = obj.get("roleRef") or {}
    if role.get("apiGroup") != _GROUP:
        yield FieldError.unsupported("roleRef.apiGroup", role.get("apiGroup", ""), [_GROUP])
    if role.get("kind") not in kinds:
        yield FieldError.unsupported("roleRef.kind", role.get("kind", ""), kinds)
    if not role.get("name"):
        yield FieldError.required("roleRef.name")
    elif "/" in role["name"]:
        yield FieldError.invalid("roleRef.name", role["name"], "may not contain '/'")
    for index, subject in enumerate(obj.get("subjects") or ()):
        yield from _subject(subject, f"subjects[{index}]", needs_namespace=len(kinds) == 1)


def _subject(subject: Json, path: str, *, needs_namespace: bool) -> Iterator[FieldError]:
    if not subject.get("name"):
        yield FieldError.required(f"{path}.name")
    kind, group = subject.get("kind", ""), subject.get("apiGroup", "")
    if kind not in _SUBJECT_GROUPS:
        yield FieldError.unsupported(f"{path}.kind", kind, list(_SUBJECT_GROUPS))
        return
    if group != _SUBJECT_GROUPS[kind]:
        yield FieldError.unsupported(f"{path}.apiGroup", group, [_SUBJECT_GROUPS[kind]])
    if kind == "ServiceAccount" and needs_namespace and not subject.get("namespace"):
        yield FieldError.required(f"{path}.namespace")


CHECKS: dict[tuple[str, str], Callable[[Json], Iterator[FieldError]]] = {
    (_GROUP, "Role"): _role,
    (_GROUP, "ClusterRole"): _cluster_role,
    (_GROUP, "RoleBinding"): _role_binding,
    (_GROUP, "ClusterRoleBinding"): _cluster_role_binding,
}


def check_change(old: Json, new: Json) -> Iterator[FieldError]:
    """A binding's role is for ever; the refusal spells its fields as the server's own language does."""
    before, after = old.get("roleRef"), new.get("roleRef") or {}
    if before is not None and before != after:
        spelled = {
            f"{name[0].upper()}{name[1:]}".replace("Api", "API"): after[name] for name in sorted(after)
        }
        yield FieldError.invalid("roleRef", spelled, "cannot change roleRef")
