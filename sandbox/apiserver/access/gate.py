"""The door: who sends a request, for whom, and whether they may. Called by `server.py` before all else.

Authorization -> User (401) -> Impersonate-* headers (may they?) -> User -> rbac.py -> in, or 403
"""

import orjson
from multidict import CIMultiDictProxy

from sandbox.apiserver import status
from sandbox.apiserver.access.attributes import Access
from sandbox.apiserver.access.rbac import Authorizer
from sandbox.apiserver.access.tokens import (
    ANONYMOUS,
    AUTHENTICATED,
    Tokens,
    named_service_account,
    service_account,
)
from sandbox.apiserver.requests import User
from sandbox.apiserver.status import ApiError

_EXTRA = "impersonate-extra-"
_REVIEWS = "authentication.k8s.io"


class Gate:
    """Lets requests in."""

    def __init__(self, tokens: Tokens, authorizer: Authorizer) -> None:
        self._tokens = tokens
        self._authorizer = authorizer

    def enter(self, headers: CIMultiDictProxy[str], access: Access) -> User:
        """The user that a request acts as, who may do what it asks. Raises an ApiError: 400, 401 or 403."""
        user = self._tokens.from_header(headers.get("Authorization", ""))
        if user is None:
            raise status.unauthorized()
        if any(name.lower().startswith("impersonate-") for name in headers):
            user = self._impersonated(user, headers, access)
        self.check(user, access)
        return user

    def check(self, user: User, access: Access) -> None:
        """Raises an ApiError (403) for what the user may not do."""
        if not self._authorizer.decide(user, access).allowed:
            raise status.access_denied(user.name, access)

    def _impersonated(self, user: User, headers: CIMultiDictProxy[str], access: Access) -> User:
        wanted = _wanted(headers)
        if not wanted.name:
            raise _nobody(wanted)
        account = named_service_account(wanted.name)
        if account is not None:
            asked = [Access("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])]
        else:
            asked = [Access("impersonate", resource="users", name=wanted.name)]
        asked += [Access("impersonate", resource="groups", name=group) for group in wanted.groups]
        for key, values in wanted.extra.items():
            asked += [Access("impersonate", _REVIEWS, f"userextras/{key}", name=value) for value in values]
        if wanted.uid:
            asked.append(Access("impersonate", _REVIEWS, "uids", name=wanted.uid))
        if not self._authorizer.decide(user, asked[0]).allowed:
            raise status.access_denied(user.name, _refused(wanted, asked[0], access))
        for each in asked[1:]:
            self.check(user, each)
        return _with_groups(wanted, account)


def _wanted(headers: CIMultiDictProxy[str]) -> User:
    """As the headers name it."""
    extra: dict[str, tuple[str, ...]] = {}
    for name, value in headers.items():
        if name.lower().startswith(_EXTRA):
            key = name.lower().removeprefix(_EXTRA)
            extra[key] = (*extra.get(key, ()), value)
    groups = tuple(headers.getall("Impersonate-Group", ()))
    return User(headers.get("Impersonate-User", ""), headers.get("Impersonate-Uid", ""), groups, extra)


def _with_groups(wanted: User, account: tuple[str, str] | None) -> User:
    """With the groups that its kind of user always has."""
    groups = wanted.groups
    if account is not None and not groups:
        groups = service_account(*account).groups
    always = ANONYMOUS.groups[0] if wanted.name == ANONYMOUS.name else AUTHENTICATED
    if always not in groups:
        groups = (*groups, always)
    return User(wanted.name, wanted.uid, groups, wanted.extra)


def _refused(wanted: User, asked: Access, access: Access) -> Access:
    """What a user lacks who may not impersonate: a real server names the verbs that would do in this case."""
    if named_service_account(wanted.name) is None:
        mode = "arbitrary-node" if wanted.name.startswith("system:node:") else "user-info"
    elif wanted.groups:
        return asked
    else:
        mode = "serviceaccount"
    return access._replace(verb=f"impersonate-on:{mode}:{access.verb}")


def _nobody(wanted: User) -> ApiError:
    groups = ", ".join(orjson.dumps(group).decode() for group in wanted.groups)
    listed = f"[]string{{{groups}}}" if groups else "[]string(nil)"
    asked = (
        f'&user.DefaultInfo{{Name:"", UID:"{wanted.uid}", Groups:{listed}, Extra:map[string][]string(nil)}}'
    )
    return status.bad_request(f"requested {asked} without impersonating a user name")
