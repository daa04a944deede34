# The configuration modules of `kubernetes` are not annotated:
# mypy: disable-error-code="no-untyped-call"
"""Where the API server is and who we are: the `kubernetes` package's configuration, and a session from it.

    kubeconfig (plugins, tokens, certificates, proxy-url) or service account ──► Configuration ──► Connection

Used by shared/cluster.py alone. Only the package's configuration and TLS modules are loaded: its generated
models are not needed here and cost 20 MB and most of a second.
"""

import asyncio
import importlib.util
import os
import sys
import types
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

from shared.errors import ClusterUnavailable, ConfigError
from shared.names import FIELD_MANAGER
from shared.settings import environment

PLUGIN_PATIENCE = 60.0
"""Seconds that a credential plugin of a kubeconfig may take."""
KEEP_ALIVE = 60.0
"""Seconds that an idle connection is kept: longer than the usual interval between two checks of a canary."""


def _without_package_code(name: str) -> None:
    """Let submodules of the package be imported without running its __init__, which would import
    everything.
    """
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.submodule_search_locations is None:
        return
    package = types.ModuleType(name)
    package.__spec__ = spec
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package


_without_package_code("kubernetes")
_without_package_code("kubernetes.aio")

from kubernetes.aio.client.configuration import Configuration  # noqa: E402 - after the line that makes it cheap
from kubernetes.aio.client.rest import RESTClientObject  # noqa: E402 - as above
from kubernetes.aio.config.config_exception import ConfigException  # noqa: E402 - as above
from kubernetes.aio.config.exec_provider import ExecProvider  # noqa: E402 - as above
from kubernetes.aio.config.incluster_config import load_incluster_config  # noqa: E402 - as above
from kubernetes.aio.config.kube_config import load_kube_config  # noqa: E402 - as above

_UNUSABLE = (ConfigException, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, OSError)
"""What the package raises for a configuration it cannot use (it does not check shapes, hence the built-in
ones).
"""


class Connection:
    """A session with one API server as one user: `host`, `session` and the keyword arguments of each
    request.
    """

    def __init__(self, configuration: Any, source: str) -> None:
        self.host: str = configuration.host
        self.source = source
        self._configuration = configuration
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=RESTClientObject(configuration).ssl_context, keepalive_timeout=KEEP_ALIVE
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # each caller sets a deadline for the whole exchange
            trust_env=False,  # http_proxy is for other traffic; the API server's proxy is in the kubeconfig
            headers={
                "User-Agent": FIELD_MANAGER,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )

    @classmethod
    async def open(cls, kubeconfig: Path | None) -> Self:
        """From the file, else from the files in $KUBECONFIG, else from the pod's service account.

        Raises:
            ConfigError: none of them is usable.
        """
        files = str(kubeconfig) if kubeconfig else environment("KUBECONFIG")
        source = f"kubeconfig {files}" if files else "the pod's service account"
        # An empty host tells a kubeconfig without `server`; the package would silently use http://localhost.
        configuration = Configuration(host="")
        try:
            if files:
                _require_file(files)
                await _load_files(files, configuration)
            elif environment("KUBERNETES_SERVICE_HOST"):
                load_incluster_config(client_configuration=configuration)
            else:
                raise ConfigError(
                    "no way to the API server: no kubeconfig was given, KUBECONFIG is not set, and this is "
                    "not a pod (KUBERNETES_SERVICE_HOST is not set); give --kubeconfig FILE"
                )
            return cls(configuration, source)
        except _UNUSABLE as error:
            raise ConfigError(f"{source} cannot be used: {_sentence(error)}") from error

    async def headers(self) -> dict[str, str]:
        """The Authorization header as of now (a service account's token is read again every minute)."""
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        except (ConfigException, OSError) as error:
            raise ClusterUnavailable(f"the token of {self.source} cannot be read: {error}") from error
        return {"Authorization": token} if token else {}

    def options(self) -> dict[str, Any]:
        """Keyword arguments that each request of the session needs."""
        options: dict[str, Any] = {}
        if self._configuration.tls_server_name:
            options["server_hostname"] = self._configuration.tls_server_name
        if self._configuration.proxy:
            options["proxy"] = self._configuration.proxy
        return options

    async def close(self) -> None:
        """Close all connections."""
        await self.session.close()


def _require_file(files: str) -> None:
    if not any(os.path.isfile(os.path.expanduser(name)) for name in files.split(":")):
        raise ConfigException("there is no such file")


async def _load_files(files: str, configuration: Any) -> None:
    try:
        async with asyncio.timeout(PLUGIN_PATIENCE):
            loader = await load_kube_config(
                config_file=files, client_configuration=configuration, persist_config=False
            )
            user = loader._user
            if user is not None and "exec" in user and not (configuration.api_key or configuration.cert_file):
                # The package only logs why a plugin gave nothing, and would go on as an anonymous user.
                await ExecProvider(user["exec"]).run()
                raise ConfigException("the credential plugin returned neither a token nor a certificate")
    except TimeoutError:
        raise ConfigException(
            f"its credential plugin did not finish in {PLUGIN_PATIENCE:g} seconds"
        ) from None
    if not configuration.host:
        raise ConfigException("its current context names no cluster with a server address")


def _sentence(error: Exception) -> str:
    """The error as one line; built-in errors of unchecked shapes say little by themselves."""
    if isinstance(error, KeyError | TypeError | AttributeError):
        return f"it is not a complete kubeconfig ({type(error).__name__}: {error})"
    return " ".join(str(error).split()) or type(error).__name__
