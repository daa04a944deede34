"""Tokens for hooks: read from a file, by origin, or refused with a reason that holds no token."""

from pathlib import Path

import pytest

from controller.hook_tokens import load_tokens
from shared.errors import ConfigError


def load(tmp_path: Path, text: str) -> object:
    file = tmp_path / "tokens.json"
    file.write_text(text)
    return load_tokens(str(file))


def test_no_file_means_no_tokens() -> None:
    assert load_tokens("") == {}


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("http://flagger-loadtester.test", "http://flagger-loadtester.test"),
        ("http://flagger-loadtester.test/", "http://flagger-loadtester.test"),
        ("http://flagger-loadtester.test:80", "http://flagger-loadtester.test"),
        ("HTTPS://Gate.example.com:8443", "https://gate.example.com:8443"),
    ],
)
def test_origins_are_compared_in_one_spelling(tmp_path: Path, written: str, origin: str) -> None:
    assert load(tmp_path, f'{{"{written}": "s3cr3t"}}') == {origin: "s3cr3t"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ('["s3cr3t"]', "must map origins to tokens"),
        ('{"http://h/path": "s3cr3t"}', "write scheme, host and port only"),
        ('{"http://h/?q=1": "s3cr3t"}', "write scheme, host and port only"),
        ('{"http://user@h": "s3cr3t"}', "write scheme, host and port only"),
        ('{"ftp://h": "s3cr3t"}', "write scheme, host and port only"),
        ('{"h": "s3cr3t"}', "is no origin"),
        ('{"http://h": ""}', "must be printable ASCII"),
        ('{"http://h": 5}', "must be printable ASCII"),
        ('{"http://h": "s3cr3t\\nHost: x"}', "must be printable ASCII"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        load(tmp_path, text)
    assert "s3cr3t" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--hook-tokens-file /nowhere: No such file"):
        load_tokens("/nowhere")
