"""What the load tester can be told; the flags are Flagger's, but for those that close its gaps."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared.settings import flag


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one load tester."""

    log_level: str = flag("info", "debug, info, warn or error")
    host: str = flag("0.0.0.0", "address to listen on", env="POD_IP")
    port: int = flag(9090, "port to listen on, 0 for any free one")
    timeout: timedelta = flag(timedelta(hours=1), "longest time that a command may run")
    namespace_regexp: str = flag(
        "",
        "namespaces to act for, matched against the request's body, which can be forged: prefer -tokens-file",
    )
    tokens_file: Path | None = flag(
        None, 'JSON file {"TOKEN": ["NAMESPACE", ...]}: callers need a token, and act for its namespaces only'
    )
    gates_file: Path | None = flag(
        None, "file that keeps the open gates over a restart; without it all are closed then"
    )
