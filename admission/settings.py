"""The admission process's flags and environment."""

from dataclasses import dataclass
from datetime import timedelta

from admission.registration import SECRET
from shared.settings import flag


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told. Flags win over the environment, the environment over the defaults."""

    kubeconfig: str = flag(
        "", "path to a kubeconfig; empty: the environment's, else in-cluster", env="KUBECONFIG"
    )
    host: str = flag("0.0.0.0", "address of the webhooks, /healthz, /readyz and /metrics")
    port: int = flag(8443, "port of the webhooks (HTTPS); 0 takes any")
    probe_port: int = flag(8080, "port of /healthz, /readyz and /metrics (HTTP); 0 takes any")
    namespace: str = flag(
        "pinfeather-system", "our own namespace, which no webhook looks at", env="POD_NAMESPACE"
    )
    secret_name: str = flag(SECRET, "Secret in that namespace with our certificates, made and renewed by us")
    cert_dir: str = flag(
        "", "folder with tls.crt, tls.key and ca.crt that somebody else renews, in its place"
    )
    webhook_url: str = flag(
        "", "register the webhooks by this URL (https://HOST:PORT): to run outside the cluster"
    )
    controller_username: str = flag(
        "system:serviceaccount:pinfeather-system:pinfeather-controller",
        "user name of the controller, whose writes are its own business",
    )
    mesh_provider: str = flag("traefik", "provider of Canaries that name none")
    drain: timedelta = flag(
        timedelta(seconds=10),
        "how long to go on answering after SIGTERM, while clients learn to go elsewhere",
    )
    log_level: str = flag("info", "debug, info, warn or error")
