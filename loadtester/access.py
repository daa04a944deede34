"""Who may act for which namespace.

Called by the server for every request that runs a command or moves a gate. With a tokens file the caller's
bearer token decides; without one only the namespace that the body claims can be looked at, which any caller
can forge.
"""

import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from shared.errors import ConfigError

SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not carried out: 401 = who are you, 403 = not for this namespace."""

    status: int
    message: str


class Access(Protocol):
    """One question, asked before anything is done."""

    def refusal(self, authorization: str, namespace: str) -> Refusal | None:
        """None when the caller may act for the namespace."""
        ...


@dataclass(frozen=True, slots=True)
class TokenAccess:
    """The caller's bearer token names the namespaces that it may act for."""

    tokens: dict[str, frozenset[str]]

    def refusal(self, authorization: str, namespace: str) -> Refusal | None:
        if not authorization.lower().startswith(SCHEME):
            return Refusal(401, "this load tester needs a token: send the header Authorization: Bearer TOKEN")
        presented = authorization[len(SCHEME) :].strip().encode()
        allowed: frozenset[str] | None = None
        for token, namespaces in self.tokens.items():
            # Every token is compared, and in constant time, so that timing tells nothing about any of them.
            if hmac.compare_digest(token.encode(), presented):
                allowed = namespaces
        if allowed is None:
            return Refusal(401, "the token is not one of this load tester's")
        if namespace not in allowed:
            return Refusal(403, f"the token may not act for namespace {namespace!r}")
        return None


@dataclass(frozen=True, slots=True)
class NamespaceAccess:
    """The namespace that the body claims must match, as in Flagger (unanchored); weaker, for trusted
    networks.
    """

    pattern: re.Pattern[str]

    def refusal(self, authorization: str, namespace: str) -> Refusal | None:
        if self.pattern.search(namespace):
            return None
        return Refusal(403, f"namespace {namespace!r} is not served here (-namespace-regexp)")


def read_tokens(path: Path) -> TokenAccess:
    """Tokens and their namespaces from a JSON object {token: [namespace, ...]}. Raises ConfigError; never
    shows a token.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read the tokens file {path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"the tokens file {path} is not JSON: line {error.lineno}, column {error.colno}"
        ) from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(
            f'the tokens file {path} must hold an object {{"TOKEN": ["NAMESPACE", ...]}} with a token'
        )
    for token, namespaces in content.items():
        listed = isinstance(namespaces, list) and all(isinstance(name, str) for name in namespaces)
        if not token or not listed:
            raise ConfigError(
                f"the tokens file {path} must map every token (not empty) to a list of namespaces"
            )
    return TokenAccess({token: frozenset(namespaces) for token, namespaces in content.items()})


def namespace_access(pattern: str) -> NamespaceAccess:
    """Access by the body's namespace; an empty pattern lets every namespace through. Raises ConfigError."""
    try:
        return NamespaceAccess(re.compile(pattern))
    except re.error as error:
        raise ConfigError(f"-namespace-regexp {pattern!r} is not a regular expression: {error}") from error
