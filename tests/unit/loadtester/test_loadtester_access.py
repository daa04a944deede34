from pathlib import Path

import pytest

from loadtester.access import TokenAccess, namespace_access, read_tokens
from shared.errors import ConfigError

TOKENS = TokenAccess({"secret-a": frozenset({"test", "stage"}), "secret-b": frozenset({"prod"})})


def test_a_token_acts_for_its_namespaces_only() -> None:
    assert TOKENS.refusal("Bearer secret-a", "stage") is None
    refusal = TOKENS.refusal("Bearer secret-a", "prod")
    assert refusal is not None
    assert refusal.status == 403
    assert "'prod'" in refusal.message


@pytest.mark.parametrize(
    "authorization", ["", "Basic eDp5", "Bearer", "Bearer ", "Bearer wrong", "Bearer sécret"]
)
def test_without_a_known_token_nothing_is_done(authorization: str) -> None:
    refusal = TOKENS.refusal(authorization, "test")
    assert refusal is not None
    assert refusal.status == 401


def test_a_refusal_never_shows_a_token() -> None:
    refusal = TOKENS.refusal("Bearer secret-a", "prod")
    assert refusal is not None
    assert "secret" not in refusal.message


def test_the_namespace_pattern_matches_anywhere_as_in_flagger() -> None:
    access = namespace_access("^(test|stage)$")
    assert access.refusal("", "test") is None
    assert access.refusal("", "test-2") is not None
    assert namespace_access("").refusal("", "anything") is None
    assert namespace_access("es").refusal("", "test") is None


def test_a_pattern_that_is_none_is_refused_at_start() -> None:
    with pytest.raises(ConfigError, match="namespace-regexp"):
        namespace_access("(")


def test_the_tokens_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text('{"t": ["test"]}')
    assert read_tokens(file).refusal("Bearer t", "test") is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"": ["test"]}', '{"s3cret": "test"}', '{"s3cret": [1]}']
)
def test_a_tokens_file_that_cannot_be_used_is_refused_without_showing_it(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"tokens\.json") as raised:
        read_tokens(file)
    assert "s3cret" not in str(raised.value)


def test_a_missing_tokens_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the tokens file .*absent"):
        read_tokens(tmp_path / "absent")
