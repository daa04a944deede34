"""Bearer tokens for hooks: a JSON file that maps an origin to the token sent there, and nowhere else.

    {"http://flagger-loadtester.test": "s3cr3t"}

Read once at the start. Apart from hooks.py, which only ever asks for the token of one origin.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson
from yarl import URL

from shared.errors import ConfigError


def load_tokens(path: str) -> Mapping[str, str]:
    """The tokens by origin; none when no file is named.

    Raises:
        ConfigError: the file cannot be read or is not of that form. The text holds no token.
    """
    if not path:
        return {}
    try:
        content = orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"--hook-tokens-file {path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"--hook-tokens-file {path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"--hook-tokens-file {path}: must map origins to tokens")
    return {_origin(path, key): _token(path, key, value) for key, value in content.items()}


def _origin(path: str, text: str) -> str:
    try:
        url = URL(text)
        origin = url.origin()
    except ValueError as error:
        raise ConfigError(f"--hook-tokens-file {path}: {text!r} is no origin: {error}") from error
    if url.scheme not in ("http", "https") or url != origin.join(URL("/")) or url.raw_user is not None:
        raise ConfigError(f"--hook-tokens-file {path}: {text!r}: write scheme, host and port only")
    return str(origin)


def _token(path: str, origin: str, value: object) -> str:
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ConfigError(f"--hook-tokens-file {path}: the token of {origin} must be printable ASCII")
    return value
