"""Subresources that are not the object itself: scale, pod logs, tokens, binding a pod to a node.

Called by `handlers.py`. What a plain process cannot offer (exec, port-forward, …) is refused with a clear
501.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import orjson

from sandbox.apiserver import decoding, options, status
from sandbox.apiserver.access.tokens import AUDIENCE, Tokens, service_account
from sandbox.apiserver.bodies import parse_body
from sandbox.apiserver.lifecycle import timestamp
from sandbox.apiserver.operations import Operations
from sandbox.apiserver.patching import patched
from sandbox.apiserver.replies import Reply, of_other_kind
from sandbox.apiserver.requests import Call, is_set
from sandbox.apiserver.resources import Json, ResourceType
from sandbox.apiserver.scales import scale_of, set_replicas
from sandbox.apiserver.status import ApiError, FieldError
from sandbox.apiserver.storage import Entry, fresh

_SCALE = ResourceType("autoscaling", "v1", "scales", "Scale")
_TOKEN_SECONDS = 3_600
_SHORTEST_TOKEN_SECONDS = 600


class Logs(Protocol):
    """Where the output of containers is."""

    def read(
        self, pod: Json, container: str, *, follow: Callable[[], bool] | None, tail: int | None
    ) -> AsyncIterator[bytes]:
        """Chunks of a container's output. `tail` limits how many past lines come first, `follow` says whether
        there may be more.
        """
        ...


class Subresources:
    """Serves them over the operations that all writes use."""

    def __init__(self, operations: Operations, tokens: Tokens, logs: Logs) -> None:
        self._operations = operations
        self._tokens = tokens
        self._logs = logs

    async def serve(self, call: Call) -> Reply:
        match call.target.subresource:
            case "scale":
                return await self._scale(call)
            case "log":
                return self._log(call)
            case "binding":
                return await self._bind(call)
            case "token":
                return self._token(call)
            case other:
                raise status.not_implemented(f"{call.target.resource.plural}/{other}")

    async def _scale(self, call: Call) -> Reply:
        resource = call.target.resource
        assert resource.scale is not None, "only kinds with scale paths have the subresource"
        if call.method == "GET":
            return of_other_kind(call, _SCALE, scale_of(self._operations.entry(call).obj, resource.scale))
        written = await self._operations.on_current(call, partial(self._scaled, call))
        return Reply.json(scale_of(written.obj, resource.scale))

    async def _scaled(self, call: Call, current: Entry) -> Entry:
        resource = call.target.resource
        assert resource.scale is not None, "checked before"
        scale = scale_of(current.obj, resource.scale)
        wanted = parse_body(call, "Scale") if call.method == "PUT" else fresh(patched(call, scale, {}))
        decoding.decode_other(wanted, "autoscaling", "Scale", "V1Scale")
        replicas = wanted.get("spec", {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            error = FieldError.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
            raise status.invalid(_SCALE, call.target.name, [error])
        version = wanted.get("metadata", {}).get("resourceVersion", "")
        if version not in ("", "0", current.obj["metadata"]["resourceVersion"]):
            raise status.conflict(resource, call.target.name)
        obj = fresh(current.obj)
        set_replicas(obj, resource.scale, replicas)
        return await self._operations.update(call, current, obj)

    def _log(self, call: Call) -> Reply:
        pod = self._operations.entry(call).obj
        names = [container["name"] for container in pod["spec"]["containers"]]
        container = call.query.get("container", "")
        if not container and len(names) > 1:
            choices = " ".join(names)
            raise status.bad_request(
                f"a container name must be specified for pod {call.target.name}, choose one of: [{choices}]"
            )
        container = container or names[0]
        if container not in names:
            raise status.bad_request(f"container {container} is not valid for pod {call.target.name}")
        if is_set(call.query, "previous"):
            what = f'previous terminated container "{container}" in pod "{call.target.name}" not found'
            raise status.bad_request(what)
        follow = partial(self._is_there, call, pod) if is_set(call.query, "follow") else None
        chunks = self._logs.read(pod, container, follow=follow, tail=options.number(call.query, "tailLines"))
        return Reply(content_type="text/plain", chunks=chunks)

    def _is_there(self, call: Call, pod: Json) -> bool:
        try:
            return bool(self._operations.entry(call).obj["metadata"]["uid"] == pod["metadata"]["uid"])
        except ApiError:
            return False

    async def _bind(self, call: Call) -> Reply:
        await self._operations.on_current(call, partial(self._bound, call))
        return Reply.json(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    async def _bound(self, call: Call, current: Entry) -> Entry:
        node = parse_body(call, "Binding").get("target", {}).get("name", "")
        bound = current.obj["spec"].get("nodeName")
        if bound:
            why = f"pod {call.target.name} is already assigned to node {bound}"
            raise status.conflict(call.target.resource, call.target.name, why)
        obj = fresh(current.obj)
        obj["spec"]["nodeName"] = node
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp()}
        obj["status"].setdefault("conditions", []).append(scheduled)
        owners = current.obj["metadata"].get("managedFields", [])  # a binding owns nothing
        return await self._operations.update(call, current, obj, applied=owners)

    def _token(self, call: Call) -> Reply:
        account = self._operations.entry(call).obj["metadata"]
        review = parse_body(call, "TokenRequest")
        decoding.decode_other(review, "authentication", "TokenRequest", "AuthenticationV1TokenRequest")
        spec = review.get("spec") or {}
        seconds = spec.get("expirationSeconds") or _TOKEN_SECONDS
        if seconds < _SHORTEST_TOKEN_SECONDS:
            raise _short_lived(seconds)
        user = service_account(account["namespace"], account["name"], account["uid"])
        token = self._tokens.issue(user, seconds)
        expires = timestamp(datetime.now(UTC) + timedelta(seconds=seconds))
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": account["name"],
                "namespace": account["namespace"],
                "uid": account["uid"],
                "creationTimestamp": timestamp(),
            },
            "spec": {
                "boundObjectRef": None,
                **spec,
                "audiences": spec.get("audiences") or [AUDIENCE],
                "expirationSeconds": seconds,
            },
            "status": {"token": token, "expirationTimestamp": expires},
        }
        return Reply(201, orjson.dumps(answer))


def _short_lived(seconds: int) -> ApiError:
    why = "may not specify a duration less than 10 minutes"
    error = FieldError.invalid("spec.expirationSeconds", seconds, why)
    cause = {"reason": error.reason, "message": error.message, "field": error.field}
    details = {"group": "authentication.k8s.io", "kind": "TokenRequest", "causes": [cause]}
    message = f'TokenRequest.authentication.k8s.io "" is invalid: {error.field}: {error.message}'
    return ApiError(status.status_object(422, "Invalid", message, details))
