"""A real kube-controller-manager beside a real kube-apiserver, for the tests of what both do together.

`KUBEBUILDER_ASSETS` has to name a folder with its binary too. Used by the kubectl tests alone: its
controllers would write over what other tests pretend.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.real_api_server import RealApiServer, process, running

BINARY = "kube-controller-manager"
_CONTROLLERS = (
    "deployment-controller", "replicaset-controller", "garbage-collector-controller", "namespace-controller",
    "serviceaccount-controller", "root-ca-certificate-publisher-controller",
)  # fmt: skip


@contextmanager
def controlled(assets: Path, folder: Path) -> Iterator[RealApiServer]:
    """An API server with the controllers that a Deployment and a namespace need; ended with the block."""
    with running(assets, folder) as server, (folder / f"{BINARY}.log").open("wb") as log:
        command = [
            str(assets / BINARY),
            f"--kubeconfig={server.kubeconfig}",
            f"--controllers={','.join(_CONTROLLERS)}",
            f"--root-ca-file={folder / 'certs/apiserver.crt'}",
            "--leader-elect=false",
            "--secure-port=0",
        ]
        with process(command, log.fileno()):
            yield server
