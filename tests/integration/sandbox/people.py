"""Users of an API server in tests: whom an admin acts for, service accounts with tokens, what both are given.

The same against the sandbox's server and a real one. A real one learns of a new binding a moment later:
`knows` waits until it has.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.integration.api_client import ApiClient, Json

RBAC = "/apis/rbac.authorization.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
_NUMBERS = itertools.count()


@dataclass
class User:
    """Somebody who sends requests: with a token, or an admin in his name."""

    client: ApiClient
    name: str
    headers: dict[str, str] = field(default_factory=dict)
    subject: Json = field(default_factory=dict)

    async def send(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = {
            "method": method,
            "path": path,
            "headers": {"Content-Type": kind, **self.headers, **given},
            "body": body,
        }
        code, answer, _ = await self.client.exchange(request)
        return code, answer

    async def refused(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> str:
        """What the server says to a request that is forbidden."""
        code, answer = await self.send(method, path, body, kind)
        assert (code, answer["reason"]) == (403, "Forbidden"), answer
        return str(answer["message"])

    async def may(self, verb: str, resource: str, **attributes: str) -> bool:
        """The server's own answer, as `kubectl auth can-i` gets it."""
        asked = {"verb": verb, "resource": resource, **attributes}
        code, answer = await self.send(
            "POST", f"{AUTHORIZATION}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": asked}}
        )
        assert code == 201, answer
        return bool(answer["status"]["allowed"])


@dataclass
class Town:
    """One namespace of a cluster, with its admin."""

    admin: ApiClient
    namespace: str

    @property
    def core(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"

    @property
    def apps(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}"

    @property
    def rbac(self) -> str:
        return f"{RBAC}/namespaces/{self.namespace}"

    def person(self, name: str = "", **headers: str) -> User:
        """A user with a name of his own."""
        name = name or f"{self.namespace}-{next(_NUMBERS)}"
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        return User(self.admin, name, {"Impersonate-User": name, **given}, subject)

    async def account(self, name: str) -> User:
        """A service account that uses its own token."""
        await self.admin.done("POST", f"{self.core}/serviceaccounts", {"metadata": {"name": name}})
        token = await self.admin.done("POST", f"{self.core}/serviceaccounts/{name}/token", {})
        headers = {"Authorization": f"Bearer {token['status']['token']}"}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        return User(self.admin, f"system:serviceaccount:{self.namespace}:{name}", headers, subject)

    async def role(self, *rules: Json, name: str = "") -> str:
        """A Role in the namespace."""
        return await self._create("roles", {"rules": list(rules)}, name)

    async def cluster_role(self, *rules: Json) -> str:
        """A ClusterRole, under a name that no other test has."""
        name = f"{self.namespace}-{next(_NUMBERS)}"
        await self.admin.done(
            "POST", f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules)}
        )
        return name

    async def bind(self, subject: Json, role: str, kind: str = "Role") -> str:
        """The role, in this namespace."""
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
        return await self._create("rolebindings", {"roleRef": reference, "subjects": [subject]})

    async def bind_everywhere(self, subject: Json, role: str) -> str:
        """The ClusterRole, in all namespaces."""
        name = f"{self.namespace}-{next(_NUMBERS)}"
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        body = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        await self.admin.done("POST", f"{RBAC}/clusterrolebindings", body)
        return name

    async def allow(self, user: User, *rules: Json, everywhere: bool = False) -> str:
        """Give a user these rights; returns the binding's name once the server heeds it."""
        if everywhere:
            name = await self.bind_everywhere(user.subject, await self.cluster_role(*rules))
        else:
            name = await self.bind(user.subject, await self.role(*rules))
        await self.knows(user, rules[0])
        return name

    async def knows(self, user: User, rule: Json, *, allowed: bool = True) -> None:
        """Return once the server heeds that a user may do what the rule says, or no longer may."""
        if "nonResourceURLs" in rule:
            asked: Json = {
                "nonResourceAttributes": {"verb": rule["verbs"][0], "path": rule["nonResourceURLs"][0]}
            }
        else:
            resource, _, subresource = rule["resources"][0].partition("/")
            attributes = {
                "verb": rule["verbs"][0],
                "group": rule["apiGroups"][0],
                "resource": resource,
                "subresource": subresource,
                "namespace": self.namespace,
                "name": (rule.get("resourceNames") or [""])[0],
            }
            asked = {"resourceAttributes": attributes}
        while True:
            code, answer = await user.send(
                "POST", f"{AUTHORIZATION}/selfsubjectaccessreviews", {"spec": asked}
            )
            assert code == 201, answer
            if bool(answer["status"]["allowed"]) == allowed:
                return
            await asyncio.sleep(0.02)

    async def _create(self, plural: str, body: Json, name: str = "") -> str:
        name = name or f"r{next(_NUMBERS)}"
        await self.admin.done("POST", f"{self.rbac}/{plural}", {"metadata": {"name": name}, **body})
        return name


def rule(groups: str, resources: str, verbs: str, *names: str) -> Json:
    """A rule; words apart by spaces, `core` for the group without a name."""
    written: Json = {
        "apiGroups": [group.replace("core", "") for group in groups.split()],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }
    return {**written, "resourceNames": list(names)} if names else written


@asynccontextmanager
async def town(admin: ApiClient) -> AsyncIterator[Town]:
    """A new namespace."""
    name = f"town-{next(_NUMBERS)}"
    await admin.done("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield Town(admin, name)
