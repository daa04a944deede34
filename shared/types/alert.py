"""AlertProvider: a chat channel that is told how rollouts go."""

from enum import StrEnum
from typing import Self

from pydantic import ConfigDict, model_validator

from shared.names import GROUP, VERSION
from shared.types.meta import Json, ObjectMeta, SecretRef, Wire
from shared.types.problems import parse
from shared.types.scalars import Address, Name, check_exactly_one, exactly_one


class AlertProviderType(StrEnum):
    """The chat service."""

    SLACK = "slack"
    MSTEAMS = "msteams"
    DISCORD = "discord"
    ROCKET = "rocket"
    GCHAT = "gchat"


class AlertProviderSpec(Wire):
    """Where alerts go: exactly one of address and secretRef."""

    model_config = ConfigDict(json_schema_extra=exactly_one("address", "secretRef"))

    type: AlertProviderType
    """The chat service."""
    channel: Name = "general"
    """Channel to post to."""
    username: Name = "flagger"
    """Name to post under."""
    address: Address | None = None
    """URL of the incoming webhook."""
    proxy: Address | None = None
    """HTTP proxy on the way there."""
    secret_ref: SecretRef | None = None
    """Secret with the URL under `address`, and for Slack a token under `token`."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        check_exactly_one({"address": self.address, "secretRef": self.secret_ref})
        return self


class AlertProvider(Wire):
    """A chat channel that is told how rollouts go."""

    api_version: str = f"{GROUP}/{VERSION}"
    kind: str = "AlertProvider"
    metadata: ObjectMeta
    spec: AlertProviderSpec
    """Where alerts go."""


def parse_alert_provider(obj: Json) -> AlertProvider:
    """The AlertProvider that a JSON object is.

    Raises:
        InvalidSpec: with every problem.
    """
    return parse(AlertProvider, obj)
