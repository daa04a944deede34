"""Who a client is: bearer tokens, issued here and forgotten when the server stops.

Authorization: Bearer … -> Tokens -> User        reviews.py answers what Kubernetes' review kinds ask
"""

import secrets

from sandbox.apiserver.requests import User

ADMIN = User("admin", groups=("system:masters", "system:authenticated"))


def service_account(namespace: str, name: str, uid: str = "") -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", uid, groups)


class Tokens:
    """The tokens in force."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def issue(self, user: User) -> str:
        """A new token for `user`."""
        token = secrets.token_urlsafe(32)
        self._users[token] = user
        return token

    def user(self, token: str) -> User | None:
        return self._users.get(token)

    def from_header(self, authorization: str) -> User | None:
        """The user of an Authorization header; None where there is none that is known."""
        scheme, _, token = authorization.partition(" ")
        return self.user(token.strip()) if scheme.lower() == "bearer" else None
