"""Calls of webhooks over HTTPS, with kube-apiserver's words for every way in which one can fail.

    clientConfig -> address (a URL, or a ready endpoint of a Service) -> POST -> body

Called by `chain.py`, which knows what the bodies mean. TLS contexts and connections are kept.
"""

import base64
import ssl
from functools import lru_cache
from urllib.parse import urlsplit

import aiohttp
import orjson

from sandbox.apiserver.admission.failures import Unresolved, explained
from sandbox.apiserver.admission.reviews import CallFailed
from sandbox.apiserver.resources import Json
from sandbox.apiserver.storage import Store

_OK = 300
_SERVER_ERROR = 500
_ANSWERS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, "
    "but may still be processing the request",
}
_SPOKEN = (403, 406, 415)
"""Codes whose answer is told in its own words."""


class Caller:
    """Calls webhooks, over connections that are kept open."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None

    async def post(self, client: Json, body: bytes, timeout: int) -> bytes:  # noqa: ASYNC109 - told to the webhook
        """The body of the answer within `timeout` seconds. Raises CallFailed."""
        shown = _shown_url(client, timeout)
        try:
            return await self._exchange(client, shown, body, timeout)
        except (TimeoutError, aiohttp.ClientError, OSError, Unresolved) as error:
            why = await explained(error, shown)
            raise CallFailed(f'failed to call webhook: Post "{shown}": {why}') from error

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, client: Json, shown: str, body: bytes, seconds: int) -> bytes:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, use_dns_cache=False)
            self._session = aiohttp.ClientSession(connector=connector)
        async with self._session.post(
            self._url(client, shown),
            data=body,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            ssl=_context(client.get("caBundle", "")),
            server_hostname=urlsplit(shown).hostname,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            answer = await response.read()
            return _checked(response.status, response.headers.get("Content-Type", ""), answer)

    def _url(self, client: Json, shown: str) -> str:
        """Where to connect: Services are no names here. Raises Unresolved."""
        service = client.get("service")
        if service is None:
            return shown
        return urlsplit(shown)._replace(netloc=self._endpoint(service)).geturl()

    def _endpoint(self, service: Json) -> str:
        """Host and port of a ready endpoint of a Service. Raises Unresolved."""
        namespace, name, number = service["namespace"], service["name"], service["port"]
        found = self._store.collection("/services").get((namespace, name))
        if found is None:
            raise Unresolved(f'service "{name}" not found')
        port = next((p for p in found.obj["spec"].get("ports", ()) if p["port"] == number), None)
        if port is None:
            raise Unresolved(f'no service port {number} found for service "{name}"')
        for entry in self._store.collection("discovery.k8s.io/endpointslices").select(namespace):
            if entry.obj["metadata"].get("labels", {}).get("kubernetes.io/service-name") != name:
                continue
            target = next((p for p in entry.obj["ports"] if p["name"] == port.get("name", "")), None)
            for endpoint in entry.obj["endpoints"]:
                if target is not None and endpoint.get("conditions", {}).get("ready", True):
                    return f"{_bracketed(endpoint['addresses'][0])}:{target['port']}"
        raise Unresolved(f'no endpoints available for service "{name}"')


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _shown_url(client: Json, seconds: int) -> str:
    service = client.get("service")
    if service is None:
        return f"{client['url']}?timeout={seconds}s"
    host = f"{service['name']}.{service['namespace']}.svc:{service['port']}"
    return f"https://{host}{service.get('path', '/')}?timeout={seconds}s"


@lru_cache(maxsize=64)
def _context(authority: str) -> ssl.SSLContext:
    """TLS that trusts the PEM in a caBundle, or without one what the machine trusts."""
    if not authority:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=base64.b64decode(authority).decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise CallFailed(
            "could not get REST client: unable to load root certificates: unable to parse bytes as PEM block"
        ) from error
    return context


def _failed(why: str) -> CallFailed:
    return CallFailed(f"failed to call webhook: {why}")


def _checked(code: int, content_type: str, body: bytes) -> bytes:
    """The body of a good answer. Raises CallFailed."""
    if code < _OK:
        if not body:
            raise _failed(f"0-length response with status code: {code} and content type: {content_type}")
        return body
    said = _status_message(body)
    if said:
        raise _failed(said)
    text = body.decode(errors="replace").strip() if content_type.startswith("text/") else "unknown"
    if code in _SPOKEN:
        raise _failed(text)
    if code in _ANSWERS:
        raise _failed(_ANSWERS[code])
    if code >= _SERVER_ERROR:
        quoted = orjson.dumps(text).decode()
        raise _failed(f"an error on the server ({quoted}) has prevented the request from succeeding")
    raise _failed(f"the server responded with the status code {code} but did not return more information")


def _status_message(body: bytes) -> str:
    """The message where the body is a Status of a failure."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    expected = {"kind": "Status", "status": "Failure"}
    is_status = isinstance(answer, dict) and expected.items() <= answer.items()
    return str(answer.get("message", "")) if is_status else ""
