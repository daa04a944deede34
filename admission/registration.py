"""Who is called where: the names that the certificate is for, and registration by URL.

In a cluster the webhook configurations are part of the manifests, and a Service leads to the pods. Outside
any cluster the same configurations are applied with the process's own URL, by `admission.__main__`.
"""

import contextlib
import copy
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from certs.bundle import encoded
from certs.serving import ServingCertificate
from shared.cluster import Cluster, PatchType
from shared.errors import AlreadyExists, ConfigError
from shared.resources import MUTATING_WEBHOOKS, NAMESPACES, VALIDATING_WEBHOOKS
from shared.types.meta import Json

SERVICE = "pinfeather-admission"
SECRET = "pinfeather-admission-certificates"

MANIFEST = Path(__file__).parents[1] / "manifests/admission/webhooks.yaml"
_RESOURCES = {resource.kind: resource for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)}


@dataclass(frozen=True, slots=True)
class Registration:
    """What differs from the manifest."""

    url: str
    """`https://HOST:PORT`, as the API server reaches this process."""
    namespace: str
    """Ours: left alone by the webhooks, and home of the certificates."""
    controller: str
    """User name of the controller, whom the webhooks leave alone."""


def hosts(namespace: str, url: str = "") -> tuple[str, ...]:
    """The names that the API server calls us by.

    Raises:
        ConfigError: the URL is none that an API server would call.
    """
    if not url:
        return (f"{SERVICE}.{namespace}.svc", f"{SERVICE}.{namespace}.svc.cluster.local")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigError(f"--webhook-url: {url!r} is not of the form https://HOST:PORT")
    return (parts.hostname,)


async def settle(cluster: Cluster, namespace: str) -> None:
    """Have a namespace of our own: outside any cluster no manifest made one.

    Raises:
        ClusterError: the API server refused, or was not reached.
    """
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    with contextlib.suppress(AlreadyExists):
        await cluster.create(NAMESPACES, body)


async def register(cluster: Cluster, told: Registration, certificate: ServingCertificate) -> None:
    """Apply both configurations by URL, once there is a certificate that they can trust.

    Raises:
        ClusterError: the API server refused, or was not reached.
    """
    await certificate.loaded.wait()
    for body in configurations(told, certificate.trusted):
        resource = _RESOURCES[body["kind"]]
        await cluster.patch(resource, body["metadata"]["name"], None, body, patch=PatchType.APPLY, force=True)


def configurations(told: Registration, trusted: bytes) -> list[Json]:
    """The manifest's configurations, calling a URL that is served by a certificate of `trusted` (PEM)."""
    bodies = list(yaml.safe_load_all(MANIFEST.read_text()))
    for body in bodies:
        body["webhooks"] = [_by_url(webhook, told, trusted) for webhook in body["webhooks"]]
    return bodies


def _by_url(webhook: Json, told: Registration, trusted: bytes) -> Json:
    webhook = copy.deepcopy(webhook)  # YAML's aliases make several webhooks share their parts
    path = webhook["clientConfig"]["service"]["path"]
    webhook["clientConfig"] = {"url": told.url.rstrip("/") + path}
    if trusted:
        webhook["clientConfig"]["caBundle"] = encoded(trusted)
    (selector,) = webhook["namespaceSelector"]["matchExpressions"]
    selector["values"] = sorted({"kube-system", told.namespace})
    for condition in webhook["matchConditions"]:
        if condition["name"] == "not-the-controller":
            condition["expression"] = f"request.userInfo.username != {json.dumps(told.controller)}"
    return webhook
