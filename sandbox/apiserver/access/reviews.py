"""Questions about users: who am I, who is this token, may I, may they, what may I.

    review -> decode, check -> gate's own answer (rbac.py, tokens.py) -> the same object with a status

Called by `handlers.py`. Reviews are created, answered and never stored.
"""

from collections.abc import Callable

import orjson

from sandbox.apiserver import decoding, fieldmanagement, status
from sandbox.apiserver.access.attributes import Access
from sandbox.apiserver.access.rbac import Authorizer
from sandbox.apiserver.access.tokens import AUDIENCE, Tokens
from sandbox.apiserver.bodies import parse_body
from sandbox.apiserver.fieldmanagement import Author
from sandbox.apiserver.lifecycle import timestamp
from sandbox.apiserver.replies import Reply
from sandbox.apiserver.requests import Call, User
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.status import ApiError, FieldError

_OWN_KINDS = ("SelfSubjectReview", "SelfSubjectRulesReview")
"""Kinds whose answers have no managedFields."""


class Reviews:
    """Answers the review kinds."""

    def __init__(self, tokens: Tokens, authorizer: Authorizer) -> None:
        self._tokens = tokens
        self._authorizer = authorizer
        self._kinds: dict[str, Callable[[Call, Json], Json]] = {
            "SelfSubjectReview": self._who_am_i,
            "TokenReview": self._token,
            "SelfSubjectAccessReview": self._may_i,
            "SubjectAccessReview": self._may_they,
            "LocalSubjectAccessReview": self._may_they,
            "SelfSubjectRulesReview": self._rules,
        }

    def answers(self, resource: ResourceType) -> bool:
        return resource.kind in self._kinds

    def serve(self, call: Call) -> Reply:
        """Raises an ApiError: 400, 405 or 422."""
        if call.method != "POST":
            raise status.method_not_allowed()
        resource = call.target.resource
        review = decoding.decode(call, parse_body(call, resource.kind))
        metadata = review["metadata"]
        if call.target.namespace:
            metadata["namespace"] = call.target.namespace
        if resource.kind not in _OWN_KINDS:
            metadata["managedFields"] = _managed_fields(call, review)
        return Reply(201, orjson.dumps({**review, **self._kinds[resource.kind](call, review)}))

    def _who_am_i(self, call: Call, review: Json) -> Json:
        metadata = {**review["metadata"], "creationTimestamp": timestamp()}
        return {"metadata": metadata, "status": {"userInfo": call.user.info}}

    def _token(self, _: Call, review: Json) -> Json:
        token = (review.get("spec") or {}).get("token") or ""
        if not token:
            raise status.bad_request("token is required for TokenReview in authentication")
        user = self._tokens.user(token)
        if user is None:
            return {"status": {"user": {}, "error": "invalid bearer token"}}
        audiences = review["spec"].get("audiences") or [AUDIENCE]
        return {"status": {"authenticated": True, "user": user.info, "audiences": audiences}}

    def _may_i(self, call: Call, review: Json) -> Json:
        return self._answer(call.user, _asked(call, review))

    def _may_they(self, call: Call, review: Json) -> Json:
        spec = review.get("spec") or {}
        access = _asked(call, review)
        user, groups = spec.get("user") or "", tuple(spec.get("groups") or ())
        if not user and not groups:
            raise _invalid(call, "spec.user", "", "at least one of user or group must be specified")
        return self._answer(User(user, spec.get("uid") or "", groups), access)

    def _answer(self, user: User, access: Access) -> Json:
        allowed, reason = self._authorizer.decide(user, access)
        return {"status": {"allowed": allowed, "reason": reason} if reason else {"allowed": allowed}}

    def _rules(self, call: Call, review: Json) -> Json:
        namespace = (review.get("spec") or {}).get("namespace") or ""
        if not namespace:
            raise status.bad_request("no namespace on request")
        rules = [rule.source for rule in self._authorizer.rules(call.user, namespace)]
        answer = {
            "resourceRules": [rule for rule in rules if not rule.get("nonResourceURLs")],
            "nonResourceRules": [rule for rule in rules if rule.get("nonResourceURLs")],
            "incomplete": False,
        }
        return {"spec": {}, "status": answer}


def _asked(call: Call, review: Json) -> Access:
    """What the spec asks about."""
    spec = review.get("spec") or {}
    resource: Json | None = spec.get("resourceAttributes")
    url: Json | None = spec.get("nonResourceAttributes")
    if resource is None and url is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise _invalid(call, "spec.resourceAttributes", None, why)
    if resource is not None and url is not None:
        shown = {"Path": url.get("path", ""), "Verb": url.get("verb", "")}
        why = "cannot be specified in combination with resourceAttributes"
        raise _invalid(call, "spec.nonResourceAttributes", shown, why)
    namespace = call.target.namespace
    if namespace and (resource or {}).get("namespace", "") != namespace:
        given = (resource or {}).get("namespace", "")
        raise _invalid(call, "spec.resourceAttributes.namespace", given, "must match metadata.namespace")
    if url is not None:
        return Access(url.get("verb", ""), path=url.get("path", ""))
    resource = resource or {}
    what = "/".join(filter(None, (resource.get("resource", ""), resource.get("subresource", ""))))
    verb, group = resource.get("verb", ""), resource.get("group", "")
    return Access(verb, group, what, resource.get("namespace", ""), resource.get("name", ""))


def _invalid(call: Call, field: str, value: object, why: str) -> ApiError:
    """A real server leaves out the kind of a review."""
    error = FieldError.invalid(field, value, why)
    cause = {"reason": error.reason, "message": error.message, "field": field}
    group = call.target.resource.group
    message = f'.{group} "" is invalid: {field}: {error.message}'
    return ApiError(status.status_object(422, "Invalid", message, {"group": group, "causes": [cause]}))


def _managed_fields(call: Call, review: Json) -> list[Json]:
    resource = call.target.resource
    author = Author(call.field_manager, "Update", resource.api_version, "", timestamp())
    schema = decoding.schema_of(resource)
    return fieldmanagement.track_update({"metadata": {}, "spec": {}}, review, schema, author, [])
