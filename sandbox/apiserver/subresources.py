"""Subresources that are not the object itself: scale, pod logs, tokens, binding a pod to a node.

Called by `handlers.py`. What a plain process cannot offer (exec, port-forward, …) is refused with a clear
501.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson

from sandbox.apiserver import status
from sandbox.apiserver.auth import Tokens, service_account
from sandbox.apiserver.lifecycle import timestamp
from sandbox.apiserver.operations import Operations
from sandbox.apiserver.patching import patched
from sandbox.apiserver.replies import Reply
from sandbox.apiserver.requests import Call, is_true, parse_body
from sandbox.apiserver.resources import Json, ScalePaths
from sandbox.apiserver.selectors import selector_text
from sandbox.apiserver.status import FieldError
from sandbox.apiserver.storage import fresh

_TOKEN_SECONDS = 3_600


class Logs(Protocol):
    """Where the output of containers is."""

    def read(self, pod: Json, container: str, *, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
        """Chunks of a container's output. `tail` limits how many past lines come first."""
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
        current = self._operations.entry(call)
        resource = call.target.resource
        assert resource.scale is not None, "only kinds with scale paths have the subresource"
        scale = scale_of(current.obj, resource.scale)
        if call.method == "GET":
            return Reply.json(scale)
        wanted = parse_body(call, "Scale") if call.method == "PUT" else patched(call, scale, {})
        replicas = wanted.get("spec", {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            error = FieldError.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
            raise status.invalid(resource, call.target.name, [error])
        version = wanted.get("metadata", {}).get("resourceVersion", "")
        if version not in ("", "0", current.obj["metadata"]["resourceVersion"]):
            raise status.conflict(resource, call.target.name)
        obj = fresh(current.obj)
        _set(obj, resource.scale.spec, replicas)
        written = await self._operations.update(call, current, obj)
        return Reply.json(scale_of(written.obj, resource.scale))

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
        tail = call.query.get("tailLines")
        follow = is_true(call.query.get("follow", ""))
        chunks = self._logs.read(pod, container, follow=follow, tail=int(tail) if tail else None)
        return Reply(content_type="text/plain", chunks=chunks)

    async def _bind(self, call: Call) -> Reply:
        current = self._operations.entry(call)
        node = parse_body(call, "Binding").get("target", {}).get("name", "")
        bound = current.obj["spec"].get("nodeName")
        if bound:
            why = f"pod {call.target.name} is already assigned to node {bound}"
            raise status.conflict(call.target.resource, call.target.name, why)
        obj = fresh(current.obj)
        obj["spec"]["nodeName"] = node
        await self._operations.update(call, current, obj)
        return Reply.json(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    def _token(self, call: Call) -> Reply:
        account = self._operations.entry(call).obj["metadata"]
        review = parse_body(call, "TokenRequest")
        spec = review.get("spec") or {}
        seconds = spec.get("expirationSeconds") or _TOKEN_SECONDS
        token = self._tokens.issue(service_account(account["namespace"], account["name"], account["uid"]))
        expires = timestamp(datetime.now(UTC) + timedelta(seconds=seconds))
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": account["name"],
                "namespace": account["namespace"],
                "creationTimestamp": timestamp(),
            },
            "spec": {"audiences": [], **spec, "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": expires},
        }
        return Reply(201, orjson.dumps(answer))


def scale_of(obj: Json, paths: ScalePaths) -> Json:
    """An object's `autoscaling/v1` Scale."""
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = _get(obj, paths.selector) if paths.selector else None
    shown: Json = {"replicas": _get(obj, paths.status) or 0}
    if selector:
        shown["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    replicas = _get(obj, paths.spec) or 0
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def _get(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj


def _set(obj: Json, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        obj = obj.setdefault(name, {})
    obj[last] = value
