"""Who a client is: bearer tokens, issued here and forgotten when the server ends; and whom it acts for.

Authorization: Bearer … -> Tokens -> User ─┐
no Authorization                -> anonymous ├─► gate.py ─► Impersonation
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.apiserver.requests import User

AUTHENTICATED = "system:authenticated"
ADMIN = User("admin", groups=("system:masters", AUTHENTICATED))
ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))
AUDIENCE = "https://kubernetes.default.svc"
"""What tokens are for, unless something else is asked for."""
_SERVICE_ACCOUNT = "system:serviceaccount:"


def service_account(namespace: str, name: str, uid: str = "") -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"{_SERVICE_ACCOUNT}{namespace}:{name}", uid, groups)


def system_user(name: str, *groups: str) -> User:
    """A part of the cluster."""
    return User(f"system:{name}", groups=(*groups, AUTHENTICATED))


def named_service_account(user_name: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user's name stands for; None for other users."""
    namespace, colon, name = user_name.removeprefix(_SERVICE_ACCOUNT).partition(":")
    is_account = user_name.startswith(_SERVICE_ACCOUNT) and colon and namespace and name and ":" not in name
    return (namespace, name) if is_account else None


@dataclass(frozen=True, slots=True)
class _Token:
    user: User
    expires: float


class Tokens:
    """The tokens in force. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tokens: dict[str, _Token] = {}

    def issue(self, user: User, seconds: float = float("inf")) -> str:
        """A new token for `user`, good for so long."""
        token = secrets.token_urlsafe(32)
        self._tokens[token] = _Token(user, self._now() + seconds)
        return token

    def revoke(self, uid: str) -> None:
        """Ends the tokens of a service account that is deleted."""
        self._tokens = {text: token for text, token in self._tokens.items() if token.user.uid != uid}

    def user(self, token: str) -> User | None:
        found = self._tokens.get(token)
        if found is None:
            return None
        if self._now() >= found.expires:
            del self._tokens[token]
            return None
        return found.user

    def from_header(self, authorization: str) -> User | None:
        """The user of an Authorization header: anonymous where there is none, None where it is not known."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        return self.user(token.strip()) if scheme.lower() == "bearer" else None
