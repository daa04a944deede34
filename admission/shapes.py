"""Whether objects have the shape that the handlers rely on. Pure.

The API server checks shapes before it asks a webhook, so this is looked at only after a handler has failed:
it tells a request that nobody can answer (HTTP 400) from a bug of ours (HTTP 500).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from admission.request import SCALE, Request
from shared.resources import ALERT_PROVIDERS, CANARIES, DEPLOYMENTS, HPAS, METRIC_TEMPLATES, SERVICES
from shared.types.meta import Json

DEEPEST = 64
"""Levels of objects and lists. The deepest that Kubernetes' own types go is a third of that."""

Texts = dict[str, str] | None
Objects = list[dict[str, Any]] | None


class _Owner(msgspec.Struct, rename="camel"):
    kind: str
    name: str
    api_version: str = ""
    uid: str = ""
    controller: bool | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    generate_name: str = ""
    uid: str = ""
    labels: Texts = None
    annotations: Texts = None
    owner_references: list[_Owner] | None = None
    finalizers: list[str] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class _Container(msgspec.Struct):
    name: str
    image: str = ""


class _PodSpec(msgspec.Struct, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


class _PodMetadata(msgspec.Struct):
    labels: Texts = None
    annotations: Texts = None


class _Template(msgspec.Struct):
    metadata: _PodMetadata | None = None
    spec: _PodSpec | None = None


class _DeploymentSpec(msgspec.Struct):
    replicas: int | None = None
    paused: bool | None = None
    template: _Template | None = None


class _Counted(msgspec.Struct):
    replicas: int | None = None


class _Object(msgspec.Struct):
    """One of which only the metadata is read, and the spec as a whole."""

    metadata: _Metadata
    spec: dict[str, Any] | None = None
    status: dict[str, Any] | None = None


class _Deployment(msgspec.Struct):
    metadata: _Metadata
    spec: _DeploymentSpec | None = None
    status: _Counted | None = None


class _Scale(msgspec.Struct):
    metadata: _Metadata
    spec: _Counted | None = None


class _ServiceSpec(msgspec.Struct):
    ports: Objects = None
    selector: Texts = None


class _Service(msgspec.Struct):
    metadata: _Metadata
    spec: _ServiceSpec | None = None


class _Weighted(msgspec.Struct):
    services: Objects = None


class _RouteSpec(msgspec.Struct):
    weighted: _Weighted | None = None
    mirroring: dict[str, Any] | None = None


class _Route(msgspec.Struct):
    metadata: _Metadata
    spec: _RouteSpec | None = None


_SHAPES: Mapping[str, type] = {
    DEPLOYMENTS.plural: _Deployment,
    SERVICES.plural: _Service,
    HPAS.plural: _Object,
    "traefikservices": _Route,
    CANARIES.plural: _Object,
    METRIC_TEMPLATES.plural: _Object,
    ALERT_PROVIDERS.plural: _Object,
}


def fault(request: Request) -> str | None:
    """What is wrong with the shape of the request's objects; None where nothing is."""
    shape = _Scale if request.subresource == SCALE else _SHAPES[request.resource.plural]
    for where, obj in (("object", request.new), ("oldObject", request.old)):
        if obj is None:
            continue
        if _is_deep(obj):
            return f"request.{where}: nested more than {DEEPEST} levels deep"
        try:
            msgspec.convert(obj, shape)
        except msgspec.ValidationError as error:
            return f"request.{where}: {error}"
    return None


def _is_deep(obj: Json) -> bool:
    level: list[Any] = [obj]
    for _ in range(DEEPEST):
        level = [part for each in level for part in _parts(each) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _parts(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container
