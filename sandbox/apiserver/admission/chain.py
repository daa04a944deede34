"""Admission by webhooks: asks all that concern a write, and makes of it what they answer.

    mutate    in order: concerned? -> call -> patch -> defaults; once more for those that asked to see changes
    validate  at the same time: concerned? -> call; the first refusal counts

Called by `operations.py`. Who is concerned is `webhooks.py`, what is said to them `reviews.py`, how
they are reached `calls.py`.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Any

import orjson

from sandbox.apiserver import cel, conversions, defaults, json_words, scales, status
from sandbox.apiserver.admission import patches, reviews
from sandbox.apiserver.admission.calls import Caller
from sandbox.apiserver.admission.reviews import Answer, CallFailed
from sandbox.apiserver.admission.webhooks import (
    Attributes,
    Invocation,
    Kind,
    Webhook,
    Webhooks,
    concerns,
    conditions_hold,
)
from sandbox.apiserver.builtin_schema import definition_schema
from sandbox.apiserver.decoding import schema_of
from sandbox.apiserver.requests import Call
from sandbox.apiserver.resources import Catalog, Json, ResourceType, ScalePaths
from sandbox.apiserver.schema import Decoder, WrongType, apply_defaults
from sandbox.apiserver.status import ApiError
from sandbox.apiserver.storage import Store

_LOG = logging.getLogger(__name__)
_LOWEST_REFUSAL = 400


@dataclass(frozen=True, slots=True)
class _Failure(Exception):
    """A call that failed, as far as the webhook's failurePolicy decides what comes of it."""

    reason: str


class Admission:
    """The webhooks that are registered in the store, and the connections to them."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._caller = Caller(store)
        self._mutating = Webhooks(store, catalog, "mutatingwebhookconfigurations")
        self._validating = Webhooks(store, catalog, "validatingwebhookconfigurations")

    def mutates(self, call: Call, operation: str) -> bool:
        """Whether any webhook may want to change such a write. Costs next to nothing."""
        return bool(self._mutating.candidates(call, operation))

    async def close(self) -> None:
        """Lets the connections go; a later write makes new ones."""
        await self._caller.close()

    async def mutate(self, attributes: Attributes) -> Json | None:
        """The new object as the webhooks want it. Raises an ApiError where one refuses or fails."""
        paths = _scale_paths(attributes)
        if paths is None:
            return await self._mutate(attributes)
        scale = await self._mutate(_scaled(attributes, paths, owners=True))
        assert scale is not None and attributes.new is not None, "a Scale is updated, never deleted"
        scales.set_replicas(attributes.new, paths, scale.get("spec", {}).get("replicas", 0))
        return attributes.new

    async def _mutate(self, attributes: Attributes) -> Json | None:
        candidates = self._mutating.candidates(attributes.call, attributes.operation)
        called: set[tuple[str, int]] = set()
        again: set[tuple[str, int]] = set()
        for invocation in candidates:
            attributes = await self._mutated(attributes, invocation, called, again)
        for invocation in candidates:
            if invocation.webhook.id in again:  # what is called again may change things for those after it
                attributes = await self._mutated(attributes, invocation, called, again)
        return attributes.new

    async def _mutated(
        self, attributes: Attributes, invocation: Invocation, called: set[Any], again: set[Any]
    ) -> Attributes:
        """One call. Webhooks `called` before that want to see later changes are added to `again`."""
        webhook = invocation.webhook
        if not self._concerned(attributes, invocation):
            return attributes
        changed = False
        try:
            patched = await self._patched(attributes, invocation)
            changed = patched is not None and patched != attributes.new
            if patched is not None:
                attributes = replace(attributes, new=patched)
        except _Failure as failure:
            _failed(webhook, failure)
        if changed:
            again |= called
            called.clear()
        if webhook.reinvoked:
            called.add(webhook.id)
        return attributes

    async def _patched(self, attributes: Attributes, invocation: Invocation) -> Json | None:
        webhook = invocation.webhook
        answer = await self._ask(attributes, invocation, mutating=True)
        operations = _operations(answer) if answer.patch else []
        if not operations:
            return None
        if attributes.new is None:
            raise internal_error(
                f'admission webhook "{webhook.name}" attempted to modify the object, '
                "which is not supported for this operation"
            )
        if answer.patch_type != "JSONPatch":
            raise _Failure(f'unsupported patch type "{answer.patch_type}"')
        view = self._view(attributes, invocation.resource, attributes.new)
        try:
            patched = patches.apply(view, operations)
            return self._decoded(attributes, invocation.resource, patched)
        except (patches.PatchError, WrongType) as error:
            raise internal_error(str(error)) from error

    async def validate(self, attributes: Attributes) -> None:
        """Raises an ApiError where a webhook refuses the write or fails."""
        candidates = self._validating.candidates(attributes.call, attributes.operation)
        if not candidates:
            return
        if paths := _scale_paths(attributes):
            attributes = _scaled(attributes, paths, owners=False)
        concerned = [each for each in candidates if self._concerned(attributes, each)]
        errors: list[ApiError] = []

        async def ask(invocation: Invocation) -> None:
            try:
                try:
                    await self._ask(attributes, invocation, mutating=False)
                except _Failure as failure:
                    _failed(invocation.webhook, failure)
            except ApiError as error:
                errors.append(error)

        if len(concerned) == 1:
            await ask(concerned[0])
        else:
            await asyncio.gather(*map(ask, concerned))
        if errors:
            raise errors[0]

    def _concerned(self, attributes: Attributes, invocation: Invocation) -> bool:
        webhook = invocation.webhook
        if not concerns(webhook, attributes, self._store):
            return False
        if not webhook.conditions:
            return True
        obj, old = self._views(attributes, invocation.resource)
        request = reviews.described(attributes, invocation.resource)
        variables = {"request": request, "object": obj, "oldObject": old, "namespaceObject": None}
        return conditions_hold(webhook, attributes, cel.Context(variables))

    async def _ask(self, attributes: Attributes, invocation: Invocation, *, mutating: bool) -> Answer:
        """The answer of a webhook that allows. Raises an ApiError where it refuses, or _Failure."""
        webhook, call = invocation.webhook, attributes.call
        if call.dry_run and webhook.side_effects:
            raise status.bad_request(f'admission webhook "{webhook.name}" does not support dry run')
        request = reviews.described(attributes, invocation.resource)
        objects = self._views(attributes, invocation.resource)
        uid, body = reviews.review(request, objects, webhook.version)
        try:
            raw = await self._caller.post(webhook.client, body, webhook.timeout)
            answer = reviews.checked(reviews.read(raw, webhook.version), uid, mutating=mutating)
        except CallFailed as error:
            raise _Failure(str(error)) from error
        call.warnings.extend(answer.warnings)
        if not answer.allowed:
            raise _refusal(webhook, answer.status)
        return answer

    def _views(self, attributes: Attributes, resource: ResourceType) -> tuple[Json | None, Json | None]:
        """The new and the old object as a webhook that wants `resource` sees them."""
        new, old = attributes.new, attributes.old
        return (
            None if new is None else self._view(attributes, resource, new),
            None if old is None else self._view(attributes, resource, old),
        )

    def _view(self, attributes: Attributes, resource: ResourceType, obj: Json) -> Json:
        if attributes.kind is not None:
            return obj
        return conversions.from_storage(resource, self._catalog.storage_type(resource), obj)

    def _decoded(self, attributes: Attributes, resource: ResourceType, obj: Any) -> Json:
        """A patched object in storage form, with defaults. Raises WrongType or PatchError."""
        if not isinstance(obj, dict):
            raise patches.PatchError("the patched value is not an object")
        obj["metadata"] = obj.get("metadata") or {}
        if attributes.kind is not None:
            Decoder(strict_types=True).prune(obj, definition_schema("V1Scale"))
            return obj
        schema, storage = schema_of(resource), self._catalog.storage_type(resource)
        if not resource.custom:
            Decoder(strict_types=True).prune(obj, schema)
        rest = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion")}
        # Kind and apiVersion come first in everything that is stored: lists rely on it.
        whole = {"kind": resource.kind, "apiVersion": resource.api_version, **rest}
        converted = conversions.to_storage(resource, storage, whole)
        if resource.custom:
            apply_defaults(converted, schema)
        else:
            defaults.set_defaults(storage, converted)
        return converted


def _scale_paths(attributes: Attributes) -> ScalePaths | None:
    target = attributes.call.target
    return target.resource.scale if target.subresource == "scale" else None


def _scaled(attributes: Attributes, paths: ScalePaths, *, owners: bool) -> Attributes:
    """A write through `/scale` as webhooks see it: Scales, to mutating ones with their owners."""

    def scale(obj: Json | None) -> Json | None:
        if obj is None:
            return None
        shown = scales.scale_of(obj, paths)
        return scales.with_owners(shown, obj, paths) if owners else shown

    kind = Kind("autoscaling", "v1", "Scale")
    return replace(attributes, old=scale(attributes.old), new=scale(attributes.new), kind=kind)


def _operations(answer: Answer) -> list[Any]:
    try:
        operations = orjson.loads(answer.patch)
    except orjson.JSONDecodeError as error:
        why = json_words.complaint(answer.patch)
        raise _Failure(f"received undecodable patch in webhook response: {why}") from error
    if operations is not None and not isinstance(operations, list):
        kind = "object" if isinstance(operations, dict) else "value"
        why = f"json: cannot unmarshal {kind} into Go value of type jsonpatch.Patch"
        raise _Failure(f"received undecodable patch in webhook response: {why}")
    return operations or []


def _failed(webhook: Webhook, failure: _Failure) -> None:
    """Goes on where the webhook's failures are to be ignored; else raises an ApiError (500)."""
    text = f'failed calling webhook "{webhook.name}": {failure.reason}'
    policy = "open" if webhook.ignores_failures else "closed"
    _LOG.warning("webhook failed", extra={"webhook": webhook.name, "fails": policy, "reason": failure.reason})
    if not webhook.ignores_failures:
        raise internal_error(text)


def internal_error(text: str) -> ApiError:
    message = f"Internal error occurred: {text}"
    return ApiError(status.status_object(500, "InternalError", message, {"causes": [{"message": text}]}))


def _refusal(webhook: Webhook, said: Json) -> ApiError:
    """A webhook's status, completed as kube-apiserver does."""
    denied = f'admission webhook "{webhook.name}" denied the request'
    reason = said.get("message") or said.get("reason")
    body: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"{denied}: {reason}" if reason else f"{denied} without explanation",
        "reason": said.get("reason"),
        "details": said.get("details"),
        "code": max(said.get("code") or 0, _LOWEST_REFUSAL),
    }
    return ApiError({name: value for name, value in body.items() if value is not None and value != ""})
