"""The controller's flags and environment: Flagger's names where they mean the same."""

from dataclasses import dataclass

from shared.settings import flag


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told. Flags win over the environment, the environment over the defaults."""

    kubeconfig: str = flag(
        "", "path to a kubeconfig; empty: the environment's, else in-cluster", env="KUBECONFIG"
    )
    namespace: str = flag("", "the only namespace to look at; empty: all")
    mesh_provider: str = flag("traefik", "provider of Canaries that name none")
    metrics_server: str = flag("http://prometheus:9090", "Prometheus for the builtin metrics")
    selector_labels: str = flag(
        "app,name,app.kubernetes.io/name", "labels by which a target's pods may be told from others"
    )
    include_label_prefix: str = flag("", "prefixes of labels copied to generated objects; * for all")
    event_webhook: str = flag("", "URL that gets every event", env="EVENT_WEBHOOK_URL")
    hook_tokens_file: str = flag("", "JSON file: a hook's origin to the bearer token that only it is sent")
    log_level: str = flag("info", "debug, info, warn or error")
    host: str = flag("0.0.0.0", "address of /healthz, /readyz and /metrics")
    port: int = flag(8080, "port of /healthz, /readyz and /metrics; 0 takes any")
    threadiness: int = flag(16, "Canaries reconciled at the same time")
    enable_leader_election: bool = flag(False, "run several replicas, of which one acts")  # noqa: FBT003 - a default
    leader_election_namespace: str = flag("kube-system", "namespace of the Lease", env="POD_NAMESPACE")
