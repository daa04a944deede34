"""Questions about users: who am I, who is this token, may I. Every known user may do everything."""

import orjson

from sandbox.apiserver import status
from sandbox.apiserver.auth import Tokens
from sandbox.apiserver.replies import Reply
from sandbox.apiserver.requests import Call, parse_body
from sandbox.apiserver.resources import Json, ResourceType

_KINDS = {"SelfSubjectReview", "TokenReview", "SelfSubjectAccessReview", "SubjectAccessReview"}


class Reviews:
    """Answers the review kinds, which are created but never stored."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def answers(self, resource: ResourceType) -> bool:
        return resource.kind in _KINDS

    def serve(self, call: Call) -> Reply:
        if call.method != "POST":
            raise status.method_not_allowed()
        kind = call.target.resource.kind
        body = parse_body(call, kind)
        spec = body.get("spec") or {}
        answer: Json = {
            "kind": kind,
            "apiVersion": call.target.resource.api_version,
            "metadata": body.get("metadata") or {},
            "spec": spec,
            "status": self._status(call, kind, spec),
        }
        if kind == "SelfSubjectReview":
            del answer["spec"]
        return Reply(201, orjson.dumps(answer))

    def _status(self, call: Call, kind: str, spec: Json) -> Json:
        match kind:
            case "SelfSubjectReview":
                return {"userInfo": call.user.info}
            case "TokenReview":
                user = self._tokens.user(spec.get("token") or "")
                return (
                    {"authenticated": True, "user": user.info}
                    if user
                    else {"user": {}, "error": "unknown token"}
                )
        return {"allowed": True}
