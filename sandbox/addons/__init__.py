"""What runs inside a sandbox from the start, as a cluster's administrator would install it.

    manifests (*.yaml here, product: manifests/) ──► objects ──install──► API server ──► kubelet ──► ready

Objects are plain files; only paths of this run are filled in. Their images are programs of the kubelet's
table.
"""

from sandbox.addons.install import ADDONS, install, wait_until_ready

__all__ = ["ADDONS", "install", "wait_until_ready"]
