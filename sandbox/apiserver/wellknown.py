"""Paths that are not resources: version, health, discovery, OpenAPI, and the sandbox's own /debug.

Called by `server.py` first; None means the path names a resource.
"""

import platform
import sys
from collections.abc import Callable

import orjson
from aiohttp import web

from sandbox.apiserver import discovery, openapi, status
from sandbox.apiserver.accounting import Accounts
from sandbox.apiserver.replies import Reply
from sandbox.apiserver.resources import Catalog, Json
from sandbox.apiserver.storage import Store

VERSION: Json = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2+sandbox",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": f"python{sys.version_info.major}.{sys.version_info.minor}",
    "platform": f"{sys.platform}/{platform.machine()}",
}


class WellKnown:
    """Serves them. `address` is host:port, as discovery tells clients."""

    def __init__(self, catalog: Catalog, store: Store, accounts: Accounts, address: str) -> None:
        self._catalog = catalog
        self._store = store
        self._accounts = accounts
        self._address = address
        self._documents: dict[str, Reply] = {}
        self._documented = -1
        self._fixed: dict[tuple[str, str], Callable[[web.BaseRequest], Reply]] = {
            ("GET", "/version"): lambda _: Reply.json(VERSION),
            ("GET", "/api"): self._core,
            ("GET", "/apis"): self._groups,
            ("GET", "/openapi/v2"): self._openapi_v2,
            ("GET", "/openapi/v3"): lambda _: Reply.json(openapi.index(self._catalog)),
            ("GET", "/debug/requests"): lambda _: Reply.json(self._accounts.request_report()),
            ("GET", "/debug/writes"): self._writes,
            ("POST", "/debug/compact"): self._compact,
            **{("GET", path): _healthy for path in ("/healthz", "/livez", "/readyz")},
        }

    def serve(self, request: web.BaseRequest) -> Reply | None:
        path = request.path.rstrip("/")
        fixed = self._fixed.get((request.method, path))
        if fixed is not None:
            return fixed(request)
        if request.method != "GET":
            return self._not_read(request, path)
        match path.split("/")[1:]:
            case ["openapi", *_]:
                return self._openapi(path)
            case ["api", version]:
                return _found(discovery.resource_list(self._catalog, "", version))
            case ["apis", group]:
                return _found(discovery.one_group(self._catalog, group))
            case ["apis", group, version]:
                return _found(discovery.resource_list(self._catalog, group, version))
        return None

    def _not_read(self, request: web.BaseRequest, path: str) -> Reply | None:
        """Another method than GET, which some of these paths do not mind."""
        match path.split("/")[1:]:
            case ["version" | "api"] | ["api", _] | ["apis", _, _]:
                raise status.method_not_allowed()
            case ["apis"] | ["healthz" | "livez" | "readyz"]:
                return self._fixed["GET", path](request)
        return None

    def _core(self, request: web.BaseRequest) -> Reply:
        if discovery.wants_aggregated(request.headers.get("Accept", "")):
            return self._aggregated(core=True)
        return Reply.json(discovery.core_versions(self._address))

    def _groups(self, request: web.BaseRequest) -> Reply:
        if discovery.wants_aggregated(request.headers.get("Accept", "")):
            return self._aggregated(core=False)
        return Reply.json(discovery.group_list(self._catalog))

    def _aggregated(self, *, core: bool) -> Reply:
        body = orjson.dumps(discovery.aggregated(self._catalog, core=core))
        return Reply(body=body, content_type=discovery.AGGREGATED_TYPE)

    def _openapi(self, path: str) -> Reply:
        """A document is made once for a state of the catalogue: it takes a while, and kubectl asks often."""
        if self._catalog.revision != self._documented:
            self._documents, self._documented = {}, self._catalog.revision
        if path not in self._documents:
            name = path.removeprefix("/openapi/v3/")
            document = openapi.document(self._catalog, name) if name != path else None
            self._documents[path] = _found(document)
        return self._documents[path]

    def _openapi_v2(self, request: web.BaseRequest) -> Reply:
        if "protobuf" in request.headers.get("Accept", ""):
            return Reply(body=openapi.v2_protobuf(), content_type=openapi.PROTOBUF_V2)
        return Reply.json(openapi.v2())

    def _writes(self, request: web.BaseRequest) -> Reply:
        query = request.query
        after, objects = int(query.get("after", 0)), query.get("objects", "") == "true"
        return Reply.json(self._accounts.write_report(after=after, objects=objects))

    def _compact(self, _: web.BaseRequest) -> Reply:
        self._store.compact()
        return Reply.json({"compacted": str(self._store.version)})


def _healthy(_: web.BaseRequest) -> Reply:
    return Reply(body=b"ok", content_type="text/plain; charset=utf-8")


def _found(obj: Json | None) -> Reply:
    if obj is None:
        raise status.no_such_path()
    return Reply.json(obj)
